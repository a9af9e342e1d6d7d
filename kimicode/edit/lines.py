"""A text by its lines, with every newline as it is: the ground on which edits are matched and spliced.

CRLF, LF and CR all end a line; positions are those of the text itself. Each view is made when first asked for and kept, since most edits
need none of them. What this module does not do: decide what matches (`edit.ladder`) or change anything.
"""

import re
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Final

BLANKS: Final = " \t\f\v"
"""What may stand at the end of a line without being seen."""

_NEWLINE: Final = re.compile(r"(\r\n|\n|\r)")


def lf(text: str) -> str:
    """`text` with LF for every newline."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def split(text: str) -> tuple[list[str], list[str]]:
    """The lines of `text` without their newlines, and the newlines; the last line's is empty."""
    if "\r" not in text:
        lines = text.split("\n")
        return lines, ["\n"] * (len(lines) - 1) + [""]
    parts = _NEWLINE.split(text)
    return parts[::2], [*parts[1::2], ""]


def line_at(text: str, place: int) -> int:
    """The line, counted from 1, in which the character at `place` stands."""
    return text.count("\n", 0, place) + 1


def indentation(line: str) -> str:
    """The blanks and tabs that `line` starts with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def is_crlf(text: str) -> bool:
    """True when there are newlines and every one of them is CRLF."""
    pairs = text.count("\r\n")
    return pairs > 0 and pairs == text.count("\n") == text.count("\r")


class Page:
    """A file's text by lines; `views` keeps what others made of it, by name."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.views: dict[str, str] = {}

    @cached_property
    def _split(self) -> tuple[list[str], list[str]]:
        return split(self.text)

    @property
    def lines(self) -> list[str]:
        """Every line without its newline; after a final newline there is one more, empty."""
        return self._split[0]

    @property
    def ends(self) -> list[str]:
        """The newline of every line; empty for the last."""
        return self._split[1]

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts in the text, and last the text's length."""
        return list(accumulate((len(line) + len(end) for line, end in zip(self.lines, self.ends, strict=True)), initial=0))

    @cached_property
    def lf(self) -> str:
        """The text with LF for every newline."""
        return lf(self.text)

    @cached_property
    def uniform(self) -> bool:
        """True when all newlines are of one kind."""
        return len({end for end in self.ends if end}) <= 1

    def from_lf(self, place: int, line: int) -> int:
        """Where in the text the character is that stands at `place` in the `lf` view, on `line` counted from 0."""
        return self.starts[line] + place - (self.lf.rfind("\n", 0, place) + 1)

    def newline_near(self, place: int) -> str:
        """The newline that ends the line at `place`, else the one before it, else LF."""
        if "\r" not in self.text:
            return "\n"
        after = _NEWLINE.search(self.text, place)
        if after is not None:
            return after.group()
        return next((end for end in reversed(self.ends) if end), "\n")

    @cached_property
    def unit(self) -> int:
        """How many blanks a level of indentation has in this file, by most of its steps; 0 where none is seen."""
        widths = [len(line) - len(line.lstrip(" ")) for line in self.lines[:_LOOKED_AT] if line.strip() and line[0] != "\t"]
        steps = [b - a for a, b in pairwise(widths) if b - a in UNITS]
        return max(UNITS, key=steps.count) if steps else 0


UNITS: Final = (4, 2, 8, 3)
"""Widths in use for one level of indentation, in blanks."""

_LOOKED_AT: Final = 4000
