"""All blocks and what is known of how they look: what is drawn, how high each is, which are folded.

Blocks are drawn when somebody asks for their lines or their exact height, and not before. What this module does not do: know what can be
seen of them, or write to a screen.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec
from textual.strip import Strip

from kimicode.interactive.view.blocks import Block
from kimicode.tui.draw.values import Drawn, Look
from kimicode.tui.transcript.cache import MOST_LINES, Cache
from kimicode.tui.transcript.folds import Folds
from kimicode.tui.transcript.heights import Heights, guess_height
from kimicode.tui.transcript.spacing import gap_before
from kimicode.tui.transcript.texts import text_of

_EMPTY: Final = Strip([], 0)


class DrawBlock(Protocol):
    """What draws a block (`kimicode.tui.draw.block.draw_block`). `before` is the same block as it was drawn when it had less text."""

    def __call__(self, block: Block, look: Look, *, folded: bool, before: Drawn | None) -> Drawn:
        """The block as lines."""
        ...


class Changes(msgspec.Struct, frozen=True):
    """Blocks that are new or other than before, by their indexes now; `inserted` are those that came in before others."""

    touched: tuple[int, ...]
    inserted: tuple[int, ...]


class Sheet:
    """The blocks of a transcript, which stay in the caller's list; `changed` says where to look at it again."""

    def __init__(self, draw: DrawBlock, look: Look, most_lines: int = MOST_LINES) -> None:
        self._draw = draw
        self._most_lines = most_lines
        self.look = look
        self.show(())

    def show(self, blocks: Sequence[Block]) -> None:
        """Other blocks altogether."""
        self._blocks = blocks
        self._seen = list(blocks)
        self._folds = Folds()
        self._cache = Cache(self._most_lines)
        self._guess_all()

    def relook(self, look: Look) -> None:
        """Everything is to be drawn another way, once it is needed."""
        self.look = look
        self._guess_all()

    def __len__(self) -> int:
        return len(self._seen)

    def __getitem__(self, index: int) -> Block:
        return self._seen[index]

    @property
    def heights(self) -> Heights:
        """The heights as far as they are known. Not to be changed."""
        return self._heights

    @property
    def cached_lines(self) -> int:
        """How many drawn lines are kept at the moment."""
        return self._cache.lines

    def known(self, index: int) -> int:
        """The height of a block, exact or guessed. Draws nothing."""
        return self._heights[index]

    def exact(self, index: int) -> int:
        """The exact height of a block; draws it where that is not known."""
        if not self._heights.is_exact(index):
            self.drawn(index)
        return self._heights[index]

    def drawn(self, index: int) -> Drawn:
        """The block's lines."""
        block = self._seen[index]
        folded = self._folds.folded(index)
        drawn = self._cache.get(index, block, self.look, folded=folded)
        if drawn is None:
            before = self._cache.before(index, block, self.look, folded=folded)
            drawn = self._draw(block, self.look, folded=folded, before=before)
            self._cache.put(index, block, self.look, drawn, folded=folded)
        self._heights.set(index, len(drawn.lines) + self.gap(index) if drawn.lines else 0)
        return drawn

    def gap(self, index: int) -> int:
        """How many of the block's lines are empty ones above it, if it has any lines."""
        return gap_before(self._seen[index], self._seen[index - 1] if index else None)

    def lines(self, index: int) -> Sequence[Strip]:
        """The block's lines, with the empty ones above it."""
        lines = self.drawn(index).lines
        return (_EMPTY,) * self.gap(index) + lines if lines else lines

    def trim(self) -> None:
        """Throw away lines that there is no room for, but none that were asked for since the last time."""
        self._cache.trim()

    def text(self, index: int) -> str:
        """The block's text, folded or not."""
        return text_of(self._seen[index])

    def folded(self, index: int) -> bool:
        """True where the block is folded."""
        return self._folds.folded(index)

    def fold(self, index: int, folded: bool) -> None:
        """Fold or unfold one block."""
        if folded != self.folded(index):
            self._folds.set(index, folded)
            self._guess(index)

    def fold_all(self, folded: bool) -> None:
        """Fold or unfold everything."""
        self._folds.set_all(folded)
        self._guess_all()

    def changed(self, where: range) -> Changes:
        """Look at these blocks again. They may have been replaced; there may be more of them than before, most often at the end."""
        touched: list[int] = []
        inserted: list[int] = []
        for index in range(max(0, where.start), min(where.stop, len(self._blocks))):
            block = self._blocks[index]
            if index >= len(self._seen):
                self._seen.append(block)
                self._heights.append(self._guessed(index))
            elif self._came_in(index):
                self._insert(index, block)
                inserted.append(index)
            elif self._seen[index] is block:
                continue
            else:
                self._seen[index] = block
                self._guess(index)
            touched.append(index)
        return Changes(tuple(touched), tuple(inserted))

    def _came_in(self, index: int) -> bool:
        """True where the block that was at `index` is the next one now."""
        if len(self._blocks) <= max(len(self._seen), index + 1):
            return False
        was = type(self._seen[index])
        return type(self._blocks[index]) is not was and type(self._blocks[index + 1]) is was

    def _insert(self, index: int, block: Block) -> None:
        self._seen.insert(index, block)
        self._folds.inserted(index)
        self._cache.forget_from(index)
        self._heights.insert(index, self._guessed(index))
        self._guess(index + 1)

    def _guess(self, index: int) -> None:
        self._heights.set(index, self._guessed(index), exact=False)

    def _guess_all(self) -> None:
        self._heights = Heights(self._guessed(index) for index in range(len(self._seen)))

    def _guessed(self, index: int) -> int:
        guess = guess_height(self._seen[index], self.look, folded=self._folds.folded(index))
        return guess + self.gap(index) if guess else 0
