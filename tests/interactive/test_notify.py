"""Notifications, title, background and clipboard: what is sent where, and that no text gets out of its sequence."""

import asyncio
import base64
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.interactive.clipboard import MOST_OSC_BYTES, copy, osc52, run_program
from kimicode.interactive.notify import NOTHING, Message, decide, kind_of
from kimicode.interactive.sequences import wrapped
from kimicode.interactive.terminal import parse_background, title_sequence
from kimicode.settings import UiSettings

ASKED = Message("kimicode", "Run `make`?")


def nowhere(_name: str) -> str | None:
    return None


def everywhere(name: str) -> str | None:
    return f"/bin/{name}"


def sent(environ: Mapping[str, str], notify: str = "auto", focused: bool | None = False) -> str:
    ui = UiSettings(notify=notify)  # type: ignore[arg-type]
    return decide(ASKED, ui, focused=focused, environ=environ, which=nowhere).sequence


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]9;kimicode: Run `make`?\x07"),
        ({"TERM_PROGRAM": "WezTerm"}, "\x1b]9;kimicode: Run `make`?\x07"),
        ({"TERM": "xterm-ghostty"}, "\x1b]9;kimicode: Run `make`?\x07"),
        ({"TERM": "xterm-kitty"}, "\x1b]99;;kimicode: Run `make`?\x1b\\"),
        ({"TERM": "foot-extra"}, "\x1b]777;notify;kimicode;Run `make`?\x07"),
        ({"TERM": "rxvt-unicode-256color"}, "\x1b]777;notify;kimicode;Run `make`?\x07"),
        ({"TERM": "xterm-256color"}, "\x07"),
        ({"TERM": "dumb"}, ""),
        ({"TERM": "tmux-256color", "TMUX": "/t", "KITTY_WINDOW_ID": "1"}, "\x1bPtmux;\x1b\x1b]99;;kimicode: Run `make`?\x1b\x1b\\\x1b\\"),
    ],
)
def test_each_terminal_gets_what_it_understands(environ: dict[str, str], sequence: str) -> None:
    assert sent(environ) == sequence


def test_nobody_who_looks_here_is_told_and_off_is_off() -> None:
    assert sent({"TERM": "xterm-kitty"}, focused=True) == ""
    assert sent({"TERM": "xterm-kitty"}, "off") == ""
    assert sent({"TERM": "xterm-kitty"}, "bell") == "\x07"
    assert sent({"TERM": "xterm"}, focused=None) == "\x07"
    assert decide(ASKED, UiSettings(notify="off"), focused=None, environ={}, which=everywhere) == NOTHING


def test_a_desktop_of_this_machine_only() -> None:
    ui = UiSettings(notify="desktop")
    local = decide(ASKED, ui, focused=False, environ={"DISPLAY": ":0"}, which=everywhere)
    assert local.argv == ("/bin/notify-send", "--app-name=kimicode", "--", "kimicode", "Run `make`?")
    remote = decide(ASKED, ui, focused=False, environ={"DISPLAY": ":0", "SSH_TTY": "/dev/pts/1", "TERM": "foot"}, which=everywhere)
    assert remote.argv == ()
    assert "777" in remote.sequence
    mac = decide(ASKED, ui, focused=False, environ={}, which=lambda name: everywhere(name) if name == "osascript" else None)
    assert mac.argv[-2:] == ("kimicode", "Run `make`?")


@settings(deadline=None)
@given(st.text(max_size=400), st.sampled_from(["xterm-kitty", "foot", "xterm-ghostty"]))
def test_no_text_ends_its_sequence(text: str, term: str) -> None:
    environ = {"TERM": term}
    sequence = decide(Message(text, text), UiSettings(), focused=False, environ=environ, which=nowhere).sequence
    inner = sequence.removeprefix("\x1b]").removesuffix("\x07").removesuffix("\x1b\\")
    assert inner.isprintable() or not any(char in inner for char in "\x07\x1b\n\r\x9c")
    assert len(sequence) < 300
    assert kind_of(environ) != "bell"
    title = title_sequence(text)
    assert title.startswith("\x1b]0;")
    assert not any(char in title[4:-1] for char in "\x07\x1b\n\r\x9c")


