"""The parts of a page that commands show → lines: `draw_part`."""

from typing import Final, assert_never

from rich.cells import cell_len, set_cell_size
from textual.strip import Strip

from kimicode.interactive.person import Code, Diff, Part, Prose, Rows, Share, Words
from kimicode.interactive.wording import count, percent, size
from kimicode.tui.draw.diff import draw_diff
from kimicode.tui.draw.lines import Line, safe, source_lines, strips, wrapped
from kimicode.tui.draw.markdown import fence, markdown
from kimicode.tui.draw.table import table
from kimicode.tui.draw.values import Look

_BAR: Final = 24
_LABEL: Final = 18
_NUMBERS: Final = 31
"""Cells for the spaces, the share and the amounts after a bar."""


def draw_part(part: Part, look: Look) -> tuple[Strip, ...]:
    """The part as lines of at most `look.width` cells. Texts in it need not be harmless."""
    match part:
        case Words(text=text):
            lines = [row for line in source_lines(text) for row in wrapped([(line, look.palette["text"])], look.width)]
            return strips(lines, look.width)
        case Prose(markdown=text):
            return strips(markdown(text, look.width, look.palette), look.width)
        case Rows():
            return strips(_rows(part, look), look.width)
        case Code(text=text, language=language):
            return strips(fence(text, language, look.width, look.palette), look.width)
        case Share():
            return strips(_share(part, look), look.width)
        case Diff(files=files):
            return draw_diff(files, look)
        case _:
            assert_never(part)


def _rows(part: Rows, look: Look) -> list[Line]:
    palette = look.palette
    header: list[list[Line]] = [[[(safe(cell), palette["strong"])] for cell in part.header]] if part.header else []
    rows = header + [[[(safe(cell), palette["text"])] for cell in row] for row in part.rows]
    columns = max((len(row) for row in rows), default=0)
    return table(
        [row + [[] for _ in range(columns - len(row))] for row in rows], ["left"] * columns, look.width, palette, header=bool(header)
    )


def _share(part: Share, look: Look) -> list[Line]:
    palette = look.palette
    share = min(1.0, max(0.0, part.value / part.total)) if part.total > 0 else 0.0
    label = safe(part.label).replace("\n", " ")
    # Bars that follow each other begin in one column, where there is room for it.
    aligned = cell_len(label) <= _LABEL and look.width >= _LABEL + 3 + _NUMBERS
    room = min(_BAR, look.width - _LABEL - _NUMBERS if aligned else max(4, look.width // 4))
    full = round(share * room) or (1 if share > 0 else 0)
    amounts = f"{_amount(part.value, '' if part.unit != 'bytes' else part.unit)} of {_amount(part.total, part.unit)}"
    numbers: Line = [(f"  {percent(share):>5}", palette["text"]), (f"  {amounts}", palette["muted"])]
    bar: Line = [("━" * full, palette["accent"]), ("─" * (room - full), palette["faint"]), *numbers]
    label = set_cell_size(label, _LABEL) if aligned else label
    return wrapped([(f"{label}  ", palette["text"]), *bar], look.width)


def _amount(value: float, unit: str) -> str:
    return size(value) if unit == "bytes" else f"{count(value)} {safe(unit)}".rstrip()
