"""How dialogs draw parts and diffs: two functions that are handed in, so that a dialog can be tried without them.

What this module does not do: draw (`kimicode.tui.draw` does).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from textual.strip import Strip

from kimicode.interactive.person import Part
from kimicode.sandbox.approval import FileText
from kimicode.tui.draw.diff import draw_diff
from kimicode.tui.draw.parts import draw_part
from kimicode.tui.draw.values import Look


@dataclass(frozen=True)
class Drawing:
    """Parts of a page, and changes of files, as lines of at most `Look.width` cells."""

    part: Callable[[Part, Look], Sequence[Strip]]
    diff: Callable[[Sequence[FileText], Look], Sequence[Strip]]


DRAWING: Final = Drawing(draw_part, draw_diff)
"""As the application draws."""
