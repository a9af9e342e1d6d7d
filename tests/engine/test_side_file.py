"""The format of the side file: every expert in one piece, and no use of a file that is not whole or another model's."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine import side_file
from engine.errors import ModelFileError
from engine.parts import read_parts
from engine.prepare import prepare
from engine.side_file import BLOCK, HEADER_BYTES, Layout, PartIdentity, SideFileError, beside, expert_files, find, lay_out, unused
from tests.engine import expertgguf


def made(folder: Path, *, tensors: int = 0, alignment: int = 32) -> tuple[Path, Path, expertgguf.Experts]:
    """A model, its side file, and what its experts are."""
    model, experts = expertgguf.write(folder / "m.gguf", tensors=tensors, alignment=alignment)
    return model, prepare(model, None, lambda _: None, print).path, experts


@pytest.mark.parametrize(("tensors", "alignment"), [(0, 32), (2, 32), (0, 8), (1, 32)])
def test_experts_lie_in_one_piece_each(tmp_path: Path, tensors: int, alignment: int) -> None:
    model, path, experts = made(tmp_path, tensors=tensors, alignment=alignment)
    files = expert_files(path, read_parts(model))
    data = path.read_bytes()
    assert (files.files, files.layers, files.experts) == ((path,), expertgguf.LAYERS, expertgguf.EXPERTS)
    for (layer, expert), wanted in experts.items():
        ranges = files.ranges[layer, expert]
        start = int(ranges[0, 1])
        assert start % BLOCK == 0
        assert b"".join(data[at : at + size] for _, at, size in ranges.tolist()) == data[start : start + len(wanted)] == wanted
    assert not files.ranges[0].any()
    assert files.bytes == sum(map(len, experts.values()))


def test_it_is_where_the_model_has_them(tmp_path: Path) -> None:
    """Both ways to the same bytes, as the store goes them."""
    model, path, _ = made(tmp_path, tensors=3)
    parts = read_parts(model)
    _, there = lay_out(parts)
    here = expert_files(path, parts)
    assert np.array_equal(there.ranges[..., 2], here.ranges[..., 2])
    for (file, at, size), (_, side_at, _) in zip(there.ranges.reshape(-1, 3).tolist(), here.ranges.reshape(-1, 3).tolist(), strict=True):
        assert there.files[file].read_bytes()[at : at + size] == path.read_bytes()[side_at : side_at + size]


def test_every_byte_between_experts_is_zero(tmp_path: Path) -> None:
    model, path, experts = made(tmp_path)
    layout, _ = lay_out(read_parts(model))
    rest = bytearray(path.read_bytes())
    assert len(rest) == layout.size
    for layer, expert in experts:
        at = layout.starts[layer] + expert * layout.stride(layer)
        rest[at : at + len(experts[layer, expert])] = bytes(len(experts[layer, expert]))
    assert not any(rest[HEADER_BYTES : layout.starts[-1]])


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("k26.gguf", "k26.experts"),
        ("k26-00001-of-00014.gguf", "k26.experts"),
        ("k26-00014-of-00014.gguf", "k26.experts"),
        ("a", "a.experts"),
    ],
)
def test_its_name(model: str, name: str, tmp_path: Path) -> None:
    assert beside(Path("/models") / model) == Path("/models") / name
    assert beside(Path("/models") / model, tmp_path) == tmp_path / name


def test_it_is_found_by_any_part_and_in_another_folder(tmp_path: Path) -> None:
    model, path, _ = made(tmp_path, tensors=2)
    assert find(model) == find(model.with_name("m-00003-of-00005.gguf")) == path
    (tmp_path / "other").mkdir()
    assert (find(model, tmp_path / "other"), unused(model, tmp_path / "other")) == (None, None)
    path.rename(tmp_path / "other" / path.name)
    assert find(model) is None
    assert find(model, tmp_path / "other") == tmp_path / "other" / path.name


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 1)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def flip(at: int) -> Callable[[Path], None]:
    def flipped(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[at] ^= 1
        path.write_bytes(data)

    return flipped


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, "bytes: prepare it again"),
        (longer, "bytes: prepare it again"),
        (flip(0), "not a side file"),
        (flip(8), "version"),
        (flip(20), "header is damaged"),
        (flip(200), "header is damaged"),
        (flip(HEADER_BYTES - 1), "header is damaged"),
        (flip(-1), "don't fit together"),
        (flip(-30), "don't fit together"),
        (flip(-24 - 21 * 16), "don't fit together"),
        (lambda path: path.write_bytes(b""), "not a side file"),
        (lambda path: path.write_bytes(b"GGUF" * 100_000), "not a side file"),
    ],
)
def test_what_is_not_whole_is_not_used(tmp_path: Path, harm: Callable[[Path], None], reason: str) -> None:
    model, path, _ = made(tmp_path)
    assert (find(model), unused(model)) == (path, None)
    harm(path)
    assert find(model) is None
    assert reason in (unused(model) or "")
    with pytest.raises(SideFileError, match=reason):
        expert_files(path, read_parts(model))


def test_a_side_file_that_cant_be_read_is_a_reason(tmp_path: Path) -> None:
    model, path, _ = made(tmp_path)
    path.unlink()
    with pytest.raises(SideFileError, match="no such file"):
        expert_files(path, read_parts(model))
    path.mkdir()
    assert find(model) is None


def test_another_model_under_the_same_header_has_another_side_file(tmp_path: Path) -> None:
    """Weights that were trained on have the same sizes and metadata: with the old experts, answers would silently be wrong."""
    model, path, _ = made(tmp_path)
    again, _ = expertgguf.write(tmp_path / "again.gguf", seed=1)
    assert again.stat().st_size == model.stat().st_size
    again.replace(model)
    assert find(model) is None
    with pytest.raises(SideFileError, match="another model, or of this one before it changed"):
        expert_files(path, read_parts(model))


def test_another_header_or_size_is_another_model(tmp_path: Path) -> None:
    model, _, _ = made(tmp_path)
    with model.open("ab") as file:
        file.write(bytes(32))
    assert find(model) is None
    model, path, _ = made(tmp_path)
    assert find(model) == path
    model.write_bytes(model.read_bytes().replace(b"experts", b"eXperts", 1))
    assert find(model) is None


def test_models_renamed_together_with_their_side_file_keep_it(tmp_path: Path) -> None:
    model, path, _ = made(tmp_path)
    renamed = path.rename(tmp_path / "n.experts")
    assert find(model.rename(tmp_path / "n.gguf")) == renamed


def test_models_that_cant_have_one_say_why(tmp_path: Path) -> None:
    model, _ = expertgguf.write(tmp_path / "m.gguf", tensors=2)
    model.with_name("m-00004-of-00005.gguf").unlink()
    with pytest.raises(ModelFileError, match="1 of 5 parts are missing"):
        lay_out(read_parts(model))
    whole, _ = expertgguf.write(tmp_path / "n.gguf")
    whole.write_bytes(whole.read_bytes()[:-64])
    with pytest.raises(ModelFileError, match="cut off"):
        lay_out(read_parts(whole))
    dense = expertgguf.write_dense(tmp_path / "dense.gguf")
    with pytest.raises(ModelFileError, match="no routed experts"):
        lay_out(read_parts(dense))
    assert unused(dense) is None
    beside(dense).touch()
    assert find(dense) is None
    assert "no routed experts" in (unused(dense) or "")


def test_a_model_in_too_many_files_is_refused() -> None:
    layout = Layout((PartIdentity(1, "0" * 32),) * 9999, 1, ((1, 1, 1),))
    with pytest.raises(SideFileError, match="too finely split"):
        side_file.header_of(layout)


def test_k26_has_room(tmp_path: Path) -> None:
    """61 layers in 46 files, the most that hubs offer: sizes as in the real model."""
    layout = Layout((PartIdentity(50_000_000_000, "0" * 32),) * 46, 384, ((0, 0, 0),) + ((8_257_536,) * 3,) * 60)
    assert len(side_file.header_of(layout)) == HEADER_BYTES
    assert layout.count == 23_040
    assert 570e9 < layout.size < 572e9
    assert layout.name(384) == "expert 0 of layer 2"
