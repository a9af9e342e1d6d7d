"""Pages as plain lines: tables as columns where they fit and as `label: value` where not, shares as numbers, changes as diffs.

What this module does not do: ask or print.
"""

from collections.abc import Sequence
from typing import Final, assert_never

from prompt_toolkit.utils import get_cwidth

from kimicode.interactive.person import Code, Diff, Page, Part, Prose, Rows, Share, Words
from kimicode.line.diffs import summary, whole_diff
from kimicode.line.words import Line, flat, heading, percent, safe

_GAP: Final = "  "


def page_lines(page: Page, width: int) -> tuple[Line, ...]:
    """All of a page, for a screen that is so wide."""
    lines = [heading(page.title)] if page.title else []
    for part in page.parts:
        lines += part_lines(part, width)
    return tuple(lines)


def part_lines(part: Part, width: int) -> tuple[Line, ...]:
    """One part of a page."""
    match part:
        case Words(text=text) | Code(text=text):
            return _texts(text)
        case Prose(markdown=markdown):
            return _texts(markdown)
        case Rows():
            return tuple(map(Line, _table(part, width)))
        case Share():
            return (Line(share_words(part)),)
        case Diff(files=files):
            return tuple(line for file in files for line in (Line(summary(file), "Changed:"), *map(Line, whole_diff(file))))
        case _:
            assert_never(part)


def share_words(part: Share) -> str:
    """`System prompt: 1,200 tokens of 262,144, less than 1 percent`."""
    unit = f" {flat(part.unit)}" if part.unit else ""
    if part.total <= 0:
        return f"{flat(part.label)}: {_amount(part.value)}{unit}"
    return f"{flat(part.label)}: {_amount(part.value)}{unit} of {_amount(part.total)}, {percent(part.value, part.total)}"


def _texts(text: str) -> tuple[Line, ...]:
    return tuple(Line(line) for line in safe(text).expandtabs(4).strip("\n").split("\n"))


def _amount(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def _table(table: Rows, width: int) -> list[str]:
    rows = [[flat(cell) for cell in row] for row in table.rows]
    header = [flat(cell) for cell in table.header]
    every = [header, *rows] if header else rows
    many = max(map(len, every), default=0)
    widths = [max((get_cwidth(row[at]) for row in every if at < len(row)), default=0) for at in range(many)]
    if sum(widths) + len(_GAP) * (many - 1) <= width:
        return [_columns(row, widths) for row in every]
    if many == 2:
        return [": ".join(cell for cell in row if cell) for row in rows]
    named: list[str] = []
    for row in rows:
        named += ["", *_labelled(row, header)] if named else _labelled(row, header)
    return named


def _columns(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (width - get_cwidth(cell)) for cell, width in zip(row, widths, strict=False)]
    return _GAP.join(padded).rstrip()


def _labelled(row: Sequence[str], header: Sequence[str]) -> list[str]:
    labels = [*header, *[""] * len(row)]
    return [f"{label}: {cell}" if label else cell for label, cell in zip(labels, row, strict=False) if cell]
