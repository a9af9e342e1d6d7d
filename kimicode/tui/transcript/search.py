"""A search through the texts of all blocks that goes on in slices, so that a key never waits for it.

Matches are counted, not kept: a match is the n-th in its block. Letters match whatever their case. What this module does not do: know
where on the screen a match is (`rows.occurrences` do), or when the next slice is due.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from kimicode.tui.transcript.sums import Sums


class Match(msgspec.Struct, frozen=True):
    """The `nth` match (from 0) in a block."""

    block: int
    nth: int = 0


class Search:
    """A search for `text` in so many blocks, beginning with block `start`. `current` is the match somebody looks at."""

    def __init__(self, text: str, blocks: int, start: int = 0) -> None:
        self._needle = text.lower()
        self._counts = Sums([0] * blocks)
        self._ahead = deque([*range(start, blocks), *range(min(start, blocks))])
        self.current: Match | None = None

    def __len__(self) -> int:
        """How many blocks it knows of."""
        return len(self._counts)

    @property
    def count(self) -> int:
        """Matches found so far."""
        return self._counts.total

    @property
    def done(self) -> bool:
        """True when every block has been looked at."""
        return not self._ahead

    @property
    def number(self) -> int:
        """Which of all matches the current one is, from 1; 0 where there is none."""
        return self._counts.before(self.current.block) + self.current.nth + 1 if self.current else 0

    def advance(self, text_of: Callable[[int], str], chars: int) -> None:
        """Look on through about `chars` characters. The first match at or after the start becomes the current one."""
        while chars > 0 and self._ahead:
            block = self._ahead.popleft()
            text = text_of(block)
            chars -= len(text) + 1
            self._count(block, text)
            if self.current is None and self._counts[block]:
                self.current = Match(block)

    def changed(self, block: int, text: str) -> None:
        """A block has another text."""
        self._count(block, text)
        if self.current is not None and self.current.block == block and self.current.nth >= self._counts[block]:
            self.current = Match(block, self._counts[block] - 1) if self._counts[block] else None

    def inserted(self, block: int, text: str) -> None:
        """A block came in before this one, or last."""
        self._counts.insert(block, 0)
        self._ahead = deque(each + (each >= block) for each in self._ahead)
        if self.current is not None and self.current.block >= block:
            self.current = Match(self.current.block + 1, self.current.nth)
        self._count(block, text)

    def go(self, step: int) -> Match | None:
        """The match `step` further on, round and round; None where there is none."""
        if not self.count:
            self.current = None
        elif self.current is None:
            self.current = Match(*self._counts.at(0 if step > 0 else self.count - 1))
        else:
            self.current = Match(*self._counts.at((self.number - 1 + step) % self.count))
        return self.current

    def _count(self, block: int, text: str) -> None:
        self._counts.set(block, text.lower().count(self._needle) if self._needle else 0)
