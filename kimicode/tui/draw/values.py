"""What drawing takes and gives: a `Look` in, `Drawn` out. Widths are in terminal cells.

What this module does not do: draw (`block.draw_block`), or say what colours there are (`kimicode.tui.themes`).
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from rich.style import Style
from textual.strip import Strip


class Palette(msgspec.Struct, frozen=True):
    """Styles by token (`kimicode.tui.themes.TOKENS` lists them). `ansi`: of the terminal's own colours, or of none."""

    name: str
    styles: Mapping[str, Style]
    dark: bool = True
    ansi: bool = False

    def __getitem__(self, token: str) -> Style:
        """The style of a token. Raises `KeyError` for one that does not exist."""
        return self.styles[token]


class Look(msgspec.Struct, frozen=True):
    """How things are drawn at the moment. `width` is what a line has. `fold_lines` lines of a call's output stay when it is folded.
    `thinking`: what the model thinks is shown while it does."""

    width: int
    palette: Palette
    diff: Literal["auto", "unified", "split"] = "auto"
    fold_lines: int = 8
    thinking: bool = True


class Drawn(msgspec.Struct, frozen=True):
    """A block as lines of exactly `Look.width` cells or less.

    `foldable`: there is more, or less, to be seen of it. `wants_diffs`: its changes have to be looked up before they can be drawn.
    `sealed` is for an answer that grows: so many characters of its text are in the first `sealed_lines` lines for good, and need not be
    drawn again; hand this value back in to draw it on. `loose` more characters, in `loose_lines` lines after those, are of a fence or
    a list that is still open: they are drawn once more when it ends. `mark`
    tells whether another text begins as this one did.
    """

    lines: tuple[Strip, ...]
    foldable: bool = False
    wants_diffs: bool = False
    sealed: int = 0
    sealed_lines: int = 0
    loose: int = 0
    loose_lines: int = 0
    mark: int = 0
