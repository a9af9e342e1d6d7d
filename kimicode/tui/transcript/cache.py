"""Blocks that are drawn, as many lines of them as there is room for; those that were looked at longest ago go first.

What this module does not do: draw, or know heights: they stay when the lines go.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from kimicode.interactive.view.blocks import Answered, Block, Thought
from kimicode.tui.draw.values import Drawn, Look

MOST_LINES: Final = 20_000
"""Some 40 MB of lines with a few colours each: more than anybody scrolls through at a time."""


class _Entry(msgspec.Struct, frozen=True):
    block: Block
    folded: bool
    look: Look
    drawn: Drawn

    @property
    def cost(self) -> int:
        return len(self.drawn.lines) + 1


class Cache:
    """Drawn blocks by index. What was put or found since the last `trim` is never thrown away: it is on the screen."""

    def __init__(self, most_lines: int = MOST_LINES) -> None:
        self._most = most_lines
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._used: set[int] = set()
        self._lines = 0

    @property
    def lines(self) -> int:
        """How many lines are kept; a block counts as one more than it has."""
        return self._lines

    def get(self, index: int, block: Block, look: Look, *, folded: bool) -> Drawn | None:
        """The block as it was drawn, if it was this very block, drawn this way."""
        entry = self._entries.get(index)
        if entry is None or entry.block is not block or entry.folded != folded or entry.look is not look:
            return None
        self._entries.move_to_end(index)
        self._used.add(index)
        return entry.drawn

    def before(self, index: int, block: Block, look: Look, *, folded: bool) -> Drawn | None:
        """What to draw on from: the same text, as far as it went, drawn this way."""
        match self._entries.get(index), block:
            case (_Entry(block=Answered(text=text), folded=was, look=seen, drawn=drawn), Answered(text=grown)) | (
                _Entry(block=Thought(text=text), folded=was, look=seen, drawn=drawn),
                Thought(text=grown),
            ) if was == folded and seen is look and grown.startswith(text):
                return drawn
            case _:
                return None

    def put(self, index: int, block: Block, look: Look, drawn: Drawn, *, folded: bool) -> None:
        """Keep a block that was drawn, in place of what was kept at its index."""
        self._forget(index)
        entry = _Entry(block, folded, look, drawn)
        self._entries[index] = entry
        self._used.add(index)
        self._lines += entry.cost

    def trim(self) -> None:
        """Throw away what there is no room for."""
        while self._lines > self._most and (oldest := next(iter(self._entries))) not in self._used:
            self._forget(oldest)
        self._used.clear()

    def forget_from(self, index: int) -> None:
        """Throw away this block and all after it: they have other indexes now."""
        for each in [each for each in self._entries if each >= index]:
            self._forget(each)

    def _forget(self, index: int) -> None:
        if (entry := self._entries.pop(index, None)) is not None:
            self._lines -= entry.cost
