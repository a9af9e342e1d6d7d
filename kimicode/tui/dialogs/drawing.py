"""How dialogs draw parts and diffs: two functions that are handed in, and plain ones that do without colours.

    Drawing(part=draw_part, diff=draw_diff)      what the application hands in
    PLAIN                                        text as it is

What this module does not do: diffs of lines or Markdown; the plain ones show both as text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from textual.strip import Strip

from kimicode.interactive.person import Code, Diff, Part, Prose, Rows, Share, Words
from kimicode.sandbox.approval import FileText
from kimicode.tui.dialogs.lines import folded
from kimicode.tui.dialogs.words import harmless, one_line
from kimicode.tui.draw.values import Look


@dataclass(frozen=True)
class Drawing:
    """Parts of a page, and changes of files, as lines of at most `Look.width` cells."""

    part: Callable[[Part, Look], Sequence[Strip]]
    diff: Callable[[Sequence[FileText], Look], Sequence[Strip]]


def plain_diff(files: Sequence[FileText], look: Look) -> Sequence[Strip]:
    """Every file's text before and after, whole."""
    lines: list[str] = []
    for file in files:
        lines.append(one_line(file.path) + (f" ({one_line(file.note)})" if file.note else ""))
        lines += [f"- {line}" for line in harmless(file.before or "").split("\n") if file.before is not None]
        lines += [f"+ {line}" for line in harmless(file.after or "").split("\n") if file.after is not None]
    return [strip for line in lines for strip in folded(line, look.width)]


def plain_part(part: Part, look: Look) -> Sequence[Strip]:
    """A part as text."""
    match part:
        case Words(text=text) | Prose(markdown=text) | Code(text=text):
            return folded(harmless(text), look.width)
        case Rows(rows=rows, header=header):
            shown = ((header, *rows)) if header else rows
            return [strip for row in shown for strip in folded("  ".join(map(one_line, row)), look.width)]
        case Share(label=label, value=value, total=total, unit=unit):
            return folded(f"{one_line(label)}: {value:g} of {total:g} {one_line(unit)}", look.width)
        case Diff(files=files):
            return plain_diff(files, look)
        case _:
            assert_never(part)


PLAIN: Final = Drawing(plain_part, plain_diff)
