"""Lines in lines: all places where wanted lines are, by the first way of comparing that finds any.

What this module does not do: choose a place.
"""

from collections.abc import Sequence

import msgspec


class Match(msgspec.Struct, frozen=True):
    """A place. `rank` is 0 for exact; `how` says in words what was overlooked."""

    start: int
    rank: int = 0
    how: str = ""

    def adapted(self, line: str) -> str:
        """A new line, written the way the file is."""
        return line


def find(lines: Sequence[str], wanted: Sequence[str], within: range) -> list[Match]:
    """Places that lie inside `within`, in order. `wanted` is not empty."""
    key = max(range(len(wanted)), key=lambda number: len(wanted[number].strip()))
    starts = (number - key for number in within if lines[number] == wanted[key])
    last = within.stop - len(wanted)
    return [Match(start) for start in starts if within.start <= start <= last and list(lines[start : start + len(wanted)]) == list(wanted)]
