"""read: the text as it is, parts that say how to go on, and help where there is nothing to read."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.messages import ToolResult
from kimicode.tools.read import part


@pytest.mark.parametrize(
    "text", ["a", "a\n", "a\nb", "\n", "\n\n", "a\r\nb\r\n", "\ttab  \n", "a\x0cb\u2028c\x85d\n", "é日本\n", " " * 20_000]
)
def test_a_file_comes_back_as_it_is(workspace: Path, use, text: str) -> None:
    (workspace / "f").write_bytes(text.encode())
    assert use("read", path="f") == ToolResult("functions.read:0", "read", text, True)


def test_parts_say_how_to_go_on(workspace: Path, use) -> None:
    (workspace / "f").write_text("".join(f"line {n}\n" for n in range(1, 11)))
    assert use("read", path="f", limit=2).content == "line 1\nline 2\n[lines 1-2 of 10; continue with offset 3]"
    assert use("read", path="f", offset=3, limit=1).content == "line 3\n[lines 3-3 of 10; continue with offset 4]"
    assert use("read", path="f", offset=9).content == "line 9\nline 10\n"
    assert use("read", path="f", offset=10, limit=5).content == "line 10\n"
    past = use("read", path="f", offset=11)
    assert (past.ok, past.content) == (False, "Error: f has 10 lines: offset 11 is past its end.")


def test_two_thousand_lines_by_default(workspace: Path, use) -> None:
    (workspace / "f").write_text("x\n" * 2001)
    assert use("read", path="f").content == "x\n" * 2000 + "[lines 1-2000 of 2001; continue with offset 2001]"
    (workspace / "f").write_text("x\n" * 2000)
    assert use("read", path="f").content == "x\n" * 2000


def test_a_large_part_ends_at_a_whole_line(workspace: Path, use, scratch: Path) -> None:
    (workspace / "f").write_text(("x" * 999 + "\n") * 100)
    content = use("read", path="f").content
    assert content.endswith("x\n[lines 1-29 of 100; continue with offset 30]")
    assert len(content) <= 30_000
    assert not scratch.exists()


def test_one_huge_line_is_cut_and_passed(workspace: Path, use) -> None:
    (workspace / "f").write_text("y\n" + "x" * 100_000 + "\nz\n")
    content = use("read", path="f", offset=2).content
    assert content.startswith("xxx")
    assert len(content) <= 30_000
    assert content.endswith("[lines 2-2 of 3, only the first 29800 of its 100000 characters; cut -c shows others; continue with offset 3]")


def test_an_empty_file_says_so(workspace: Path, use) -> None:
    (workspace / "f").touch()
    assert use("read", path="f").content == "[f is empty]"


def test_a_byte_order_mark_is_not_text(workspace: Path, use) -> None:
    (workspace / "f").write_bytes(b"\xef\xbb\xbfa\n")
    assert use("read", path="f").content == "a\n"


def test_what_can_not_be_read_gets_help(workspace: Path, use) -> None:
    (workspace / "src").mkdir()
    (workspace / "src" / "parser.py").write_text("x")
    (workspace / "src" / "printer.py").write_text("x")
    (workspace / "src" / "deep").mkdir()
    (workspace / "bin").write_bytes(b"\x7fELF\0")
    (workspace / "dangling").symlink_to("nowhere")
    os.mkfifo(workspace / "fifo")
    cases = {
        "src/parse.py": "Error: src/parse.py does not exist. Nearest names in that folder: parser.py",
        "src/zzzzzz": "Error: src/zzzzzz does not exist. That folder holds: deep/, parser.py, printer.py.",
        "lib/a/b.py": "Error: lib/a/b.py does not exist, nor does its folder. Use glob",
        "src": "Error: src is a folder. It holds: deep/, parser.py, printer.py.",
        "src/deep": "Error: src/deep is a folder. It holds: nothing.",
        "bin": "Error: bin is a binary file",
        "fifo": "Error: fifo is a FIFO",
        "dangling": "Error: dangling does not exist.",
        "src/parser.py/x": "Error: src/parser.py/x does not exist",
        "": "Error:  is a folder.",
        "a\0": "Error: 'a\\x00': not a usable path",
        "x" * 5000: "Error:",
    }
    for path, message in cases.items():
        result = use("read", path=path)
        assert not result.ok
        assert result.content.startswith(message), result.content[:200]


def test_outside_is_refused(workspace: Path, use) -> None:
    (workspace / "link").symlink_to("/etc/passwd")
    for path in ("/etc/passwd", "../x", "link"):
        result = use("read", path=path)
        assert not result.ok
        assert result.content.startswith(f"Refused: {path}: outside the workspace {workspace} Use a path inside")


def test_a_huge_folder_is_not_listed_whole(workspace: Path, use) -> None:
    for n in range(100):
        (workspace / f"file{n:03}").touch()
    content = use("read", path=".").content
    assert content.startswith("Error: . is a folder. It holds: file000, file001")
    assert content.endswith("file029, and 70 more.")


@settings(deadline=None)
@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=5), min_size=1),
    limit=st.integers(1, 9),
)
def test_following_the_offsets_gives_the_whole_text(lines: list[str], limit: int) -> None:
    text = "\n".join(lines) + "\n"
    got, offset = "", 1
    while True:
        piece = part(text, "f", offset, limit)
        body, marker, rest = piece.rpartition("[lines ")
        if not (marker and "; continue with offset " in rest):
            assert got + piece == text
            return
        got += body
        offset = int(rest.rpartition(" ")[2].rstrip("]"))
