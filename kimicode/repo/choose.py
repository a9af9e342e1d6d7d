"""Which lines of many outlines a map shows: the most important ones that fit, and with each the lines it stands below.

Pure. What this module does not do: rank files, or write the map's head.
"""

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop
from typing import Final

import msgspec

from kimicode.repo.outline import Unit

_SPREAD: Final = 4
"""The definition that is fifth in its file counts half: a map of one file's insides is of little use."""

_PARENT_SHARE: Final = 64
_FILE_SHARE: Final = 32
"""What a file's line by itself counts, against what the whole file is worth."""


class Sheet(msgspec.Struct, frozen=True):
    """A file that may be shown: its outline, with what each name is worth now, and the tokens of its own line and of its folder's.

    `worth` is the file's; `factor` what its definitions' are multiplied with. `extra` is added for each line, `first` for the file's own.
    """

    path: str
    worth: int
    factor: int
    line_tokens: int
    folder_tokens: int
    units: tuple[Unit, ...] = ()
    values: tuple[int, ...] = ()
    extra: tuple[int, ...] = ()
    first: int = 0


class Choice(msgspec.Struct, frozen=True):
    """What is shown: by path, the places of the lines in its outline, ascending; and how many tokens all of it has."""

    lines: Mapping[str, tuple[int, ...]]
    tokens: int


def choose(sheets: Sequence[Sheet], budget: int) -> Choice:
    """The most important lines, as many as have room in `budget` tokens: no line that is left out would fit. Equal ones as in `sheets`."""
    wanted = [line for place, sheet in enumerate(sheets) for line in _lines(place, sheet)]
    page = _Page(sheets, budget)
    # What did not fit may do so when the line above it came in by another.
    while page.has_room() and len(rest := _put(page, wanted)) < len(wanted):
        wanted = rest
    return Choice({sheets[place].path: tuple(sorted(lines - {-1})) for place, lines in page.shown.items()}, page.used)


def _put(page: "_Page", wanted: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Put on the page what fits, the most important first; what does not. There are many more lines than a page has room for, so they
    are not sorted but taken from a heap, until nothing fits."""
    left, rest = wanted.copy(), []
    heapify(left)
    while left and page.has_room():
        line = heappop(left)
        if not page.put(line[1], line[2]):
            rest.append(line)
    return rest + left


class _Page:
    def __init__(self, sheets: Sequence[Sheet], budget: int) -> None:
        self._sheets = sheets
        self._budget = budget
        self._folders: set[str] = set()
        self._least = min(
            (tokens for sheet in sheets for tokens in (sheet.line_tokens, *(abs(unit.tokens) for unit in sheet.units))), default=0
        )
        self.shown: dict[int, set[int]] = {}
        self.used = 0

    def has_room(self) -> bool:
        """Whether any line at all could fit."""
        return self.used + self._least <= self._budget

    def put(self, place: int, at: int) -> bool:
        """Show a line, with those above it; whether it is shown."""
        if not self.has_room():
            return False
        sheet, shown = self._sheets[place], self.shown.get(place, set())
        more = _missing(sheet, at, shown)
        folder = sheet.path.rpartition("/")[0]
        above = 0 if folder in self._folders else sheet.folder_tokens
        least = above + sum(abs(sheet.units[each].tokens) if each >= 0 else sheet.line_tokens for each in more)
        if self.used + least > self._budget:
            return False
        cost = above + sum(sheet.units[each].count() if each >= 0 else sheet.line_tokens for each in more)
        if self.used + cost > self._budget:
            return False
        self.used += cost
        self._folders.add(folder)
        self.shown[place] = shown.union(more)
        return True


def _missing(sheet: Sheet, at: int, shown: set[int]) -> list[int]:
    """The line `at` and those above it that are not shown yet, up to the file's own, -1."""
    missing: list[int] = []
    while at not in shown:
        missing.append(at)
        if at < 0:
            break
        at = sheet.units[at].parent
    return missing


def _lines(place: int, sheet: Sheet) -> list[tuple[int, int, int]]:
    """Sort key, sheet and place of each line; the file's own line is -1."""
    scores: list[int] = []
    for at, (unit, worth) in enumerate(zip(sheet.units, sheet.values, strict=True)):
        above = scores[unit.parent] // _PARENT_SHARE if unit.parent >= 0 else 0
        scores.append((worth + 4 * unit.own + 1) * unit.weight * sheet.factor + above + (sheet.extra[at] if sheet.extra else 0))
    ranked = sorted(range(len(scores)), key=lambda at: (-scores[at], at))
    lines = [(-(scores[at] * _SPREAD // (_SPREAD + nth)), place, at) for nth, at in enumerate(ranked)]
    return [(-(sheet.worth // _FILE_SHARE + sheet.first), place, -1), *lines]
