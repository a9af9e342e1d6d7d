"""Styled lines that fit: text from outside made harmless, clipped, wrapped by terminal cells, and turned into strips.

A line is a list of pieces of text with a style. Breaks fall between words where there are any, and never inside a grapheme cluster. The
widths are Rich's (`rich.cells`), which is what Textual lays out by. What this module does not do: know blocks, Markdown or colours.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, TypeAlias

from rich.cells import cell_len, split_graphemes
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from kimicode.text import Untrusted, render_safe

Piece: TypeAlias = tuple[str, Style]
Line: TypeAlias = list[Piece]

TAB: Final = 4
"""Columns from one tab stop to the next."""

LINE_CHARS: Final = 2_000
"""What is longer is clipped, and the line says by how much: minified files, logs in JSON, data URLs."""

_JOINERS: Final = "\u200d\ufe0f"

_NO_BREAK_BEFORE: Final = frozenset("、。，．・：；？！）］｝〉》」』】〕”’…ー")
"""What must not begin a line of Chinese or Japanese."""


def safe(text: str) -> str:
    """One line of harmless text: line ends become spaces and tabs reach their stop."""
    return expanded(render_safe(Untrusted(text)).replace("\n", " "))


def expanded(text: str) -> str:
    """A line with spaces for its tabs, by terminal cells."""
    if "\t" not in text:
        return text
    if text.isascii():
        return text.expandtabs(TAB)
    out, column = [], 0
    for part in text.split("\t"):
        column += cell_len(part)
        fill = TAB - column % TAB
        out.append(part + " " * fill)
        column += fill
    return "".join(out)[:-fill]


def clipped(line: str, limit: int = LINE_CHARS) -> str:
    """The line, or its beginning and how much more there is."""
    return line if len(line) <= limit else f"{line[:limit]} … {len(line) - limit:,} more characters"


def source_lines(text: str) -> list[str]:
    """The lines of a text, each harmless, clipped, and without tabs. A line end at the end begins no line."""
    lines = text.split("\n")
    if len(lines) > 1 and not lines[-1]:
        lines.pop()
    return [safe(clipped(line.removesuffix("\r"))) for line in lines]


def wrapped(pieces: Line, width: int, *, words: bool = True) -> list[Line]:
    """The pieces as lines of at most `width` cells. `words`: break between words where that is possible, else just where a line is full."""
    pieces = _rooted(pieces)
    if len(pieces) == 1:
        text, style = pieces[0]
        if len(text) <= width and text.isascii():
            return [pieces]
        return [[(text[start:end], style)] for start, end in _cuts(text, width, words)]
    text = "".join(piece[0] for piece in pieces)
    if text.isascii():
        if len(text) <= width:
            return [pieces]
        return _sliced(pieces, list(_plain_cuts(text, width, words)))
    return _sliced(_on_clusters(pieces, text), list(_cuts(text, width, words)))


def length(pieces: Line) -> int:
    """How many cells the line takes."""
    return sum(cell_len(text) for text, _ in pieces)


def shortened(pieces: Line, width: int, sign: str = "…") -> Line:
    """The line, cut where it is longer than `width`, with a sign that it is."""
    pieces = _rooted(pieces)
    if length(pieces) <= width:
        return pieces
    room = max(1, width - cell_len(sign))
    kept = wrapped(pieces, room, words=False)[0]
    style = kept[-1][1] if kept else Style.null()
    return [*kept, (sign, style)] if length(kept) + cell_len(sign) <= width else [(sign, style)]


def padded(pieces: Line, width: int, style: Style) -> Line:
    """The line, filled up to `width` with spaces of that style."""
    missing = width - length(pieces)
    return [*pieces, (" " * missing, style)] if missing > 0 else pieces


def strips(lines: Iterable[Line], width: int) -> tuple[Strip, ...]:
    """The lines as strips. None is wider than `width` and none has a character that a terminal obeys, whatever happened before."""
    return tuple(_strip(line, width) for line in lines)


def hung(first: Line, rest: Line, body: Sequence[Line]) -> list[Line]:
    """The lines with `first` before the first of them and `rest` before all others; an empty line stays so where that is only space."""
    blank = all(text.isspace() for text, _ in rest)
    return [line if at and not line and blank else [*(rest if at else first), *line] for at, line in enumerate(body)]


def _strip(line: Line, width: int) -> Strip:
    segments: list[Segment] = []
    cells = 0
    for text, style in line:
        if not text:
            continue
        shown = text if text.isprintable() else safe(text)
        cells += len(shown) if shown.isascii() else cell_len(shown)
        segments.append(Segment(shown, style))
    if cells <= width:
        return Strip(segments, cells)
    shorter = wrapped([(segment.text, segment.style or Style.null()) for segment in segments], width, words=False)[0]
    fitting = [piece for piece, used in zip(shorter, accumulate(cell_len(text) for text, _ in shorter), strict=True) if used <= width]
    return Strip([Segment(text, style) for text, style in fitting])


def _cuts(text: str, width: int, words: bool) -> Iterator[tuple[int, int]]:
    return _plain_cuts(text, width, words) if text.isascii() else _wide_cuts(text, width, words)


def _plain_cuts(text: str, width: int, words: bool) -> Iterator[tuple[int, int]]:
    """Where lines begin and end in a text of one cell a character."""
    start, size = 0, len(text)
    while size - start > width:
        at = text.rfind(" ", start, start + width + 1) if words else -1
        if at > start and not text[start:at].isspace():
            yield start, at
            start = at + 1
            while start < size and text[start] == " ":
                start += 1
        else:
            yield start, start + width
            start += width
    yield start, size


def _wide_cuts(text: str, width: int, words: bool) -> Iterator[tuple[int, int]]:
    """The same for any text, by grapheme clusters."""
    clusters, total = split_graphemes(text)
    if total <= width:
        yield 0, len(text)
        return
    start, used, at = 0, 0, 0
    chance: int | None = None  # the index of the last cluster that a line may begin with
    while at < len(clusters):
        begin, end, cells = clusters[at]
        if used + cells <= width or begin == start:
            if words and begin > start and _may_break(text, clusters, at):
                chance = at
            used += cells
            at += 1
            continue
        if not words or text[begin:end] == " " or _may_break(text, clusters, at):
            chance = at
        cut = clusters[at if chance is None else chance][0]
        yield start, start + len(text[start:cut].rstrip(" ")) if words and text[start:cut].strip() else cut
        at = at if chance is None else chance
        while words and at < len(clusters) and text[slice(*clusters[at][:2])] == " ":
            at += 1
        start = clusters[at][0] if at < len(clusters) else len(text)
        used, chance = 0, None
    if start < len(text):
        yield start, len(text)


def _may_break(text: str, clusters: Sequence[tuple[int, int, int]], at: int) -> bool:
    begin, end, cells = clusters[at]
    before, _, cells_before = clusters[at - 1]
    if text[before:begin] == " ":
        return text[begin:end] != " "
    return (cells == 2 or cells_before == 2) and text[begin] not in _NO_BREAK_BEFORE and text[begin] != " "


def _rooted(pieces: Line) -> Line:
    """The pieces without joiners before the first character: with nothing to join, their width is anybody's guess."""
    while pieces and (not pieces[0][0] or pieces[0][0][0] in _JOINERS):
        text, style = pieces[0]
        bare = text.lstrip(_JOINERS)
        pieces = [(bare, style), *pieces[1:]] if bare else pieces[1:]
    return pieces


def _on_clusters(pieces: Line, text: str) -> Line:
    """The pieces with their borders moved so that none falls inside a cluster."""
    starts = [start for start, _, _ in split_graphemes(text)[0]]
    out: Line = []
    at = end = 0
    for piece, style in pieces:
        end += len(piece)
        index = bisect_left(starts, end)
        border = starts[index] if index < len(starts) else len(text)
        if border > at:
            out.append((text[at:border], style))
            at = border
    return out


def _sliced(pieces: Line, cuts: Sequence[tuple[int, int]]) -> list[Line]:
    lines: list[Line] = []
    index, offset = 0, 0  # the piece that is looked at, and where it begins in the text
    for start, end in cuts:
        line: Line = []
        while index < len(pieces) and offset < end:
            piece, style = pieces[index]
            stop = offset + len(piece)
            if stop > start:
                line.append((piece[max(0, start - offset) : end - offset], style))
            if stop > end:
                break
            index, offset = index + 1, stop
        lines.append(line)
    return lines or [[]]
