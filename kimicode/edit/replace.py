"""Replacement of one text in a file's text, or of several in turn: pure, and helpful when it does not fit.

The old text must be there, exactly or on the first rung of `edit.ladder` that finds it, and there once unless all are asked for;
overlapping places count as several. Only that place changes: newlines, spelling and indentation around and within it stay the file's.
What this module does not do: guess. Near matches are described (`edit.nearest`), doubtful ones (`edit.seams`) and texts with parts left
out (`edit.omission`) are refused.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.edit import seams
from kimicode.edit.ladder import EXACT, LISTED, Found, Place, find
from kimicode.edit.lines import Page, is_crlf, lf, line_at
from kimicode.edit.nearest import describe_nearest
from kimicode.edit.omission import omitted
from kimicode.edit.splice import spliced
from kimicode.errors import ToolError

__all__ = ["Edit", "Replaced", "is_crlf", "replace", "replace_many"]

_REMEMBERED: Final = 8
"""Shorter new texts (`x`, `pass`) are found in many files by chance; they don't hint that the edit was already made."""


class Replaced(msgspec.Struct, frozen=True):
    """The new text, how many places changed, how the old text was matched (`exact`, or in words what was ignored), and the lines of
    the new text, counted from 1, at which the places start."""

    text: str
    count: int
    matched: str = EXACT
    at: tuple[int, ...] = ()


class Edit(msgspec.Struct, frozen=True):
    """One replacement of several; the fields are those of the `edit` tool."""

    old_string: str
    new_string: str
    replace_all: bool = False


class _Splice(msgspec.Struct, frozen=True):
    """`text` for what stands at `place`."""

    place: Place
    text: str


def replace(text: str, old: str, new: str, *, replace_all: bool = False) -> Replaced:
    """`text` with `old` replaced by `new`. Raises `ToolError` whose message says what to send instead."""
    found, splices = _planned(text, old, new, replace_all)
    done, spans = _applied(text, splices)
    return Replaced(done, len(splices), found.how, tuple(line_at(done, span.start) for span in spans))


def replace_many(text: str, edits: Sequence[Edit]) -> Replaced:
    """Every edit in turn, each on the text that those before it left; all of them or none.

    Raises `ToolError` that names the edit by its number, counted from 1. What an earlier edit wrote may be edited again only where the
    old text is there exactly.
    """
    if not edits:
        raise ToolError("edits is empty. Send at least one edit with old_string and new_string.")
    written: list[Place] = []
    how: dict[str, None] = {}
    for number, edit in enumerate(edits, 1):
        try:
            found, splices = _planned(text, edit.old_string, edit.new_string, edit.replace_all)
            _require_apart(found, written)
        except ToolError as error:
            raise ToolError(_numbered(error.message, number, edits)) from error
        how[found.how] = None
        text, spans = _applied(text, splices)
        written = [*_moved(written, splices), *spans]
    names = [name for name in how if name != EXACT] or [EXACT]
    return Replaced(text, len(written), "; ".join(names), tuple(sorted(line_at(text, span.start) for span in written)))


def _numbered(message: str, number: int, edits: Sequence[Edit]) -> str:
    if len(edits) == 1:
        return message
    return f"edit {number} of {len(edits)}: {message} None of the {len(edits)} edits was made; send all of them again."


def _require_apart(found: Found, written: Sequence[Place]) -> None:
    if found.how != EXACT and any(place.start < span.end and span.start < place.end for place in found.places for span in written):
        raise ToolError(
            f"old_string stands in what an earlier edit of this call wrote, and not exactly ({found.how}). "
            "Send it as the earlier edit leaves it, or make one edit of both."
        )


