"""For every name of a tree: how much it is used, which files define it and which use it; packed, so that a part can be read alone.

Files are numbers: their places in the tree that was counted. What this module does not do: know where parts are kept, or what weights mean.
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec

_FILE_BITS: Final = 24
_WEIGHT_BITS: Final = 8
_HALF: Final = (1 << 4) - 1
_TOTAL_SHIFT: Final = 32


class Row(msgspec.Struct, frozen=True):
    """One name. `weight` is the sum over `users`, which ascend. `definers`: by file that defines it, whether inside classes alone."""

    weight: int = 0
    definers: Mapping[int, bool] = {}
    users: tuple[int, ...] = ()


class Part(msgspec.Struct, frozen=True, array_like=True):
    """Arrays in the machine's order of bytes: sorted names and their weights (64 bits), files (32 bits), and where each name's files end.

    A definer is twice the file's number, and one more where the name is inside classes alone.
    """

    names: bytes
    weights: bytes
    definer_ends: bytes
    definers: bytes
    user_ends: bytes
    users: bytes


class Table:
    """The names of a tree. `read` gives the part of a number, and is asked once for each."""

    def __init__(self, parts: int, read: Callable[[int], Part]) -> None:
        self._parts = parts
        self._read = read
        self._open: dict[int, _Opened] = {}

    def row(self, name: int) -> Row:
        """What is known of a name; nothing of one that does not occur."""
        number = part_of(name, self._parts)
        if number not in self._open:
            self._open[number] = _Opened(self._read(number))
        return self._open[number].row(name)


def part_of(name: int, parts: int) -> int:
    """In which of `parts`, a power of two, a name is."""
    # The lowest bit says something of the name, so that it is not spread evenly.
    return (name >> 1) & (parts - 1)


class _Opened:
    def __init__(self, part: Part) -> None:
        self._names = memoryview(part.names).cast("Q")
        self._weights = memoryview(part.weights).cast("Q")
        self._definer_ends = memoryview(part.definer_ends).cast("I")
        self._definers = memoryview(part.definers).cast("I")
        self._user_ends = memoryview(part.user_ends).cast("I")
        self._users = memoryview(part.users).cast("I")

    def row(self, name: int) -> Row:
        at = bisect_left(self._names, name)
        if at == len(self._names) or self._names[at] != name:
            return Row()
        definers = self._definers[self._definer_ends[at - 1] if at else 0 : self._definer_ends[at]]
        users = self._users[self._user_ends[at - 1] if at else 0 : self._user_ends[at]]
        return Row(self._weights[at], {each >> 1: bool(each & 1) for each in definers}, tuple(users))


class Counter:
    """Takes in one file after the other, in any order, and gives the parts."""

    def __init__(self, parts: int) -> None:
        # One number for each fact, for memory: 64 bits of the name, then the file, then the weight.
        self._definitions = [array("Q") for _ in range(parts)]
        self._definers = [array("I") for _ in range(parts)]
        self._uses = [array("Q") for _ in range(parts)]
        self._users = [array("I") for _ in range(parts)]
        self._weights = [array("B") for _ in range(parts)]
        self.parts = parts

    def add(self, file: int, defines: Mapping[int, bool], uses: Mapping[int, int]) -> None:
        """Take in a file. A weight is two numbers below 16, the upper one from bit 32 on."""
        parts = self.parts
        for name, inner in defines.items():
            part = part_of(name, parts)
            self._definitions[part].append(name)
            self._definers[part].append(file << 1 | inner)
        for name, weight in uses.items():
            part = part_of(name, parts)
            self._uses[part].append(name)
            self._users[part].append(file)
            self._weights[part].append((weight >> _TOTAL_SHIFT) << 4 | weight & _HALF)

    def part(self, number: int) -> Part:
        """One part, packed; what it was made from is let go."""
        definitions = _sorted(self._definitions[number], self._definers[number], bytes(len(self._definers[number])))
        uses = _sorted(self._uses[number], self._users[number], self._weights[number])
        for each in (self._definitions, self._definers, self._uses, self._users, self._weights):
            each[number] = array(each[number].typecode)
        return _packed(definitions, uses)


def rows(part: Part) -> Iterator[tuple[int, int, memoryview]]:
    """Each name with its weight and its definers, as in the part."""
    ends, definers = memoryview(part.definer_ends).cast("I"), memoryview(part.definers).cast("I")
    start = 0
    for name, weight, end in zip(memoryview(part.names).cast("Q"), memoryview(part.weights).cast("Q"), ends, strict=True):
        yield name, weight, definers[start:end]
        start = end


def _sorted(names: Iterable[int], files: Iterable[int], weights: Iterable[int]) -> list[int]:
    shift = _FILE_BITS + _WEIGHT_BITS
    return sorted(name << shift | file << _WEIGHT_BITS | weight for name, file, weight in zip(names, files, weights, strict=True))


def _packed(definitions: list[int], uses: list[int]) -> Part:
    shift = _FILE_BITS + _WEIGHT_BITS
    mask = (1 << _FILE_BITS) - 1
    defined: dict[int, int] = {}
    for fact in definitions:
        defined[fact >> shift] = defined.get(fact >> shift, 0) + 1
    used: dict[int, int] = {}
    weights: dict[int, int] = {}
    for fact in uses:
        name = fact >> shift
        used[name] = used.get(name, 0) + 1
        weights[name] = weights.get(name, 0) + ((fact >> 4 & _HALF) << _TOTAL_SHIFT | fact & _HALF)
    names = sorted(defined.keys() | used.keys())
    return Part(
        array("Q", names).tobytes(),
        array("Q", [weights.get(name, 0) for name in names]).tobytes(),
        _ends(defined, names),
        array("I", [fact >> _WEIGHT_BITS & mask for fact in definitions]).tobytes(),
        _ends(used, names),
        array("I", [fact >> _WEIGHT_BITS & mask for fact in uses]).tobytes(),
    )


def _ends(counts: Mapping[int, int], names: Iterable[int]) -> bytes:
    ends, end = array("I"), 0
    for name in names:
        end += counts.get(name, 0)
        ends.append(end)
    return ends.tobytes()
