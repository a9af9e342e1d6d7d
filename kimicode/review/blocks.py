"""The code around a hunk that says what it belongs to, found by indentation alone.

Indentation is wrong at times (a heredoc, a macro), which costs a few needless lines; a parser would cost time in the hook, for every
file, and know nothing about half of the languages. What this module does not do: understand code.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.review.change import Hunk

_FAR: Final = 2_000
_TAB: Final = 4
_CLOSERS: Final = ("}", ")", "]", "end", "fi", "done", "esac")


class Shape(msgspec.Struct, frozen=True):
    """How much is shown: a file of up to `whole` lines as a whole, else up to `above` and `below` lines of the enclosing block."""

    whole: int = 60
    above: int = 60
    below: int = 30


USUAL: Final = Shape()
NARROW: Final = Shape(0, 12, 6)
BARE: Final = Shape(0, 0, 0)


def around(lines: Sequence[str], hunk: Hunk, shape: Shape) -> tuple[int, int, tuple[int, ...]]:
    """The first line to show before `hunk`, the line to stop before after it, and further up the numbers of the lines that open the blocks
    it lies in. Lines count from 1; `lines` is the new file."""
    first, end = hunk.new_start, hunk.new_start + hunk.new_count
    touched = hunk.touched
    if shape == BARE or not touched or touched.stop - 1 > len(lines):
        return first, end, ()
    if len(lines) <= shape.whole:
        return 1, len(lines) + 1, ()
    level = min((depth for each in touched if (depth := _depth(lines[each - 1])) is not None), default=0)
    start, level, headers = _up(lines, touched.start, level, shape.above)
    return min(first, start), max(end, _down(lines, touched.stop, level, shape.below)), tuple(n for n in headers if n < min(first, start))


def _up(lines: Sequence[str], at: int, level: int, most: int) -> tuple[int, int, list[int]]:
    """The line that opens the outermost block within `most` lines, its depth, and the lines that open the blocks around that one."""
    start, base = at, level
    headers: list[int] = []
    for number in range(at - 1, max(0, at - _FAR), -1):
        if level == 0:
            break
        depth = _depth(lines[number - 1])
        if depth is None or depth >= level:
            continue
        level = depth
        if at - number <= most:
            start, base = number, depth
        else:
            headers.insert(0, number)
    return start, base, headers


def _down(lines: Sequence[str], at: int, level: int, most: int) -> int:
    """The line to stop before: the first that is no more part of the block of depth `level`."""
    for number in range(at, min(len(lines), at + most) + 1):
        depth = _depth(lines[number - 1])
        if depth is not None and depth <= level:
            return number + lines[number - 1].strip().startswith(_CLOSERS)
    return min(len(lines) + 1, at + most)


def _depth(line: str) -> int | None:
    bare = line.lstrip()
    return len(line[: len(line) - len(bare)].expandtabs(_TAB)) if bare else None
