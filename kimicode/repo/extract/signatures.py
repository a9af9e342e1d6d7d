"""The line that introduces a definition, out of its text.

What this module does not do: rename or shorten types; what is too long is cut at the end.
"""

import re
from typing import Final

MAX_CHARS: Final = 200

_OPENERS: Final = (b"(", b"{", b",", b";")
_BRACKETS: Final = re.compile(rb"[()\[\]{},;]")

_SPACES: Final = re.compile(r"\s+")
_COMMENT: Final = re.compile(r"\s(?://|#|--) .*|/\*.*?\*/", re.MULTILINE)
_HEAD_BYTES: Final = 4 * MAX_CHARS
"""So much of the text is looked at: comments and indentation go away."""


def signature_of(source: bytes, start: int, end: int) -> str:
    """What stands from `start` to `end`, on one line and without what only opens a body."""
    text = source[start : min(end, start + _HEAD_BYTES)].decode("utf-8", "replace")
    if "\n" in text:
        text = _COMMENT.sub("", text)
    text = _SPACES.sub(" ", text).strip().removesuffix(" where").removesuffix("=>").rstrip("{=:; ")
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def line_of(source: bytes, place: int, *, crowded: bool) -> str:
    """The line in which the byte at `place` stands; the piece around `place` alone where the line is `crowded` or long."""
    start = source.rfind(b"\n", 0, place) + 1
    stop = source.find(b"\n", place)
    if stop < 0:
        stop = len(source)
    if crowded or place - start > MAX_CHARS // 2:
        start = max(start, max(source.rfind(mark, start, place) for mark in _OPENERS) + 1)
        stop = _piece_end(source, place, min(stop, place + _HEAD_BYTES))
    return signature_of(source, start, stop).rstrip(",")


def _piece_end(source: bytes, place: int, stop: int) -> int:
    """Where a piece of a list ends: at a separator, or at the bracket that closes the list."""
    depth = 0
    for found in _BRACKETS.finditer(source, place, stop):
        char = found[0]
        if depth == 0 and char in b")]},;":
            return found.start()
        depth += (char in b"([{") - (char in b")]}")
    return stop
