"""Checkpoint folders, whole and damaged: what is wrong is said with file and tensor, and no bytes cause anything but `ModelFileError`."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.convert.safetensors import INDEX, Checkpoint
from engine.errors import ModelFileError
from tests.engine.convert.checkpoints import Stored, write_safetensors, write_sharded

TENSORS: dict[str, Stored] = {
    "language_model.model.norm.weight": ("F32", np.arange(6, dtype=np.float32)),
    "language_model.lm_head.weight": ("BF16", np.arange(12, dtype=np.uint16).reshape(3, 4)),
    "model.language_model.layers.0.x": ("I32", np.arange(4, dtype=np.int32)),
}


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled")


def test_tensors_are_found_by_deepseek_s_names_and_read_in_part(tmp_path: Path) -> None:
    write_sharded(tmp_path, TENSORS, 2)
    with Checkpoint(tmp_path) as checkpoint:
        assert set(checkpoint.entries) == {"model.norm.weight", "lm_head.weight", "model.layers.0.x"}
        head = checkpoint.entries["lm_head.weight"]
        assert (head.dtype, head.shape) == ("BF16", (3, 4))
        assert checkpoint.read(head, 4, 4).tolist() == [4, 5, 6, 7]
        assert checkpoint.read(checkpoint.entries["model.norm.weight"]).tolist() == [0, 1, 2, 3, 4, 5]


def test_a_file_that_the_index_names_is_missing(tmp_path: Path) -> None:
    write_sharded(tmp_path, TENSORS, 2)
    (tmp_path / "model-00002-of-000002.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"model-00002-of-000002.safetensors: missing, but .*index.json names it: download it"):
        Checkpoint(tmp_path)


def test_a_tensor_that_the_index_promises_is_missing(tmp_path: Path) -> None:
    write_sharded(tmp_path, TENSORS, 2)
    index = json.loads((tmp_path / INDEX).read_text())
    index["weight_map"]["language_model.extra"] = "model-00001-of-000002.safetensors"
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(ModelFileError, match=r"model-00001-of-000002.safetensors: tensor language_model.extra is missing"):
        Checkpoint(tmp_path)


def test_an_index_can_not_reach_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"x": "../elsewhere.safetensors"}}))
    with pytest.raises(ModelFileError, match="outside its folder"):
        Checkpoint(tmp_path)


def test_two_files_with_the_same_tensor_are_not_one_checkpoint(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "a.safetensors", TENSORS)
    write_safetensors(tmp_path / "b.safetensors", TENSORS)
    with pytest.raises(ModelFileError, match=r"a\.safetensors too: remove files"):
        Checkpoint(tmp_path)


@pytest.mark.parametrize("content", [None, "", "{}", "[]", '{"weight_map": 3}'])
def test_a_folder_without_tensors_or_with_a_bad_index(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / INDEX).write_text(content)
    with pytest.raises(ModelFileError, match=r"no \*\.safetensors files|not an index"):
        Checkpoint(tmp_path)


def test_a_cut_file_is_called_cut_off_wherever_it_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    whole = path.read_bytes()
    for length in {0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 20, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"model\.safetensors.*(cut off|damaged).*download it again"):
            Checkpoint(tmp_path)


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    with Checkpoint(tmp_path) as checkpoint:
        path.write_bytes(path.read_bytes()[:-8])
        with pytest.raises(ModelFileError, match=r"tensor model\.language_model\.layers\.0\.x: the file ends inside it"):
            checkpoint.read(checkpoint.entries["model.layers.0.x"])


@given(st.one_of(st.binary(max_size=200), st.tuples(st.integers(0, 400), st.binary(min_size=1, max_size=12))))
@settings(max_examples=200)
def test_no_bytes_cause_anything_else(spoiled: Path, change: bytes | tuple[int, bytes]) -> None:
    path = spoiled / "model.safetensors"
    write_safetensors(path, TENSORS)
    whole = path.read_bytes()
    path.write_bytes(change if isinstance(change, bytes) else whole[: change[0]] + change[1] + whole[change[0] + len(change[1]) :])
    with contextlib.suppress(ModelFileError), Checkpoint(spoiled) as checkpoint:
        for entry in checkpoint.entries.values():
            checkpoint.read(entry)
