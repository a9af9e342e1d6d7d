"""The surroundings on a real terminal, with an application that can leave it to others."""

from contextlib import contextmanager

import pytest
from textual.app import SuspendNotSupported

from kimicode.errors import ToolError
from kimicode.tui.prompt import standard_surroundings, workspace_files


class Terminal:
    """Notes when it is left."""

    def __init__(self, *, can: bool = True) -> None:
        self.can = can
        self.left = 0

    @contextmanager
    def suspend(self):
        if not self.can:
            raise SuspendNotSupported("no terminal")
        self.left += 1
        yield


def editor(tmp_path) -> dict[str, str]:
    program = tmp_path / "editor"
    program.write_text('#!/bin/sh\nprintf " edited" >> "$1"\n')
    program.chmod(0o755)
    return {"EDITOR": str(program), "KIMICODE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}


def test_the_terminal_is_left_to_the_users_editor(tmp_path):
    app = Terminal()
    outside = standard_surroundings(app, editor(tmp_path), tmp_path).outside
    assert outside is not None
    assert outside("text") == "text edited"
    assert app.left == 1


def test_where_the_terminal_cannot_be_left_it_says_so(tmp_path):
    outside = standard_surroundings(Terminal(can=False), editor(tmp_path), tmp_path).outside
    assert outside is not None
    with pytest.raises(ToolError, match="can't be handed"):
        outside("text")


def test_nothing_is_read_or_made_before_it_is_asked_for(tmp_path):
    environ = editor(tmp_path)
    past = standard_surroundings(Terminal(), environ, tmp_path).past
    files = workspace_files(environ, tmp_path / "gone")
    assert not (tmp_path / "home").exists()
    assert files.stale
    assert past is not None
    past.add("a prompt")
    assert past.load() == ("a prompt",)
    assert (tmp_path / "home" / "prompts.jsonl").exists()
