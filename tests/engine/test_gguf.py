"""Model files, good and bad: what can be known before llama.cpp opens one, and that no bytes cause anything but `ModelFileError`."""

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ModelFileError
from engine.gguf import Defaults, inspect
from tests.engine.tinygguf import write


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled") / "spoiled.gguf"


def test_a_good_file_says_what_it_is(tiny: Path) -> None:
    file = inspect(tiny)
    assert (file.name, file.context, file.profile, file.size) == ("tiny", 4096, "default", tiny.stat().st_size)
    assert file.defaults == Defaults(temperature=None, top_p=0.95, min_p=0.0, thinking=True)


def test_a_file_s_own_wishes_become_its_defaults(tmp_path: Path) -> None:
    extra = {"kimicode.profile": "lean", "kimicode.temperature": 0.0, "kimicode.top_p": 0.5, "kimicode.thinking": False}
    file = inspect(write(tmp_path / "lean.gguf", extra=extra))
    assert file.profile == "lean"
    assert file.defaults == Defaults(temperature=0.0, top_p=0.5, min_p=0.0, thinking=False)


def test_a_file_cut_anywhere_is_called_cut_off(tiny: Path, spoiled: Path) -> None:
    whole = tiny.read_bytes()
    for length in (4, 5, 20, 24, 100, 1000, 5000, len(whole) // 2, len(whole) - 1):
        spoiled.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match="cut off"):
            inspect(spoiled)


@given(data=st.binary(max_size=300))
@settings(deadline=None)
def test_random_bytes_are_refused(spoiled: Path, data: bytes) -> None:
    for start in (b"", b"GGUF", b"GGUF\3\0\0\0"):
        spoiled.write_bytes(start + data)
        with pytest.raises(ModelFileError, match="spoiled"):
            inspect(spoiled)


@given(place=st.integers(4, 9000), value=st.integers(0, 255))
@settings(deadline=None)
def test_a_flipped_byte_in_the_header_never_escapes_as_another_error(tiny: Path, spoiled: Path, place: int, value: int) -> None:
    data = bytearray(tiny.read_bytes())
    data[place] = value
    spoiled.write_bytes(data)
    with contextlib.suppress(ModelFileError):
        assert inspect(spoiled).path == spoiled


def test_what_is_no_model_file_is_named(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    empty = tmp_path / "empty.gguf"
    empty.touch()
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)
    cases = [(text, "not a GGUF"), (empty, "not a GGUF"), (tmp_path / "absent.gguf", "no such file"), (tmp_path, "directory|regular")]
    for path, problem in [*cases, (pipe, "regular")]:
        with pytest.raises(ModelFileError, match=problem):
            inspect(path)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="its architecture is 'llama'"):
        inspect(write(tmp_path / "llama.gguf", architecture="llama"))
    with pytest.raises(ModelFileError, match="no vocabulary"):
        inspect(write(tmp_path / "mute.gguf", tokenizer=False))
    with pytest.raises(ModelFileError, match="give its first part"):
        inspect(write(tmp_path / "part.gguf", extra={"split.no": 2}))


def test_impossible_hyperparameters_are_refused_before_llama_cpp_aborts(tiny: Path, spoiled: Path) -> None:
    # Each of these ended the process with a failed assertion.
    whole = tiny.read_bytes()
    names = ("expert_group_count", "expert_gating_func", "rope.dimension_count", "attention.head_count_kv", "attention.key_length")
    for name in (*names, "block_count", "expert_count"):
        key = f"deepseek2.{name}".encode()
        at = whole.index(len(key).to_bytes(8, "little") + key) + 8 + len(key) + 4
        spoiled.write_bytes(whole[:at] + b"\xff\xff\x00\x00" + whole[at + 4 :])
        with pytest.raises(ModelFileError, match=rf"deepseek2\.{name.split('.')[0]}|deepseek2\.attention\.key_length"):
            inspect(spoiled)
    for name in names[1:]:
        spoiled.write_bytes(whole.replace(f"deepseek2.{name}".encode(), f"deepseek3.{name}".encode()))
        with pytest.raises(ModelFileError, match=f"deepseek2\\.{name} is missing"):
            inspect(spoiled)
