"""Bounded output: head, tail, and the whole in a file."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.sandbox.capture import Capture, Captured, create_scratch


def capture(scratch: Path, pieces: list[bytes], max_spill: int = 10**6) -> Captured:
    it = Capture(scratch, "shell", limit=20, head=6, tail=4, max_spill=max_spill)
    for piece in pieces:
        it.feed(piece)
    return it.close()


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=30), max_size=12))
def test_nothing_is_lost_or_made_up(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    data = b"".join(pieces)
    ascii_pieces = [bytes(b % 95 + 32 for b in piece) for piece in pieces]
    text = bytes(b % 95 + 32 for b in data).decode()
    done = capture(scratch, ascii_pieces)
    if len(text) <= 20:
        assert done == Captured(text)
        assert os.listdir(scratch) == []
    else:
        assert (done.head, done.tail, done.omitted) == (text[:6], text[-4:], len(text) - 10)
        assert done.whole is not None
        assert done.whole.read_text() == text
        assert not done.whole_cut


def test_characters_are_not_cut_in_half(tmp_path: Path) -> None:
    done = capture(tmp_path, ["aaaé€€€€€€€b€".encode()])
    assert "\ufffd" not in done.head + done.tail
    assert done.head == "aaaé"
    assert done.tail == "b€"


def test_what_is_no_utf8_is_replaced(tmp_path: Path) -> None:
    assert capture(tmp_path, [b"a\xffb"]).head == "a\ufffdb"
    assert capture(tmp_path, [b"\x80" * 40]).tail == "\ufffd" * 4


def test_the_file_is_private_bounded_and_says_so(tmp_path: Path) -> None:
    done = capture(tmp_path / "new", [b"x" * 15, b"y" * 15, b"z" * 100], max_spill=40)
    assert done.whole == tmp_path / "new" / "shell-1.txt"
    assert done.whole.read_bytes() == b"x" * 15 + b"y" * 15 + b"z" * 10
    assert done.whole_cut
    assert done.whole.stat().st_mode & 0o777 == 0o600
    assert done.tail == "zzzz"


def test_a_lost_scratch_file_loses_only_the_middle(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = capture(tmp_path / "file", [b"x" * 30, b"tail"])
    assert done == Captured("xxxxxx", "tail", 24, None)


def test_a_full_disk_leaves_no_half_file(tmp_path: Path) -> None:
    # A link to /dev/full is what the next scratch file would be: opened exclusively, it is passed over instead.
    (tmp_path / "shell-1.txt").symlink_to("/dev/full")
    done = capture(tmp_path, [b"x" * 30])
    assert done.whole == tmp_path / "shell-2.txt"


def test_names_count_up(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        with create_scratch(tmp_path, "grep") as file:
            assert file.name == str(tmp_path / f"grep-{number}.txt")
