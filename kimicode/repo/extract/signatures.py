"""The line that introduces a definition, out of its text.

What this module does not do: rename or shorten types; what is too long is cut at the end.
"""

import re
from typing import Final

MAX_CHARS: Final = 200

_SPACES: Final = re.compile(r"\s+")
_COMMENT: Final = re.compile(r"\s(?://|#|--) .*|/\*.*?\*/", re.MULTILINE)
_HEAD_BYTES: Final = 4 * MAX_CHARS
"""So much of the text is looked at: comments and indentation go away."""


def signature_of(source: bytes, start: int, end: int) -> str:
    """What stands from `start` to `end`, on one line and without what only opens a body."""
    text = source[start : min(end, start + _HEAD_BYTES)].decode("utf-8", "replace")
    if "\n" in text:
        text = _COMMENT.sub("", text)
    text = _SPACES.sub(" ", text).strip().removesuffix(" where").rstrip("{=:; ")
    return text if len(text) <= MAX_CHARS else text[: MAX_CHARS - 1] + "…"


def line_of(source: bytes, place: int) -> str:
    """The line in which the byte at `place` stands; from `place` on where there is more than it on the line."""
    start = source.rfind(b"\n", 0, place) + 1
    stop = source.find(b"\n", place)
    if stop < 0:
        stop = len(source)
    crowded = place - start > MAX_CHARS // 2 or b"{" in source[start:place]
    if crowded:
        semicolon = source.find(b";", place, stop)
        return signature_of(source, place, semicolon if semicolon >= 0 else stop)
    return signature_of(source, start, stop).rstrip(",")
