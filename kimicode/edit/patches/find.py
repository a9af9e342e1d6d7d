"""Lines in a file: every place where some lines stand, exactly or else on the first rung of the ladder that finds any.

What this module does not do: choose a place (`locate`).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

import msgspec

from kimicode.edit import ladder
from kimicode.edit.lines import Page


class Source:
    """A file's text by lines, and where each line is."""

    def __init__(self, text: str) -> None:
        self.page = Page(text)
        whole = len(self.page.lines) - (self.page.lines[-1] == "")
        self.lines = self.page.lines[:whole]
        self.ends = self.page.ends[:whole]

    @cached_property
    def numbers(self) -> dict[str, list[int]]:
        """The numbers of the lines that are the same as one, by its text."""
        found: defaultdict[str, list[int]] = defaultdict(list)
        for number, line in enumerate(self.lines):
            found[line].append(number)
        return dict(found)

    def place(self, start: int, count: int) -> ladder.Place:
        """Where `count` lines from number `start` on stand in the text, without the newline of the last."""
        last = start + count - 1
        return ladder.Place(self.page.starts[start], self.page.starts[last] + len(self.lines[last]))


class Matches(msgspec.Struct, frozen=True):
    """The first line's number of each place, in order, and how they were found: exactly if there is no rung."""

    starts: Sequence[int]
    rung: ladder.Rung | None = None


NONE = Matches(())


def find(source: Source, wanted: Sequence[str], scopes: Sequence[range]) -> Matches:
    """The places of `wanted`, which is not empty, that lie whole in one of `scopes`. More than `ladder.LISTED` on a rung may be cut."""
    exact = [start for start in _exact(source, wanted) if any(_inside(start, len(wanted), scope) for scope in scopes)]
    if exact:
        return Matches(exact)
    found = [places for scope in scopes if (places := _loose(source, wanted, scope)).rung is not None]
    if not found:
        return NONE
    best = min(ladder.RUNGS.index(places.rung) for places in found if places.rung is not None)
    starts = {start for places in found if places.rung is ladder.RUNGS[best] for start in places.starts}
    return Matches(sorted(starts), ladder.RUNGS[best])


def _exact(source: Source, wanted: Sequence[str]) -> list[int]:
    rarest = min(range(len(wanted)), key=lambda number: len(source.numbers.get(wanted[number], ())))
    starts = [number - rarest for number in source.numbers.get(wanted[rarest], ())]
    lines, whole = source.lines, list(wanted)
    return [start for start in starts if start >= 0 and lines[start : start + len(whole)] == whole]


def _inside(start: int, count: int, scope: range) -> bool:
    return scope.start <= start and start + count <= scope.stop


def _loose(source: Source, wanted: Sequence[str], scope: range) -> Matches:
    starts = source.page.starts
    everything = len(scope) == len(source.lines)
    page = source.page if everything else Page(source.page.text[starts[scope.start] : starts[scope.stop]])
    # With a newline at the end, so that a blank last line is a line.
    found = ladder.find(page, "".join(f"{line}\n" for line in wanted), whole_lines=True)
    if found is None:
        return NONE
    offset = 0 if everything else starts[scope.start]
    return Matches([bisect_right(starts, place.start + offset) - 1 for place in found.places], found.rung)
