"""Tables → lines: columns by terminal cells, wrapped where they have to be narrow, one field a line where even that does not fit."""

from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from rich.style import Style

from kimicode.tui.draw.lines import Line, hung, length, shortened, wrapped
from kimicode.tui.draw.values import Palette

Align: TypeAlias = Literal["left", "center", "right"]
_GAP: Final = " │ "
_NARROWEST: Final = 5
"""A column below this many cells tells less than its fields one below the other."""


def table(rows: Sequence[Sequence[Line]], aligns: Sequence[Align], width: int, palette: Palette, *, header: bool = True) -> list[Line]:
    """The rows, the first of them the header if there is one. Every row must have as many cells as there are `aligns`."""
    if not rows or not aligns:
        return []
    room = width - len(_GAP) * (len(aligns) - 1)
    natural = [max((length(row[column]) for row in rows), default=0) for column in range(len(aligns))]
    cap = _cap(natural, room)
    if cap < min(_NARROWEST, max(natural, default=1)):
        return _records(rows, width, palette, header)
    widths = [max(1, min(each, cap)) for each in natural]
    lines: list[Line] = []
    for at, row in enumerate(rows):
        lines += _row(row, widths, aligns, palette)
        if header and at == 0:
            lines.append([("─┼─".join("─" * each for each in widths), palette["border"])])
    return lines


def _cap(natural: Sequence[int], room: int) -> int:
    """The widest that a column may be, so that all of them fit into `room`; 0 where they never do."""
    return next((cap for cap in range(max(room, 0), 0, -1) if sum(min(max(each, 1), cap) for each in natural) <= room), 0)


def _row(row: Sequence[Line], widths: Sequence[int], aligns: Sequence[Align], palette: Palette) -> list[Line]:
    cells = [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines: list[Line] = []
    for at in range(max(len(cell) for cell in cells)):
        line: Line = []
        for column, (cell, width, align) in enumerate(zip(cells, widths, aligns, strict=True)):
            if column:
                line.append((_GAP, palette["border"]))
            last = column == len(widths) - 1
            line += _aligned(cell[at] if at < len(cell) else [], width, align, last)
        lines.append(line)
    return lines


def _aligned(pieces: Line, width: int, align: Align, last: bool) -> Line:
    free = max(0, width - length(pieces))
    left = free if align == "right" else free // 2 if align == "center" else 0
    right = 0 if last else free - left
    none = Style.null()
    return [*([(" " * left, none)] if left else []), *pieces, *([(" " * right, none)] if right else [])]


def _records(rows: Sequence[Sequence[Line]], width: int, palette: Palette, header: bool) -> list[Line]:
    """Each row as its fields, one below the other, with the names of the columns before them."""
    names = rows[0] if header else [[] for _ in rows[0]]
    lines: list[Line] = []
    for row in rows[1:] if header else rows:
        if lines:
            lines.append([])
        for name, cell in zip(names, row, strict=True):
            label: Line = [*shortened(name, max(1, width // 2)), (": ", palette["muted"])] if length(name) else []
            indent = min(2, max(0, width - 2))
            body = wrapped([*label, *cell], max(1, width - indent))
            lines += hung([], [(" " * indent, palette["text"])], body) if body else []
    return lines or ([[*_joined(names, palette)]] if header else [])


def _joined(names: Sequence[Line], palette: Palette) -> Line:
    return [piece for at, name in enumerate(names) for piece in ([(", ", palette["muted"])] if at else []) + name]