def _planned(text: str, old: str, new: str, replace_all: bool) -> tuple[Found, list[_Splice]]:
    if not old:
        raise ToolError("old_string is empty. Send the text to replace; to make or fill a whole file, use write.")
    if old == new or (is_crlf(text) and lf(old) == lf(new)):
        raise ToolError("old_string and new_string are the same: nothing would change.")
    if (line := omitted(old, new)) is not None:
        raise ToolError(
            f"new_string leaves something out: its line `{line[:_SHOWN]}` would be written into the file as it is. "
            "Send the text in full, or a smaller edit that does not touch what stays."
        )
    page = Page(text)
    found = find(page, old, every=replace_all)
    if found is None:
        raise ToolError(_not_found(text, old, new))
    if not replace_all:
        found = _only(page, found, old, new)
        new = _with_final_newline(text, found.places[0], old, new)
    splices = [_Splice(place, spliced(page, place, old, new, found.rung)) for place in found.places]
    if all(text[splice.place.start : splice.place.end] == splice.text for splice in splices):
        raise ToolError(f"Nothing would change: old_string was matched with {found.how}, and new_string differs from it in nothing else.")
    return found, splices


_SHOWN: Final = 120


def _only(page: Page, found: Found, old: str, new: str) -> Found:
    if len(found.places) > 1:
        raise ToolError(_several(page.text, found))
    reason = seams.doubt(page.text, found.places[0], old, new)
    if seams.inside_indentation(page.text, found.places[0], old, new):
        whole = find(page, old, whole_lines=True)
        if whole is None or len(whole.places) > 1:
            raise ToolError(_several(page.text, whole) if whole else _not_found(page.text, old, new))
        found = whole
        reason = seams.twice_indented(page, found.places[0], old, new) or seams.doubt(page.text, found.places[0], old, new)
    if reason is None and found.rung is not None and found.rung.shifted:
        reason = seams.stands_elsewhere(page, found.places[0], old)
    if reason is not None:
        raise ToolError(f"Refused, since it is doubtful: {reason}")
    return found


def _with_final_newline(text: str, place: Place, old: str, new: str) -> str:
    """At the end of the file the newline of its last line stays, unless it is what the edit is about."""
    if place.end < len(text) or not new or not old.endswith(("\n", "\r")) or new.endswith(("\n", "\r")):
        return new
    return new if lf(old).rstrip("\n") == lf(new) else new + "\n"


def _applied(text: str, splices: Sequence[_Splice]) -> tuple[str, list[Place]]:
    parts: list[str] = []
    spans: list[Place] = []
    done = length = 0
    for splice in splices:
        parts += [text[done : splice.place.start], splice.text]
        start = length + splice.place.start - done
        length = start + len(splice.text)
        spans.append(Place(start, length))
        done = splice.place.end
    return "".join([*parts, text[done:]]), spans


def _moved(written: Sequence[Place], splices: Sequence[_Splice]) -> list[Place]:
    """Where what was written before is after `splices`; what they replaced altogether is left out."""
    kept = [span for span in written if not any(s.place.start <= span.start and span.end <= s.place.end for s in splices)]
    return [Place(_after(span.start, splices), max(_after(span.start, splices), _after(span.end, splices))) for span in kept]


def _after(place: int, splices: Sequence[_Splice]) -> int:
    return place + sum(len(s.text) - (s.place.end - s.place.start) for s in splices if s.place.end <= place)


def _several(text: str, found: Found) -> str:
    lines = ", ".join(str(line_at(text, place.start)) for place in found.places[:LISTED])
    some = f"more than {LISTED}" if len(found.places) > LISTED else str(len(found.places))
    how = "" if found.how == EXACT else f" ({found.how})"
    return (
        f"old_string is there {some} times{how}, starting at lines {lines}. "
        "Add lines before or after it until it is unique, or set replace_all to true."
    )


def _not_found(text: str, old: str, new: str) -> str:
    message = "old_string is not in the file."
    if len(new.strip()) >= _REMEMBERED and (place := text.find(new)) >= 0:
        message += f" new_string is already there, at line {line_at(text, place)}: was this edit made before?"
    if "\n" not in old and "\\n" in old and old.replace("\\n", "\n") in text:
        return f"{message} It has `\\n` as two characters where the file has newlines: send real newlines, in both texts."
    return f"{message} {describe_nearest(text, old)}"
