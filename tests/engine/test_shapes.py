"""K2's published sizes come out of its hyperparameters; a GGUF file's tensors give the same shape as its hyperparameters."""

from pathlib import Path

import gguf
import numpy as np
import pytest

from engine import known
from engine.errors import ModelFileError
from engine.gguf import read_header
from engine.shapes import Hyperparameters, ModelShape, Precision, from_hyperparameters, read
from tests.engine import tinygguf


def gigabytes(count: float) -> float:
    return round(count / 1e9, 1)


def test_k2_6_by_the_published_numbers() -> None:
    full = known.find("kimi-k2.6:INT4")
    assert gigabytes(full.routed.bytes) == 570.8
    assert gigabytes(full.dense.bytes) == 23.4
    assert gigabytes(full.bytes) == 594.2
    assert round(full.dense.weights / 1e9, 2) == 11.72
    assert round((full.routed.weights + full.dense.weights) / 1e12, 2) == 1.03
    assert full.kv_bytes("f16") == 70_272
    assert full.kv_bytes("q8_0") == 37_332


def test_k2_6_reads_the_published_amount_for_a_token() -> None:
    model = known.find("kimi-k2.6")
    assert round(model.routed.bytes * model.used / 1e9, 2) == 11.89
    active = sum(layer.always.weights for layer in model.layers) + model.output.weights
    assert round(active / 1e9, 2) == 10.55


@pytest.mark.parametrize(("model", "file"), [(model, file) for model, files in known.MODELS.items() for file in files])
def test_every_known_file_has_its_published_size(model: str, file: known.Published) -> None:
    assert known.find(f"{model}:{file.quantisation}").bytes / 1e9 == pytest.approx(file.gigabytes, rel=0.002)


def test_a_size_taken_from_the_file_s_page_says_so() -> None:
    assert any("2.58 bits" in note for note in known.find("kimi-k2.6:ud-q2_k_xl").notes)
    assert not any("bits a weight" in note for note in known.find("kimi-k2.6:ud-q4_k_xl").notes)


def test_the_bare_name_is_the_first_file_and_the_others_are_its_siblings() -> None:
    model = known.find("Kimi-K2.6")
    assert model == known.find("kimi-k2.6:UD-Q4_K_XL")
    assert {name for name in known.names() if name.startswith("kimi-k2.6:")} == {
        model.name,
        *(other.name for other, _ in known.siblings(model)),
    }
    assert known.siblings(known.find("kimi-nano")) == ()


def test_every_name_that_is_offered_is_found() -> None:
    assert all(known.find(name).bytes > 0 for name in known.names())


@pytest.mark.parametrize("given", ["kimi-k9", "kimi-k2.6:UD-Q9", "no/such/file.gguf", "."])
def test_what_is_not_known_is_refused_by_its_name(given: str) -> None:
    with pytest.raises(ModelFileError, match=given.replace(".", r"\.")):
        known.find(given)


TINY = Hyperparameters(
    layers=tinygguf.LAYERS,
    dense_layers=1,
    width=tinygguf.WIDTH,
    heads=tinygguf.HEADS,
    q_rank=tinygguf.Q_RANK,
    kv_rank=tinygguf.KV_RANK,
    nope=tinygguf.NOPE,
    rope=tinygguf.ROPE,
    value=tinygguf.VALUE,
    dense_width=tinygguf.DENSE,
    expert_width=tinygguf.EXPERT_WIDTH,
    experts=tinygguf.EXPERTS,
    experts_used=2,
    shared_experts=1,
    vocabulary=len(tinygguf.vocabulary()[0]),
    context=4096,
)


def same(left: ModelShape, right: ModelShape) -> bool:
    return (left.layers, left.embedding, left.head, left.attention, left.experts_used, left.other, left.context, left.vocabulary) == (
        right.layers,
        right.embedding,
        right.head,
        right.attention,
        right.experts_used,
        right.other,
        right.context,
        right.vocabulary,
    )


def test_a_file_s_tensors_and_its_hyperparameters_agree(tmp_path: Path) -> None:
    path = tinygguf.write(tmp_path / "tiny.gguf")
    found = read(path)
    assert same(found, from_hyperparameters("tiny", TINY, Precision(32, 32)))
    assert found.bytes == sum(tensor.bytes for tensor in read_header(path).tensors)
    assert (found.name, found.files) == ("tiny", (path,))


def test_kimi_nano_is_read_from_its_file() -> None:
    nano = known.find("kimi-nano")
    assert nano.bytes == sum(tensor.bytes for tensor in read_header(known.NANO).tensors)
    assert (nano.experts, nano.experts_used, nano.context, nano.vocabulary) == (8, 2, 4096, 1024)
    assert nano.kv_bytes("f16") == 5 * 96 * 2


def split(path: Path, folder: Path) -> Path:
    """The same model in two parts as `llama-gguf-split` names them; the first has the metadata and a third of the tensors."""
    reader = gguf.GGUFReader(path)
    cut = len(reader.tensors) // 3
    first = folder / "model-00001-of-00002.gguf"
    for number, tensors in enumerate((reader.tensors[:cut], reader.tensors[cut:])):
        writer = gguf.GGUFWriter(folder / f"model-0000{number + 1}-of-00002.gguf", "deepseek2")
        if number == 0:
            tinygguf._hyperparameters(writer, 4096)
            tinygguf._vocabulary(writer)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", 2)
        for tensor in tensors:
            writer.add_tensor(tensor.name, np.array(tensor.data))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return first


def test_a_split_model_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    whole = tinygguf.write(tmp_path / "tiny.gguf")
    first = split(whole, tmp_path)
    found = read(first)
    assert same(found, read(whole))
    assert [file.name for file in found.files] == ["model-00001-of-00002.gguf", "model-00002-of-00002.gguf"]
    second = found.files[1]
    with pytest.raises(ModelFileError, match="give its first part"):
        read(second)
    second.unlink()
    with pytest.raises(ModelFileError, match=r"00002-of-00002\.gguf: this part of the model is missing"):
        read(first)


def test_a_later_part_without_its_name_is_refused(tmp_path: Path) -> None:
    path = tinygguf.write(tmp_path / "renamed.gguf", extra={"split.no": 1})
    with pytest.raises(ModelFileError, match="a later part of a split model"):
        read(path)


def test_other_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not a model this engine runs"):
        read(tinygguf.write(tmp_path / "other.gguf", architecture="llama"))


def test_a_cache_of_eight_bits_needs_rows_of_whole_blocks(tmp_path: Path) -> None:
    assert known.find("kimi-k2.6").kv_types() == ("f16", "q8_0")
    odd = from_hyperparameters("odd", Hyperparameters(**{**vars(TINY), "kv_rank": 40}), Precision(32, 32))
    assert odd.kv_types() == ("f16",)
