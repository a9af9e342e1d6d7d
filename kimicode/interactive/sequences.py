"""How a control sequence reaches the terminal that the user looks at, and text that may stand in one.

    wrapped(seq, environ)     through tmux and screen, which swallow what they don't know
    harmless(text, 200)       one short line without anything that could end the sequence

What this module does not do: write, or know what a sequence means.
"""

from collections.abc import Mapping
from typing import Final

from kimicode.text import Untrusted, render_safe

ESC: Final = "\x1b"
BEL: Final = "\x07"
ST: Final = "\x1b\\"
"""String Terminator (ECMA-48, 8.3.143)."""


def in_tmux(environ: Mapping[str, str]) -> bool:
    """True inside tmux, whose passthrough `wrapped` uses (`set -g allow-passthrough on` lets it through)."""
    return bool(environ.get("TMUX"))


def over_ssh(environ: Mapping[str, str]) -> bool:
    """True where the terminal is on another machine."""
    return bool(environ.get("SSH_CONNECTION") or environ.get("SSH_TTY") or environ.get("SSH_CLIENT"))


def wrapped(sequence: str, environ: Mapping[str, str]) -> str:
    """The sequence in the envelope that a multiplexer passes on; as it is where there is none."""
    if in_tmux(environ):
        return f"{ESC}Ptmux;{sequence.replace(ESC, ESC + ESC)}{ST}"
    if environ.get("STY"):
        return f"{ESC}P{sequence}{ST}"
    return sequence


def harmless(text: str, most: int) -> str:
    """The text on one line, at most `most` characters, with nothing that a terminal would obey."""
    line = " ".join(render_safe(Untrusted(text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
