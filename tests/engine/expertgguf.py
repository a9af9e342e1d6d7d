"""Small model files with routed experts of all kinds, for tests of where experts lie: nothing else of a model is in them.

Layer 0 has no experts; 1 has matrices of different types; 2 has gate and up in one tensor; 3 has sizes that are no multiple of anything.
"""

from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

LAYERS, EXPERTS = 4, 7
Kind = gguf.GGMLQuantizationType

_PARTS = {
    1: {"gate": (Kind.Q4_0, 64, 96), "up": (Kind.Q4_0, 64, 96), "down": (Kind.Q8_0, 96, 64)},
    2: {"gate_up": (Kind.F16, 128, 32), "down": (Kind.F32, 32, 64)},
    3: {"gate": (Kind.F32, 3, 5), "up": (Kind.F32, 3, 5), "down": (Kind.F16, 5, 3)},
}
"""By layer and part: type, rows and row length of one expert."""

Experts = dict[tuple[int, int], bytes]
"""Gate, up and down of an expert, by its layer and number."""


def write(path: Path, *, seed: int = 0, tensors: int = 0, alignment: int = 32, fill: int = 0) -> tuple[Path, Experts]:
    """Write the model, in parts of so many `tensors` each if that is given; the (first) file, and the experts. `fill` makes layer 1 so many
    times as large.
    """
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, "deepseek2", split_max_tensors=tensors)
    writer.add_name("experts")
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    writer.add_tensor("token_embd.weight", rng.random((3, 5), np.float32))
    experts: Experts = {}
    for layer, parts in _PARTS.items():
        rows_of = {name: (kind, rows * (fill if fill and layer == 1 else 1), width) for name, (kind, rows, width) in parts.items()}
        # Down comes first in the file, as in some real ones.
        data = {name: _random(rng, *rows_of[name]) for name in reversed(rows_of)}
        for name, values in data.items():
            writer.add_tensor(f"blk.{layer}.ffn_{name}_exps.weight", values, raw_dtype=rows_of[name][0])
        for expert in range(EXPERTS):
            experts[layer, expert] = b"".join(data[name][expert].tobytes() for name in parts)
    writer.add_tensor("blk.3.attn_norm.weight", rng.random(5, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    count = -(-(2 + sum(map(len, _PARTS.values()))) // tensors) if tensors else 1
    return path.with_name(f"{path.stem}-00001-of-{count:05d}.gguf") if tensors else path, experts


def _random(rng: np.random.Generator, kind: Kind, rows: int, width: int) -> NDArray[np.uint8]:
    block, size = gguf.GGML_QUANT_SIZES[kind]
    values = rng.integers(0, 256, (EXPERTS, rows, width // block * size), np.uint8)
    assert values.shape[-1] * block == width * size
    return values


def write_dense(path: Path) -> Path:
    """Write a model without experts."""
    writer = gguf.GGUFWriter(path, "deepseek2")
    writer.add_tensor("token_embd.weight", np.zeros((3, 5), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
