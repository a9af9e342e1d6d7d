"""How somebody who looks elsewhere is told that they are wanted: a decision, pure.

    decide(Wanted("asked", "kimicode", "Run `make`?"), settings.ui, focused=False, environ=os.environ, which=shutil.which)

A bell, a sequence that the terminal turns into a notification (OSC 9, 99 or 777, through tmux where need be), or a desktop program where
the terminal is on this machine. Nothing is sent to somebody who looks here already; where nobody knows (`focused` is None) it is taken that
they don't. What this module does not do: write or run what it decides.
"""

from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.interactive.sequences import BEL, ESC, ST, harmless, over_ssh, wrapped
from kimicode.settings import UiSettings

MOST_TITLE: Final = 60
MOST_BODY: Final = 180

Kind: TypeAlias = Literal["bell", "osc9", "osc99", "osc777"]
"""What a terminal understands as a notification: `osc9` iTerm2, WezTerm, ghostty; `osc99` kitty; `osc777` urxvt, foot."""

_BY_PROGRAM: Final[Mapping[str, Kind]] = {"iTerm.app": "osc9", "WezTerm": "osc9", "ghostty": "osc9"}
_BY_TERM: Final[tuple[tuple[str, Kind], ...]] = (
    ("xterm-kitty", "osc99"),
    ("xterm-ghostty", "osc9"),
    ("wezterm", "osc9"),
    ("foot", "osc777"),
    ("rxvt", "osc777"),
)

_SCRIPT: Final = ("on run argv", "display notification (item 2 of argv) with title (item 1 of argv)", "end run")


class Message(msgspec.Struct, frozen=True):
    """What is to be said. Texts may come from outside."""

    title: str
    body: str


class Sending(msgspec.Struct, frozen=True):
    """What to do: write `sequence` to the terminal, run `argv`; either may be empty."""

    sequence: str = ""
    argv: tuple[str, ...] = ()


NOTHING: Final = Sending()


def decide(
    message: Message, ui: UiSettings, *, focused: bool | None, environ: Mapping[str, str], which: Callable[[str], str | None]
) -> Sending:
    """What is to be sent. `which` finds programs, as `shutil.which` does."""
    if ui.notify == "off" or focused:
        return NOTHING
    title, body = harmless(message.title, MOST_TITLE), harmless(message.body, MOST_BODY)
    match ui.notify:
        case "bell":
            return Sending(_bell(environ))
        case "desktop":
            argv = _desktop(title, body, environ, which)
            return Sending(argv=argv) if argv else Sending(_sequence(title, body, environ))
        case _:
            return Sending(_sequence(title, body, environ))


def kind_of(environ: Mapping[str, str]) -> Kind:
    """What the terminal understands, as far as its variables tell; where they don't, a bell."""
    # Inside tmux TERM and TERM_PROGRAM are tmux's own; these survive.
    if environ.get("KITTY_WINDOW_ID"):
        return "osc99"
    if environ.get("WEZTERM_PANE") or environ.get("GHOSTTY_RESOURCES_DIR") or environ.get("ITERM_SESSION_ID"):
        return "osc9"
    if (by_program := _BY_PROGRAM.get(environ.get("TERM_PROGRAM", ""))) is not None:
        return by_program
    term = environ.get("TERM", "")
    return next((kind for start, kind in _BY_TERM if term.startswith(start)), "bell")


def _bell(environ: Mapping[str, str]) -> str:
    return "" if environ.get("TERM") == "dumb" else BEL


def _sequence(title: str, body: str, environ: Mapping[str, str]) -> str:
    whole = f"{title}: {body}" if body else title
    match kind_of(environ):
        case "osc9":
            return wrapped(f"{ESC}]9;{whole}{BEL}", environ)
        case "osc99":
            return wrapped(f"{ESC}]99;;{whole}{ST}", environ)
        case "osc777":
            # A semicolon would begin another field.
            return wrapped(f"{ESC}]777;notify;{title.replace(';', ',')};{body.replace(';', ',')}{BEL}", environ)
        case "bell":
            return _bell(environ)


def _desktop(title: str, body: str, environ: Mapping[str, str], which: Callable[[str], str | None]) -> tuple[str, ...]:
    """A program that shows it on this machine's desktop; nothing over ssh, where that is another machine than the user's."""
    if over_ssh(environ):
        return ()
    if (environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY")) and (program := which("notify-send")):
        return (program, "--app-name=kimicode", "--", title, body)
    if program := which("osascript"):
        script = tuple(word for line in _SCRIPT for word in ("-e", line))
        return (program, *script, title, body)
    return ()
