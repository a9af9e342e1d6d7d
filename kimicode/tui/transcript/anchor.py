"""Where the view is: at a line of a block, or at the end; and what can be seen from there.

The place, not a number of lines from the top, is what stays: blocks above may grow or shrink, and the line at the top is the same.
What this module does not do: draw (it asks for the exact height of what comes into view, and of nothing else), or scroll.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class Place(msgspec.Struct, frozen=True):
    """The line at the top of the view. `line` may lie before or after the block's own: then it is meant so many lines away."""

    block: int
    line: int = 0

    def moved(self, lines: int) -> "Place":
        """The place so many lines down, or up where that is negative."""
        return Place(self.block, self.line + lines)


class Span(msgspec.Struct, frozen=True):
    """Lines of one block that can be seen: `count` from `first` on."""

    block: int
    first: int
    count: int


class Laid(msgspec.Struct, frozen=True):
    """What can be seen, from the top down. `at_end`: nothing comes after it."""

    place: Place
    spans: tuple[Span, ...]
    at_end: bool


Exact: TypeAlias = Callable[[int], int]
"""The exact height of a block; draws it where that has not been done."""


def lay_out(place: Place | None, rows: int, blocks: int, exact: Exact, known: Exact) -> Laid:
    """What a view of `rows` lines shows of `blocks` blocks from `place` on, or at the end for None.

    There is no empty room below unless everything fits. `known` is a block's height as far as it is known, without drawing.
    """
    top = None if place is None else _on_a_line(place, blocks, exact)
    if top is None:
        return _at_end(rows, blocks, exact)
    spans: list[Span] = []
    block, line, left = top.block, top.line, rows
    while left > 0 and block < blocks:
        height = exact(block)
        if shown := min(height - line, left):
            spans.append(Span(block, line, shown))
            left -= shown
        if line + shown < height:
            return Laid(top, tuple(spans), at_end=False)
        block, line = block + 1, 0
    if left > 0:
        return _at_end(rows, blocks, exact)
    while block < blocks and known(block) == 0:
        block += 1
    return Laid(top, tuple(spans), at_end=block >= blocks)


def _on_a_line(place: Place, blocks: int, exact: Exact) -> Place | None:
    """The same place with a line that its block has; None past the end. Before the start is the start."""
    block, line = min(max(0, place.block), blocks), place.line
    while line < 0 and block > 0:
        block -= 1
        line += exact(block)
    line = max(0, line)
    while block < blocks and line >= (height := exact(block)):
        block, line = block + 1, line - height
    return Place(block, line) if block < blocks else None


def _at_end(rows: int, blocks: int, exact: Exact) -> Laid:
    spans: list[Span] = []
    left = rows
    for block in range(blocks - 1, -1, -1):
        if left <= 0:
            break
        height = exact(block)
        if shown := min(height, left):
            spans.append(Span(block, height - shown, shown))
            left -= shown
    spans.reverse()
    top = Place(spans[0].block, spans[0].first) if spans else Place(0)
    return Laid(top, tuple(spans), at_end=True)
