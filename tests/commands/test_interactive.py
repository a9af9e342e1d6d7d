"""`kimicode` at a terminal, or not: which user interface it is."""

import pytest

from kimicode.commands.interactive import cannot_show, interactive, wants_full_screen
from kimicode.errors import UsageError
from kimicode.settings import UiSettings


class Stream:
    def __init__(self, *, terminal=True, closed=False):
        self.terminal, self.closed = terminal, closed

    def isatty(self):
        return self.terminal


HERE, PIPE = Stream(), Stream(terminal=False)


@pytest.mark.parametrize(
    ("environ", "stdin", "stdout", "platform", "shown"),
    [
        ({"TERM": "xterm-256color"}, HERE, HERE, "linux", True),
        ({"TERM": "dumb"}, HERE, HERE, "linux", False),
        ({"TERM": "unknown"}, HERE, HERE, "darwin", False),
        ({}, HERE, HERE, "linux", False),
        ({"TERM": "xterm"}, PIPE, HERE, "linux", False),
        ({"TERM": "xterm"}, HERE, PIPE, "linux", False),
        ({"TERM": "xterm"}, None, HERE, "linux", False),
        ({"TERM": "xterm"}, Stream(closed=True), HERE, "linux", False),
        ({}, HERE, HERE, "win32", False),
        ({"WT_SESSION": "1"}, HERE, HERE, "win32", True),
    ],
)
def test_what_a_terminal_can_show(environ, stdin, stdout, platform, shown):
    assert (cannot_show(environ, stdin, stdout, platform) == "") is shown
    assert wants_full_screen(UiSettings(), environ, stdin, stdout, platform) is shown
    assert not wants_full_screen(UiSettings(mode="line"), environ, stdin, stdout, platform)
    if shown:
        assert wants_full_screen(UiSettings(mode="full-screen"), environ, stdin, stdout, platform)
    else:
        with pytest.raises(UsageError, match="can't be shown"):
            wants_full_screen(UiSettings(mode="full-screen"), environ, stdin, stdout, platform)


def test_what_excludes_each_other_is_said():
    with pytest.raises(UsageError, match="exclude each other"):
        interactive(None, {}, {}, "x", True)


def test_settings_of_the_ui_from_the_command_line_are_checked(monkeypatch, tmp_path):
    monkeypatch.setenv("KIMICODE_CONFIG", str(tmp_path / "settings.toml"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="can't be"):
        interactive(None, {}, {"theme": None, "keys": "nano"}, None, False)
