"""A model file divided into parts, as `gguf-split` does it."""

from pathlib import Path

import gguf

from engine.parts import part_name


def split(model: Path, folder: Path, tensors: int, *, empty_first: bool = False) -> Path:
    """`model` in parts of so many tensors; the first one's path. `empty_first`: the first part has metadata alone."""
    reader = gguf.GGUFReader(model)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(folder / "split.gguf", architecture, split_max_tensors=tensors, small_first_shard=empty_first)
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            kind, *inner = field.types
            writer.add_key_value(field.name, field.contents(), kind, sub_type=inner[-1] if inner else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    count = len(list(folder.glob("split-*.gguf")))
    return folder / part_name("split", 1, count)
