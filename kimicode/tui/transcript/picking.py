"""What a selection with the mouse covers, and the text that it copies.

A line's number in a selection is made of its block and its line there, so that a selection stays where it is when a block above grows.
What this module does not do: hold a selection (Textual's screen does).
"""

from collections.abc import Callable, Sequence
from typing import Final

from textual.geometry import Offset
from textual.selection import Selection
from textual.strip import Strip

MOST_DRAWN: Final = 200
"""Where a selection reaches over more blocks than this, those between its ends are copied as they were written: nobody drew them all."""

_MARGINS: Final = ("▌ ", "  ")
"""What all lines of a block may begin with (`draw.said`, `draw.answer`); it is not copied."""

_LINES: Final = 1 << 24


def line_number(block: int, line: int) -> int:
    """The number that a line has in selections."""
    return block * _LINES + min(line, _LINES - 1)


def whole(block: int) -> Selection:
    """A selection of all of a block."""
    return Selection(Offset(0, line_number(block, 0)), Offset(_LINES, line_number(block, _LINES)))


def picked(selection: Selection, blocks: int, lines_of: Callable[[int], Sequence[Strip]], text_of: Callable[[int], str]) -> str:
    """The text under a selection: as it is on the screen, without margins and without spaces at the end of a line."""
    first = _bound(selection.start, 0)
    last = _bound(selection.end, blocks * _LINES)
    texts: list[str] = []
    reach = range(max(0, first // _LINES), min(blocks, last // _LINES + 1))
    for block in reach:
        if len(reach) > MOST_DRAWN and reach.start < block < reach.stop - 1:
            texts.append(text_of(block))
            continue
        lines = [strip.text for strip in lines_of(block)]
        margin = _margin(lines)
        for index, line in enumerate(lines):
            span = selection.get_span(line_number(block, index))
            if span is not None:
                start, end = span
                texts.append(line[max(margin, start) : None if end == -1 else max(0, end)].rstrip())
    return "\n".join(texts)


def _bound(offset: Offset | None, otherwise: int) -> int:
    return otherwise if offset is None else offset.y


def _margin(lines: Sequence[str]) -> int:
    """How many characters of each line are its block's margin."""
    return next((len(margin) for margin in _MARGINS if all(f"{line}  ".startswith(margin) for line in lines if line.strip())), 0)
