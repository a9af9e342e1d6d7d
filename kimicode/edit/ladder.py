"""Where a text stands in another: exactly, else by a short ladder of views that keep every line in its place.

The rungs, in order: the text as it is; newlines alike; then, for whole lines only, blanks at line ends, Unicode normal form, typographic
characters, one constant re-indentation, and that with typographic characters. Each rung allows what those before it do (re-indentation
stands for itself), and the first on which the text is found at all decides how often it is there. No rung adds, drops or skips a line.
What this module does not do: choose between places, or change anything.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from kimicode.edit.indent import explains
from kimicode.edit.lines import BLANKS, Page, indentation, lf
from kimicode.edit.spelling import composed, fold
from kimicode.errors import ToolError

LISTED: Final = 20
"""So many places are told apart; one more is looked for, to say that there are more."""

MAX_CHARS: Final = 4_000_000
"""Longer texts are matched exactly, newlines aside: every other view of them would take seconds."""

_WORK: Final = 100_000
"""Lines compared for re-indentation, at most: what a file of a million brackets would take is not worth waiting for."""


class Rung(msgspec.Struct, frozen=True):
    """A view: `name` says how texts that are alike in it may differ, `spell` makes it, `shifted` leaves indentation out."""

    name: str
    spell: Callable[[str], str]
    shifted: bool = False
    for_ascii: bool = True


def _as_is(text: str) -> str:
    return text


EXACT: Final = "exact"
NEWLINES: Final = "line endings ignored"
RUNGS: Final = (
    Rung("trailing blanks ignored", _as_is),
    Rung("Unicode normal form ignored", composed, for_ascii=False),
    Rung("typographic characters ignored", fold, for_ascii=False),
    Rung("indentation shifted", _as_is, shifted=True),
    Rung("indentation shifted, typographic characters ignored", fold, shifted=True, for_ascii=False),
)


class Place(msgspec.Struct, frozen=True):
    """Where a text stands: from `start` to before `end`, in characters."""

    start: int
    end: int


class Found(msgspec.Struct, frozen=True):
    """Every place on the first rung that has any; `rung` is None for the first two, where no line differs but for its newline."""

    places: tuple[Place, ...]
    how: str
    rung: Rung | None = None


def find(page: Page, old: str, *, every: bool = False, whole_lines: bool = False) -> Found | None:
    """Where `old` stands in the page; None if no rung finds it.

    With `every`, all places that do not overlap; else overlapping ones too, and no more than one beyond `LISTED`.
    `whole_lines` leaves out the two rungs that match parts of lines.
    """
    if not whole_lines:
        if places := _listed(_exact(page, old, every), every):
            return Found(places, EXACT)
        if ("\r" in page.text or "\r" in old) and (places := _listed(_any_newline(page, lf(old), every), every)):
            return Found(places, EXACT if page.uniform else NEWLINES)
    if not old.strip() or len(page.text) > MAX_CHARS:
        return None
    ascii_only = page.text.isascii() and old.isascii()
    for rung in RUNGS:
        if (rung.for_ascii or not ascii_only) and (places := _listed(_by_lines(page, lf(old), rung, every), every)):
            return Found(places, rung.name, rung)
    return None


def _listed(places: Iterator[Place], every: bool) -> tuple[Place, ...]:
    if every:
        return tuple(places)
    return tuple(place for place, _ in zip(places, range(LISTED + 1), strict=False))


def _occurrences(text: str, wanted: str, step: int) -> Iterator[int]:
    place = text.find(wanted)
    while place >= 0:
        yield place
        place = text.find(wanted, place + step)


def _numbered(text: str, places: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Each place with the number of newlines before it."""
    line = counted = 0
    for place in places:
        line += text.count("\n", counted, place)
        counted = place
        yield place, line


def _exact(page: Page, old: str, every: bool) -> Iterator[Place]:
    for start in _occurrences(page.text, old, len(old) if every else 1):
        if not _splits(page.text, start) and not _splits(page.text, start + len(old)):
            yield Place(start, start + len(old))


def _splits(text: str, place: int) -> bool:
    return text[place - 1 : place + 1] == "\r\n" if place else False


def _any_newline(page: Page, old: str, every: bool) -> Iterator[Place]:
    for start, line in _numbered(page.lf, _occurrences(page.lf, old, len(old) if every else 1)):
        yield Place(page.from_lf(start, line), page.from_lf(start + len(old), line + old.count("\n")))


def _by_lines(page: Page, old: str, rung: Rung, every: bool) -> Iterator[Place]:
    """Blocks of whole lines, in the rung's view. `old` ends with a newline or not: the place does likewise, but at the end of the file."""
    wanted = old.removesuffix("\n").split("\n")
    needle = _joined([_key(line, rung) for line in rung.spell("\n".join(wanted)).split("\n")])
    work = 0
    view = _view(page, rung)
    for _, first in _numbered(view, _occurrences(view, needle, len(needle) - 1 if every else 1)):
        if rung.shifted:
            work += len(wanted)
            if work > _WORK:
                raise ToolError("old_string is like very many places in the file. Send more of the lines around it, exactly as they are.")
            if not explains(indents(page.lines[first : first + len(wanted)], wanted, rung)):
                continue
        last = first + len(wanted) - 1
        end = page.starts[last] + len(page.lines[last])
        yield Place(page.starts[first], end + (len(page.ends[last]) if old.endswith("\n") else 0))


def _view(page: Page, rung: Rung) -> str:
    view = page.views.get(rung.name)
    if view is None:
        spelled = rung.spell(page.lf)
        lines = spelled.split("\n")
        # What follows a final newline is no line: an empty one in the wanted text does not stand for it.
        view = _joined([_key(line, rung) for line in (lines[:-1] if lines[-1] == "" else lines)])
        page.views[rung.name] = view
    return view


def _key(line: str, rung: Rung) -> str:
    return line.lstrip(" \t").rstrip(BLANKS) if rung.shifted else line.rstrip(BLANKS)


def _joined(lines: list[str]) -> str:
    return "\n" + "\n".join(lines) + "\n"


def indents(file: list[str], sent: list[str], rung: Rung) -> list[tuple[str, str]]:
    """The file's indentation and the model's of each line that is not blank."""
    return [(indentation(rung.spell(a)), indentation(rung.spell(b))) for a, b in zip(file, sent, strict=True) if b.strip(BLANKS)]
