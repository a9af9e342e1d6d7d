"""write and edit: what they say, what they keep, what they refuse."""

import os
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "0 lines"), ("a", "1 line"), ("a\n", "1 line"), ("a\nb", "2 lines"), ("a\nb\n", "2 lines"), ("\n\n", "2 lines")],
)
def test_write(workspace: Path, use, content: str, said: str) -> None:
    result = use("write", path="new/deep/f.txt", content=content)
    assert (result.content, result.ok) == (f"Wrote new/deep/f.txt: {said}.", True)
    assert (workspace / "new/deep/f.txt").read_bytes() == content.encode()


def test_write_replaces_and_keeps_the_mode(workspace: Path, use) -> None:
    (workspace / "run.sh").write_text("old")
    (workspace / "run.sh").chmod(0o755)
    assert use("write", path="run.sh", content="#!/bin/sh\r\n").ok
    assert (workspace / "run.sh").read_bytes() == b"#!/bin/sh\r\n"
    assert (workspace / "run.sh").stat().st_mode & 0o777 == 0o755


def test_write_refusals(workspace: Path, use, read_only, tmp_path: Path) -> None:
    (workspace / "folder").mkdir()
    (workspace / "file").write_text("x")
    (workspace / "out").symlink_to(tmp_path / "target")
    assert use("write", path="folder", content="").content.startswith("Error: folder is a folder.")
    assert use("write", path="file/below", content="").content.startswith("Error: file/below: can't write it")
    assert use("write", path="out", content="").content.startswith("Refused: out: outside the workspace")
    assert use("write", path=".git/config", content="").content.startswith("Refused: .git/config: git's own files are protected")
    assert read_only("write", path="file", content="y").content.startswith("Refused: file: writing is off")
    assert (workspace / "file").read_text() == "x"
    assert not (tmp_path / "target").exists()
    assert not (workspace / ".git").exists()


def test_edit(workspace: Path, use) -> None:
    file = workspace / "f.py"
    file.write_bytes(b"\xef\xbb\xbfa = 1\r\nb = 2\r\nb = 2\r\n")
    file.chmod(0o640)
    assert use("edit", path="f.py", old_string="a = 1\nb = 2\n", new_string="a = 3\nc = 2\n").content == "Edited f.py: 1 replacement."
    assert file.read_bytes() == b"\xef\xbb\xbfa = 3\r\nc = 2\r\nb = 2\r\n"
    assert use("edit", path="f.py", old_string="2", new_string="4", replace_all=True).content == "Edited f.py: 2 replacements."
    assert file.read_bytes() == b"\xef\xbb\xbfa = 3\r\nc = 4\r\nb = 4\r\n"
    assert use("edit", path="f.py", old_string="b = 4\n", new_string="", replace_all=None).content == "Edited f.py: 1 replacement."
    assert file.read_bytes() == b"\xef\xbb\xbfa = 3\r\nc = 4\r\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(workspace) == ["f.py"]


def test_edit_errors_leave_the_file(workspace: Path, use, read_only) -> None:
    data = b"x = 1\nx = 1\n\ty\n"
    (workspace / "f").write_bytes(data)
    (workspace / "latin").write_bytes(b"caf\xe9\n")
    cases = [
        ({"path": "f", "old_string": "x = 1", "new_string": "z"}, "Error: f: old_string is there 2 times, starting at lines 1, 2."),
        (
            {"path": "f", "old_string": "x = 1\ny = 2\n", "new_string": "z\n"},
            "Error: f: old_string is not in the file. The nearest place starts at line",
        ),
        ({"path": "f", "old_string": "x", "new_string": "x"}, "Error: f: old_string and new_string are the same"),
        ({"path": "f", "old_string": "", "new_string": "x"}, "Error: f: old_string is empty"),
        ({"path": "g", "old_string": "a", "new_string": "x"}, "Error: g does not exist."),
        ({"path": ".", "old_string": "a", "new_string": "x"}, "Error: . is a folder."),
        ({"path": "latin", "old_string": "caf", "new_string": "x"}, "Error: latin is not UTF-8 text: byte 0xe9 at offset 3"),
        ({"path": ".git/x", "old_string": "caf", "new_string": "x"}, "Refused: .git/x"),
    ]
    for arguments, message in cases:
        result = use("edit", **arguments)
        assert not result.ok
        assert result.content.startswith(message), result.content
    assert read_only("edit", path="f", old_string="y", new_string="z").content.startswith("Refused: f: writing is off")
    assert (workspace / "f").read_bytes() == data
    assert (workspace / "latin").read_bytes() == b"caf\xe9\n"


def test_what_is_read_can_be_edited(workspace: Path, use) -> None:
    (workspace / "f").write_bytes(b"a\r\n\tb \r\nc\r\n")
    text = use("read", path="f").content
    assert use("edit", path="f", old_string=text, new_string="new\r\n").ok
    assert (workspace / "f").read_bytes() == b"new\r\n"


def test_write_keeps_the_encoding_and_replaces_no_binary(workspace: Path, use) -> None:
    files = {"wide": b"\xff\xfea\0", "marked": b"\xef\xbb\xbfold", "binary": b"\x7fELF\0", "latin": b"caf\xe9"}
    for name, data in files.items():
        (workspace / name).write_bytes(data)
    assert use("write", path="wide", content="b\n").content == "Wrote wide: 1 line."
    assert use("write", path="marked", content="\ufeffnew").content == "Wrote marked: 1 line."
    assert use("write", path="binary", content="x").content.startswith("Error: binary is a binary file")
    assert use("write", path="latin", content="x").content.startswith("Error: latin is not UTF-8 text")
    found = {name: (workspace / name).read_bytes() for name in files}
    assert found == {**files, "wide": b"\xff\xfeb\0\n\0", "marked": b"\xef\xbb\xbfnew"}


def test_other_names_of_a_file_are_told(workspace: Path, use) -> None:
    (workspace / "a.txt").write_text("one\ntwo\n")
    os.link(workspace / "a.txt", workspace / "b.txt")
    said = "a.txt has other names (hard links): they keep the old text."
    assert use("edit", path="a.txt", old_string="one", new_string="1").content == f"Edited a.txt: 1 replacement. {said}"
    assert (workspace / "b.txt").read_text() == "one\ntwo\n"
    os.link(workspace / "a.txt", workspace / "c.txt")
    assert use("write", path="a.txt", content="x").content == f"Wrote a.txt: 1 line. {said}"


def test_a_folder_made_by_others_is_not_followed_out(workspace: Path, use, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (workspace / "way").symlink_to(tmp_path / "outside")
    for tool in ({"content": "x"}, {"old_string": "a", "new_string": "b"}):
        assert use("write" if "content" in tool else "edit", path="way/new", **tool).content.startswith("Refused: way/new: outside")
    assert os.listdir(tmp_path / "outside") == []
