"""The user's own editor, and pictures on a clipboard, with programs that are functions."""

import stat
from pathlib import Path

import pytest

from kimicode.errors import ToolError
from kimicode.interactive.prompt.external import ask_program, clipboard_picture, edit_outside, editor_of


def program(folder: Path, name: str) -> None:
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


def test_the_users_choice_of_editor_holds(tmp_path):
    assert editor_of({"VISUAL": "code --wait", "EDITOR": "vim"}) == ["code", "--wait"]
    assert editor_of({"VISUAL": " ", "EDITOR": "'/opt/my editor/e' -f"}) == ["/opt/my editor/e", "-f"]
    program(tmp_path, "vi")
    assert editor_of({"PATH": str(tmp_path)}) == [str(tmp_path / "vi")]
    with pytest.raises(ToolError, match="no editor"):
        editor_of({"PATH": "/nowhere"})
    with pytest.raises(ToolError, match=r"\$EDITOR"):
        editor_of({"EDITOR": "'vim"})


def test_the_text_comes_back_and_the_file_is_private_and_gone():
    seen = []

    def run(command):
        path = Path(command[-1])
        seen.append(path)
        assert command[:-1] == ["ed", "-x"]
        assert path.suffix == ".md"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert path.read_bytes() == b"before\r\nit"
        path.write_text("after\n")
        return 0

    assert edit_outside("before\r\nit", {"EDITOR": "ed -x"}, run) == "after"
    assert not seen[0].parent.exists()


def test_giving_up_and_changing_nothing_leave_the_prompt():
    def changed_but_failed(command):
        Path(command[-1]).write_text("half")
        return 1

    assert edit_outside("text", {"EDITOR": "e"}, lambda _: 0) is None
    assert edit_outside("text\n", {"EDITOR": "e"}, lambda _: 0) is None
    assert edit_outside("text", {"EDITOR": "e"}, changed_but_failed) is None


def test_what_goes_wrong_is_told():
    def missing(command):
        raise FileNotFoundError(2, "No such file or directory")

    def binary(command):
        Path(command[-1]).write_bytes(b"\xff\xfe")
        return 0

    with pytest.raises(ToolError, match="gone can't be started"):
        edit_outside("x", {"EDITOR": "gone"}, missing)
    with pytest.raises(ToolError, match="UTF-8"):
        edit_outside("x", {"EDITOR": "e"}, binary)


def test_a_picture_comes_from_the_first_program_that_has_one(tmp_path):
    for name in ("wl-paste", "xclip"):
        program(tmp_path, name)
    environ = {"PATH": str(tmp_path), "WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}
    asked = []

    def ask(command, seconds):
        asked.append(command[0])
        assert 0 < seconds <= 5
        return b"JPEG" if command[0] == "xclip" and "image/jpeg" in command else None

    assert clipboard_picture(environ, ask, "linux") == b"JPEG"
    assert asked == ["wl-paste"] * 4 + ["xclip"] * 2
    assert clipboard_picture(environ, lambda *_: None, "linux") is None


def test_the_clipboard_of_macos(tmp_path):
    program(tmp_path, "osascript")
    assert clipboard_picture({"PATH": str(tmp_path)}, lambda *_: "«data PNGf89504E47»\n".encode(), "darwin") == b"\x89PNG"
    assert clipboard_picture({"PATH": str(tmp_path)}, lambda *_: b"error", "darwin") is None


def test_without_a_program_it_says_which_one_is_missing():
    with pytest.raises(ToolError, match="xclip is not installed"):
        clipboard_picture({"PATH": "/nowhere", "DISPLAY": ":0"}, lambda *_: None, "linux")
    with pytest.raises(ToolError, match="wl-paste or xclip"):
        clipboard_picture({"PATH": "/nowhere"}, lambda *_: None, "linux")


def test_programs_are_run_with_a_deadline():
    ask = ask_program({"PATH": "/usr/bin:/bin"})
    assert ask(["printf", "x"], 20) == b"x"
    assert ask(["false"], 20) is None
    assert ask(["/nowhere/program"], 20) is None
    assert ask(["sleep", "60"], 0.01) is None
