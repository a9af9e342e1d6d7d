"""Counts a whole tree: every file's digest into the table, the worth of every name, the worth and order of every file.

Imported where a tree is counted (`rank_keep`), for numpy takes longer to load than a map to make. What this module does not do: update
(`rank`), or keep what it made.
"""

import time
from array import array
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from kimicode.repo.census import Census, census, wired_census
from kimicode.repo.digest import STRONG_SHIFT, Numbers, digest, plain
from kimicode.repo.index import Index
from kimicode.repo.rank import CALLS, SCALE, Base, Counted
from kimicode.repo.rank_table import NAME_BITS, Part
from kimicode.repo.tree import Tree

_PARTS: Final = ((300, 1), (5_000, 16))
_MOST_PARTS: Final = 256
"""A part is read whole: the more there are, the less is read for a few names."""

_AT_ONCE: Final = 256

_Numbers: TypeAlias = npt.NDArray[np.uint64]


def counted(tree: Tree, index: Index, *, until: float | None = None) -> Counted:
    """Count the files of `tree` that are indexed. Raises `TimeoutError` where it is not done at `until`, of the monotonic clock."""
    facts = _Facts(len(tree.files))
    places = {file.path: place for place, file in enumerate(tree.files)}
    factors = bytearray(plain(file.path).factor for file in tree.files)
    numbers = Numbers()
    for nth, (file, symbols) in enumerate(index.each(tree.files)):
        if nth % _AT_ONCE == 0 and until is not None and time.monotonic() > until:
            raise TimeoutError
        place, own = places[file.path], digest(file.path, symbols, numbers)
        facts.add(place, own.own, own.defines, own.uses)
        factors[place] = own.factor
    parts = next((parts for below, parts in _PARTS if len(tree.files) < below), _MOST_PARTS)
    return facts.counted(wired_census(census(places)), np.frombuffer(bytes(factors), np.uint8), parts)


class _Facts:
    """Who defines and who uses what, one number of each a fact."""

    def __init__(self, files: int) -> None:
        self._worths = np.zeros(files, np.int64)
        self._defined = array("Q")
        self._definers = array("I")
        self._used = array("Q")
        self._users = array("I")
        self._weights = array("Q")

    def add(self, place: int, own: int, defines: Mapping[int, bool], uses: Mapping[int, int]) -> None:
        """Take in a file."""
        self._worths[place] = own
        self._defined.extend(defines.keys())
        self._definers.extend([place << 1 | inner for inner in defines.values()])
        self._used.extend(uses.keys())
        self._users.extend([place] * len(uses))
        self._weights.extend(uses.values())

    def counted(self, known: Census, factors: npt.NDArray[np.uint8], parts: int) -> Counted:
        """All of it together, with the census of the tree."""
        defined, definers = _sorted(self._defined, self._definers)
        used, users = _sorted(self._used, self._users)
        weights = np.frombuffer(self._weights, np.uint64)[_order(self._used, self._users)]
        names = np.union1d(defined, used)
        sums = _sums(names, used, weights)
        self._value(names, sums, defined, definers, factors)
        places = np.argsort(-(self._worths * factors), kind="stable").astype(np.uint32)
        base = Base(known, self._worths.tobytes(), factors.tobytes(), places.tobytes(), parts)
        rows = _Rows(names, sums, _ends(names, defined), definers, _ends(names, used), users)
        return Counted(base, tuple(rows.part(number, parts) for number in range(parts)))

    def _value(
        self, names: _Numbers, sums: _Numbers, defined: _Numbers, definers: npt.NDArray[np.uint32], factors: npt.NDArray[np.uint8]
    ) -> None:
        """Give each file what its names are worth, as `rank.values` says for one name."""
        places = definers >> 1
        at = np.searchsorted(names, defined)
        shares = np.maximum(1, _sums(names, defined, factors[places].astype(np.uint64))).astype(np.int64)
        strong, calls = (sums >> np.uint64(STRONG_SHIFT)).astype(np.int64), (sums & np.uint64(CALLS)).astype(np.int64)
        named = (names & np.uint64(1)).astype(bool)
        # The square root of a number below 2**52 is rounded down rightly.
        some = np.minimum(calls, np.sqrt(4.0 * calls).astype(np.int64))
        outer = SCALE * (strong + np.where(named, np.minimum(calls, strong + some), calls)) // shares
        inner = np.where(named, SCALE * some // shares, outer)
        np.add.at(self._worths, places, np.where(definers & 1, inner[at], outer[at]))


class _Rows(NamedTuple):
    names: _Numbers
    weights: _Numbers
    definer_ends: npt.NDArray[np.uint32]
    definers: npt.NDArray[np.uint32]
    user_ends: npt.NDArray[np.uint32]
    users: npt.NDArray[np.uint32]

    def part(self, number: int, parts: int) -> Part:
        """One part, packed."""
        width = (1 << NAME_BITS) // parts
        first = int(np.searchsorted(self.names, np.uint64(number * width)))
        last = int(np.searchsorted(self.names, np.uint64((number + 1) * width - 1), "right"))
        return Part(
            self.names[first:last].tobytes(),
            self.weights[first:last].tobytes(),
            *_cut(self.definer_ends, self.definers, first, last),
            *_cut(self.user_ends, self.users, first, last),
        )


def _cut(ends: npt.NDArray[np.uint32], files: npt.NDArray[np.uint32], first: int, last: int) -> tuple[bytes, bytes]:
    start = ends[first - 1] if first else np.uint32(0)
    end = ends[last - 1] if last else np.uint32(0)
    return (ends[first:last] - start).tobytes(), files[start:end].tobytes()


def _order(names: "array[int]", files: "array[int]") -> npt.NDArray[np.intp]:
    return np.lexsort((np.frombuffer(files, np.uint32), np.frombuffer(names, np.uint64)))


def _sorted(names: "array[int]", files: "array[int]") -> tuple[_Numbers, npt.NDArray[np.uint32]]:
    order = _order(names, files)
    return np.frombuffer(names, np.uint64)[order], np.frombuffer(files, np.uint32)[order]


def _sums(names: _Numbers, facts: _Numbers, weights: _Numbers) -> _Numbers:
    """For each name, the sum of the weights of its facts."""
    sums = np.zeros(len(names), np.uint64)
    np.add.at(sums, np.searchsorted(names, facts), weights)
    return sums


def _ends(names: _Numbers, facts: _Numbers) -> npt.NDArray[np.uint32]:
    """Where each name's facts end."""
    return np.searchsorted(facts, names, "right").astype(np.uint32)
