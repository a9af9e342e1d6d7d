"""A line of the screen: a drawn line in its column, with the bar of the cursor, matches and a selection on it.

Positions in a line are characters, not cells, as in selections. What this module does not do: know blocks, or where a line belongs.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

import msgspec
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

_BAR: Final = "▌"

MARGIN: Final = 1
"""Cells that stay free at each side, at least: the left ones hold the bar of the cursor."""


class Column(msgspec.Struct, frozen=True):
    """Where lines stand on a screen of `screen` cells: `width` cells from `left` on."""

    screen: int
    left: int
    width: int


class Mark(msgspec.Struct, frozen=True):
    """A stretch of a line that looks otherwise; `end` None is the end of the line."""

    start: int
    end: int | None
    style: Style


def column(screen: int, most: int) -> Column:
    """The column in the middle of a screen, `most` cells wide at most, or all of it where that is 0."""
    room = max(1, screen - 2 * MARGIN)
    width = min(room, most) if most > 0 else room
    return Column(screen, max(0, (screen - width) // 2), width)


def compose(line: Strip, place: Column, base: Style, bar: Style | None, marks: Sequence[Mark]) -> Strip:
    """The whole line of the screen."""
    segments = list(Segment.apply_style(_marked(line.crop(0, place.width), marks), base))
    margin = [Segment(_BAR, base + bar), Segment(" " * (place.left - 1), base)] if bar and place.left else [Segment(" " * place.left, base)]
    return Strip([*(each for each in margin if each.text), *segments], place.left + min(line.cell_length, place.width)).adjust_cell_length(
        place.screen, base
    )


def with_offsets(row: Strip, place: Column, y: int) -> Strip:
    """The line with the position of each character written on it, as Textual looks for it when somebody selects.

    Every cell of the margin counts as the line's first: one by one, as Textual counts on within a segment.
    """
    margin = Segment(" ", Style.from_meta({"offset": (0, y)}))
    return Strip([*[margin] * place.left, *row.crop(place.left).apply_offsets(0, y)], row.cell_length)


def pattern(text: str) -> re.Pattern[str] | None:
    """What finds `text` in a line, whatever the case of letters."""
    return re.compile(re.escape(text), re.IGNORECASE) if text else None


def occurrences(lines: Iterable[Strip], wanted: re.Pattern[str]) -> list[tuple[int, int]]:
    """All matches in drawn lines: the line of each, and which in its line it is."""
    return [(index, here) for index, line in enumerate(lines) for here, _ in enumerate(wanted.finditer(line.text))]


def _marked(line: Strip, marks: Sequence[Mark]) -> Iterable[Segment]:
    """The line's segments, cut where marks begin and end; later marks lie on earlier ones."""
    if not marks:
        return line
    spans = [(max(0, mark.start), len(line.text) if mark.end is None else mark.end, mark.style) for mark in marks]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end)})
    return [piece for segment, at in _pieces(line, edges) if (piece := _restyled(segment, at, spans)).text]


def _pieces(line: Strip, edges: Sequence[int]) -> Iterable[tuple[Segment, int]]:
    at = 0
    for text, style, control in line:
        cuts = [0, *(edge - at for edge in edges if at < edge < at + len(text)), len(text)]
        for start, end in pairwise(cuts):
            yield Segment(text[start:end], style, control), at + start
        at += len(text)


def _restyled(segment: Segment, at: int, spans: Sequence[tuple[int, int, Style]]) -> Segment:
    style = segment.style or Style.null()
    for start, end, over in spans:
        if start <= at < end:
            style += over
    return Segment(segment.text, style, segment.control)
