"""How many lines each block takes: guessed until it is drawn, exact from then on.

What this module does not do: draw, or keep what was drawn.
"""

from collections.abc import Iterable
from typing import Final, assert_never

from kimicode.interactive.view.blocks import Answered, Block, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.tui.draw.values import Look
from kimicode.tui.transcript.sums import Sums

_AROUND: Final = 1
"""The heading that a block has besides its text."""

_PROMPT_LINES: Final = 30
"""About what is shown of a longer prompt (`draw.said`)."""


class Heights:
    """The heights of all blocks, in lines."""

    def __init__(self, guesses: Iterable[int] = ()) -> None:
        self._sums = Sums(guesses)
        self._exact = bytearray(len(self._sums))

    def __len__(self) -> int:
        return len(self._sums)

    def __getitem__(self, block: int) -> int:
        return self._sums[block]

    @property
    def total(self) -> int:
        """Lines of the whole."""
        return self._sums.total

    def is_exact(self, block: int) -> bool:
        """True where the height is no guess."""
        return bool(self._exact[block])

    def set(self, block: int, height: int, *, exact: bool = True) -> None:
        """The block's height, as it was drawn or as it may be."""
        self._sums.set(block, height)
        self._exact[block] = exact

    def append(self, guess: int) -> None:
        """One more block, last."""
        self._sums.append(guess)
        self._exact.append(0)

    def insert(self, block: int, guess: int) -> None:
        """One more block before `block`."""
        self._sums.insert(block, guess)
        self._exact.insert(block, 0)

    def top_of(self, block: int) -> int:
        """The line that the block begins at."""
        return self._sums.before(block)

    def block_at(self, line: int) -> tuple[int, int]:
        """Which block a line (0 or more) belongs to, and which of its lines that is; the number of blocks, past the end."""
        return self._sums.at(line)


def guess_height(block: Block, look: Look, *, folded: bool) -> int:
    """About how many lines the block takes, from the length of its texts alone; 0 only for an answer or a thought without a word."""
    match block:
        case Answered(text=text) | Thought(text=text) if not text or text.isspace():
            return 0
        case Prompted(text=text):
            return min(_lines(text, look.width), _PROMPT_LINES) if folded else _lines(text, look.width)
        case Answered(text=text):
            return _lines(text, look.width)
        case Thought(text=text):
            return _AROUND if folded else _lines(text, look.width) + _AROUND
        case Called():
            lines = _lines(block.result or block.output, look.width)
            return (min(lines, look.fold_lines) if folded else lines) + _AROUND
        case Ran(output=output):
            lines = _lines(output, look.width)
            return (min(lines, look.fold_lines) if folded else lines) + _AROUND
        case Told(text=text):
            return _lines(text, look.width)
        case Opened() | WentBack() | Ended():
            return _AROUND
        case _:
            assert_never(block)


def _lines(text: str, width: int) -> int:
    return 1 + max(text.count("\n"), len(text) // max(1, width))
