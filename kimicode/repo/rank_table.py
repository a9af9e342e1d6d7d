"""For every name of a tree: how much it is used, which files define it and which use it; packed, so that a part can be read alone.

Files are numbers: their places in the tree that was counted. What this module does not do: know where parts are kept, or what weights mean.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

NAME_BITS: Final = 64


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
    """In which of `parts`, a power of two, a name is: parts follow each other as names do."""
    return name * parts >> NAME_BITS


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
