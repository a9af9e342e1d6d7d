"""How important the files and names of a tree are, from who uses what; updated exactly when a few files change.

A name is worth what it is used, shared among the files that define it; a file is worth the names it defines. All sums are of whole numbers,
so their order does not matter and a tree that was updated ranks as one that was counted afresh, to the last bit. What this module does
not do: count a tree (`rank_build`), keep rankings (`rank_keep`), or choose what is shown (`map`).
"""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isqrt
from typing import Final

import msgspec

from kimicode.repo.census import Census, adjusted, unwired_census
from kimicode.repo.digest import STRONG_SHIFT, Digest
from kimicode.repo.rank_table import Part, Row, Table

SCALE: Final = 128
CALLS: Final = (1 << STRONG_SHIFT) - 1


def values(name: int, weight: int, shares: int) -> tuple[int, int]:
    """What the name `name` is worth to the files that define it, for each of their `shares`: where it can be imported, and inside classes.

    A file has as many shares as its factor is: a copy that was generated takes little from what it was made of.
    """
    strong, calls = weight >> STRONG_SHIFT, weight & CALLS
    if not name & 1:
        whole = SCALE * (strong + calls) // shares
        return whole, whole
    # `x.append()` is of whatever x is: of calls alone, however many, nothing great follows.
    some = min(calls, isqrt(4 * calls))
    return SCALE * (strong + min(calls, strong + some)) // shares, SCALE * some // shares


class Base(msgspec.Struct, frozen=True, array_like=True):
    """A counted tree, with the paths in its census wired. `worths` (64 bits each) are of its files in their order, `factors` (8 bits) are
    what a worth is multiplied with, and `order` (32 bits) has the places of all files, the most important one first. Its table has `parts`
    parts.
    """

    census: Census
    worths: bytes
    factors: bytes
    order: bytes
    parts: int


class Counted(msgspec.Struct, frozen=True):
    """A counted tree and its table."""

    base: Base
    parts: tuple[Part, ...]


class Change(msgspec.Struct, frozen=True):
    """A file that is not as when its tree was counted. `old` or `new` is None where there was, or is, no such file."""

    path: str
    old: Digest | None
    new: Digest | None


class _Move(msgspec.Struct):
    weight: int = 0
    definers: dict[int, bool | None] = {}
    users: dict[int, bool] = {}


class Ranking:
    """A counted tree, `paths` in order, with what changed since. Costs little but for what is asked."""

    def __init__(self, base: Base, table: Table, paths: list[str], changes: Iterable[Change] = ()) -> None:
        self._table = table
        self._factors = base.factors
        self._worths = memoryview(base.worths).cast("q")
        self._order = memoryview(base.order).cast("I")
        self._counted = len(paths)
        self.paths = paths
        self._fresh: dict[str, int] = {}
        self._gone: set[int] = set()
        self._moves: dict[int, _Move] = {}
        self._more: dict[int, int] = {}
        self._factor: dict[int, int] = {}
        changed = list(changes)
        self._take(changed)
        came = [each.path for each in changed if each.old is None]
        self.census = adjusted(unwired_census(base.census), came, [each.path for each in changed if each.new is None])
        self.moved: Mapping[int, tuple[int, int]] = {name: self._moved_values(name) for name in sorted(self._moves)}

    def row(self, name: int) -> Row:
        """What is known of a name now; files are places in `paths`."""
        row, move = self._table.row(name), self._moves.get(name)
        if move is None:
            return row
        definers = {**row.definers, **move.definers}
        users = {place for place in row.users if move.users.get(place, True)} | {place for place, came in move.users.items() if came}
        return Row(
            row.weight + move.weight,
            {place: inner for place, inner in definers.items() if inner is not None},
            tuple(sorted(users)),
        )

    def values(self, name: int) -> tuple[int, int]:
        """What a name is worth now, as `values` says; nothing where no file defines it."""
        return self.moved[name] if name in self.moved else _values(name, self._table.row(name), self.factor)

    def place(self, path: str) -> int | None:
        """Where a path is in `paths`, whether or not there still is a file."""
        at = bisect_left(self.paths, path, 0, self._counted)
        return at if at < self._counted and self.paths[at] == path else self._fresh.get(path)

    def worth(self, place: int) -> int:
        """What the file at `place` in `paths` is worth now."""
        known = self._worths[place] if place < self._counted else 0
        return (known + self._more.get(place, 0)) * self.factor(place)

    def factor(self, place: int) -> int:
        """What the worth of a file's names is multiplied with."""
        return self._factor[place] if place in self._factor else self._factors[place]

    def order(self) -> Iterator[int]:
        """The places of all files that there are now, the most important one first; those of equal worth by path."""
        other = self._more.keys() | self._factor.keys()
        untouched = (place for place in self._order if place not in other and place not in self._gone)
        touched = sorted(other - self._gone, key=self._key)
        return heapq.merge(untouched, touched, key=self._key) if touched else untouched

    def _key(self, place: int) -> tuple[int, str]:
        return (-self.worth(place), self.paths[place])

    def _take(self, changes: list[Change]) -> None:
        fresh = [each.path for each in changes if each.old is None]
        self._fresh = {path: self._counted + nth for nth, path in enumerate(fresh)}
        self.paths = [*self.paths, *fresh]
        for each in changes:
            place = self.place(each.path)
            assert place is not None
            self._move(place, each)
            if each.new is None:
                self._gone.add(place)
            else:
                self._factor[place] = each.new.factor
                self._more[place] = self._more.get(place, 0) + each.new.own - (each.old.own if each.old else 0)

    def _move(self, place: int, change: Change) -> None:
        old_defines = change.old.defines if change.old else {}
        new_defines = change.new.defines if change.new else {}
        old_uses = change.old.uses if change.old else {}
        new_uses = change.new.uses if change.new else {}
        again = change.old is None or change.new is None or change.old.factor != change.new.factor
        for name in old_defines.keys() | new_defines.keys():
            if again or old_defines.get(name) is not new_defines.get(name):
                self._moves.setdefault(name, _Move()).definers[place] = new_defines.get(name)
        for name in old_uses.keys() | new_uses.keys():
            step = new_uses.get(name, 0) - old_uses.get(name, 0)
            if step or (name in old_uses) != (name in new_uses):
                move = self._moves.setdefault(name, _Move())
                move.weight += step
                if (name in old_uses) != (name in new_uses):
                    move.users[place] = name in new_uses

    def _moved_values(self, name: int) -> tuple[int, int]:
        """What a name is worth now; what this changes for the files that define it is taken in."""
        old, new = self._table.row(name), self.row(name)
        before, after = _values(name, old, self._factors.__getitem__), _values(name, new, self.factor)
        for place, inner in old.definers.items():
            self._more[place] = self._more.get(place, 0) - before[inner]
        for place, inner in new.definers.items():
            self._more[place] = self._more.get(place, 0) + after[inner]
        return after


def _values(name: int, row: Row, factor: Callable[[int], int]) -> tuple[int, int]:
    return values(name, row.weight, sum(map(factor, row.definers))) if row.definers else (0, 0)
