"""A change letter by letter: every changed line whole, nothing coloured, folded or taken for granted, and spelled by `render_exact`.

A diff that is good to read shortens lines of thousands of characters and draws look-alike letters as they look. Before an approval there
has to be a way to see what is really there. What this module does not do: compare (`kimicode.tui.draw.hunks`).
"""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from textual.strip import Strip

from kimicode.sandbox.approval import FileText
from kimicode.text import render_exact
from kimicode.tui.dialogs.lines import folded
from kimicode.tui.draw.diff import MOST_LINES
from kimicode.tui.draw.hunks import NO_END, compare, lines_of

_CONTEXT: Final = 2
_SHORT_ROWS: Final = 4
"""Half-width rows of a line that every way to draw a diff shows."""


def spelled(files: Sequence[FileText], width: int) -> list[Strip]:
    """All changed lines of all files, with a sign each."""
    return [strip for file in files for line in _lines(file) for strip in folded(line, width)]


def shortened(files: Sequence[FileText], width: int) -> bool:
    """True where a diff of this width may leave letters out."""
    room = _SHORT_ROWS * max(8, width // 2 - 10)
    changed = 0
    for file in files:
        for _, line in _changed(file, 0):
            changed += 1
            if changed > MOST_LINES // 2 or len(line) > room or cell_len(line) > room:
                return True
    return False


def _changed(file: FileText, context: int) -> Iterator[tuple[str, str]]:
    old, new = lines_of(file.before), lines_of(file.after)
    for hunk in compare(file.before, file.after, context):
        for row in hunk.rows:
            if row.new is None and row.old is not None:
                yield "-", old[row.old]
            elif row.new is not None:
                yield "+" if row.old is None else " ", new[row.new]


def _lines(file: FileText) -> Iterator[str]:
    yield render_exact(file.path) + (f"  {render_exact(file.note)}" if file.note else "")
    for sign, line in _changed(file, _CONTEXT):
        text = line.removesuffix(NO_END)
        # Quick for nearly all lines there are.
        exact = text if text.isascii() and text.isprintable() else render_exact(text)
        yield f"{sign} {exact}" + ("" if text == line else "  (no line end)")