@pytest.mark.parametrize(
    ("reply", "colour"),
    [
        ("\x1b]11;rgb:ffff/0000/8080\x1b\\", (255, 0, 128)), ("x\x1b]11;rgb:f/0/8\x07", (255, 0, 136)),
        ("\x1b]11;rgba:1e1e/1e1e/2e2e/ffff\x07", (30, 30, 46)), ("\x1b]11;#fdf6e3\x07", (253, 246, 227)),
        ("", None), ("\x1b]10;rgb:0/0/0\x07", None), ("\x1b]11;?\x07", None),
    ],
)  # fmt: skip
def test_the_background_is_read(reply: str, colour: tuple[int, int, int] | None) -> None:
    assert parse_background(reply) == colour


class Machine:
    """Programs that work or don't, and a terminal."""

    def __init__(self, *working: str) -> None:
        self.working = working
        self.tried: list[str] = []
        self.written: list[str] = []

    async def run(self, argv: tuple[str, ...], data: bytes) -> bool:
        self.tried.append(argv[0])
        return argv[0] in self.working

    def copy(self, text: str, environ: Mapping[str, str], *, osc: bool = True, which: object = everywhere, platform: str = "linux") -> str:
        write = self.written.append if osc else None
        return asyncio.run(copy(text, environ, self.run, write, which=which, platform=platform))  # type: ignore[arg-type]


def test_a_program_that_worked_is_named() -> None:
    machine = Machine("/bin/xclip")
    assert machine.copy("äbc", {"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}) == "Copied 4 bytes with xclip."
    assert machine.tried == ["/bin/wl-copy", "/bin/xclip"]
    assert machine.written == []


def test_without_one_the_terminal_is_asked_and_nothing_is_claimed() -> None:
    machine = Machine()
    said = machine.copy("hello", {"DISPLAY": ":0"})
    assert machine.written == [f"\x1b]52;c;{base64.b64encode(b'hello').decode()}\x07"]
    assert said.startswith("xclip and xsel did not work. Sent 5 bytes to the terminal")
    assert "can't be known" in said


def test_over_ssh_this_machines_clipboard_is_the_wrong_one() -> None:
    assert Machine("/bin/pbcopy").copy("x", {"SSH_TTY": "y"}, platform="darwin").startswith("Sent 1 byte to the terminal")
    assert Machine("/bin/pbcopy").copy("x", {}, platform="darwin") == "Copied 1 byte with pbcopy."
    assert Machine("/bin/clip.exe").copy("x", {"WSL_DISTRO_NAME": "U"}) == "Copied 1 byte with clip.exe."


def test_what_can_not_be_copied_is_said() -> None:
    machine = Machine()
    assert "too much" in machine.copy("x" * (MOST_OSC_BYTES + 1), {})
    assert "Not copied" in machine.copy("x", {}, osc=False)
    assert "Not copied" in machine.copy("x", {"TERM": "dumb"})
    assert machine.written == []


def test_the_envelopes_of_multiplexers() -> None:
    assert osc52(b"x", {"TMUX": "1"}) == "\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\"
    assert wrapped("\x1b]9;x\x07", {"STY": "1"}) == "\x1bP\x1b]9;x\x07\x1b\\"


def test_programs_are_run_for_real() -> None:
    def run(code: str) -> bool:
        return asyncio.run(run_program((sys.executable, "-c", code), b"abc"))

    assert run("import sys; sys.exit(sys.stdin.read() != 'abc')")
    assert not run("raise SystemExit(1)")
    assert not asyncio.run(run_program(("/nonexistent",), b""))
