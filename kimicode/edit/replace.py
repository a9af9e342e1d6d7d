"""Exact replacement of one text in a file's text: pure, and helpful when it does not fit.

The old text must be there exactly, and once unless all are asked for; overlapping places count as several. A file whose lines all end
in CRLF is edited through a view with LF, so the old text may be written with either; every other file is matched as it is.
What this module does not do: guess. Near matches are described (`edit.nearest`), never applied.
"""

from typing import Final

import msgspec

from kimicode.edit.nearest import describe_nearest
from kimicode.errors import ToolError

_LISTED: Final = 20
_REMEMBERED: Final = 8
"""Shorter new texts (`x`, `pass`) are found in many files by chance; they don't hint that the edit was already made."""


class Replaced(msgspec.Struct, frozen=True):
    """The new text and how many places changed."""

    text: str
    count: int


def replace(text: str, old: str, new: str, *, replace_all: bool = False) -> Replaced:
    """`text` with `old` replaced by `new`. Raises `ToolError` whose message says what to send instead."""
    if not old:
        raise ToolError("old_string is empty. Send the text to replace; to make or fill a whole file, use write.")
    if is_crlf(text):
        done = _replace_exact(_lf(text), _lf(old), _lf(new), replace_all)
        return Replaced(done.text.replace("\n", "\r\n"), done.count)
    return _replace_exact(text, old, new, replace_all)


def is_crlf(text: str) -> bool:
    """True when there are newlines and every one of them is CRLF."""
    pairs = text.count("\r\n")
    return pairs > 0 and pairs == text.count("\n") == text.count("\r")


def _lf(text: str) -> str:
    return text.replace("\r\n", "\n")


def _replace_exact(text: str, old: str, new: str, replace_all: bool) -> Replaced:
    if old == new:
        raise ToolError("old_string and new_string are the same: nothing would change.")
    if replace_all and (count := text.count(old)):
        return Replaced(text.replace(old, new), count)
    places = _places(text, old)
    if len(places) == 1:
        return Replaced(text[: places[0]] + new + text[places[0] + len(old) :], 1)
    if not places:
        raise ToolError(_not_found(text, old, new))
    lines = ", ".join(str(_line_at(text, place)) for place in places[:_LISTED])
    some = f"more than {_LISTED}" if len(places) > _LISTED else str(len(places))
    raise ToolError(
        f"old_string is there {some} times, starting at lines {lines}. "
        "Add lines before or after it until it is unique, or set replace_all to true."
    )


def _places(text: str, old: str) -> list[int]:
    """Where `old` starts, overlaps included; at most one more than are listed."""
    places: list[int] = []
    place = text.find(old)
    while place >= 0 and len(places) <= _LISTED:
        places.append(place)
        place = text.find(old, place + 1)
    return places


def _not_found(text: str, old: str, new: str) -> str:
    message = "old_string is not in the file."
    if len(new.strip()) >= _REMEMBERED and (place := text.find(new)) >= 0:
        message += f" new_string is already there, at line {_line_at(text, place)}: was this edit made before?"
    return f"{message} {describe_nearest(text, old)}"


def _line_at(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
