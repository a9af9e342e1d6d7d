"""Counts a whole tree: every file's digest into the table, the worth of every name, the worth and order of every file.

What this module does not do: update (`rank`), or keep what it made (`rank_keep`).
"""

import time
from array import array
from typing import Final

import msgspec

from kimicode.repo.census import census, wired_census
from kimicode.repo.digest import digest, plain
from kimicode.repo.index import Index
from kimicode.repo.rank import Base, ordered, values
from kimicode.repo.rank_table import Counter, Part, rows
from kimicode.repo.tree import Tree

_PARTS: Final = ((300, 1), (5_000, 16))
_MOST_PARTS: Final = 256
"""A part is read whole: the more there are, the less is read for a few names."""

_AT_ONCE: Final = 256


class Counted(msgspec.Struct, frozen=True):
    """A counted tree and its table."""

    base: Base
    parts: tuple[Part, ...]


def counted(tree: Tree, index: Index, *, until: float | None = None) -> Counted:
    """Count the files of `tree` that are indexed. Raises `TimeoutError` where it is not done at `until`, of the monotonic clock."""
    counter = Counter(next((parts for below, parts in _PARTS if len(tree.files) < below), _MOST_PARTS))
    places = {file.path: place for place, file in enumerate(tree.files)}
    worths = array("q", bytes(8 * len(places)))
    factors = bytearray(plain(file.path).factor for file in tree.files)
    for number, (file, symbols) in enumerate(index.each(tree.files)):
        if number % _AT_ONCE == 0:
            in_time(until)
        place, own = places[file.path], digest(file.path, symbols)
        counter.add(place, own.defines, own.uses)
        worths[place], factors[place] = own.own, own.factor
    parts = tuple(_part(counter, number, worths, factors, until) for number in range(counter.parts))
    base = Base(wired_census(census(places)), worths.tobytes(), bytes(factors), ordered(worths, bytes(factors)), counter.parts)
    return Counted(base, parts)


def in_time(until: float | None) -> None:
    """Raises `TimeoutError` after `until`."""
    if until is not None and time.monotonic() > until:
        raise TimeoutError


def _part(counter: Counter, number: int, worths: "array[int]", factors: bytearray, until: float | None) -> Part:
    in_time(until)
    part = counter.part(number)
    for name, weight, definers in rows(part):
        if definers and weight:
            worth = values(name, weight, sum(factors[each >> 1] for each in definers))
            for each in definers:
                worths[each >> 1] += worth[each & 1]
    return part
