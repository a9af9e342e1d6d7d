"""A part of a change as the reviewer sees it: numbered lines, what was added and removed marked, with the code around it.

Each line of the repository stands behind a gutter and holds no character that ends a line or steers a terminal, so that none of it can
pass for words of ours. The text without numbers is the same wherever the code stands in its file: that is what a cache goes by.
What this module does not do: choose what is shown together (`groups` does).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from kimicode.review.blocks import Shape, around
from kimicode.review.change import FileChange, Hunk
from kimicode.text import Untrusted, render_safe

LONGEST_LINE: Final = 400
GAP: Final = "…"
MASKED: Final = "[a line that holds a secret is not shown]"
_TOKEN: Final = re.compile(r"<\|(?=\w+\|>)")
"""The control tokens of chat templates. An endpoint might take them for its own, wherever they stand."""


class Row(NamedTuple):
    """One line. `number` is that of the new file, 0 for what is not in it; `mark` is " ", "+", "-", or `GAP`."""

    number: int
    mark: str
    text: str


_GAP_ROW: Final = Row(0, GAP, "")


class Piece(msgspec.Struct, frozen=True):
    """Some hunks of one file."""

    file: FileChange
    hunks: tuple[Hunk, ...]

    @property
    def changed(self) -> int:
        """How many lines they add and remove."""
        return sum(line[:1] != " " for hunk in self.hunks for line in hunk.lines)


class View(msgspec.Struct, frozen=True):
    """A piece as it is shown. `name` is its path as the model reads and writes it."""

    piece: Piece
    name: str
    rows: tuple[Row, ...]

    @property
    def text(self) -> str:
        """What the model reads."""
        return "\n".join((self._head, *(f"{row.number or '':>6} {row.mark} {row.text}" for row in self.rows)))

    @property
    def identity(self) -> str:
        """The same without numbers, and without saying whether it stands at the top."""
        rows = self.rows[1:] if self.rows[:1] == (_GAP_ROW,) else self.rows
        return "\n".join((self._head, *(f"{row.mark} {row.text}" for row in rows)))

    @property
    def _head(self) -> str:
        origin = f", was {inert(self.piece.file.origin)}" if self.piece.file.origin else ""
        return f"file {self.name} ({self.piece.file.status}{origin})"

    def side(self, new: bool) -> Iterator[Row]:
        """The lines of the new file, or of the old one, as far as they are shown."""
        return (row for row in self.rows if row.mark != ("-" if new else "+"))


def inert(text: str) -> str:
    """`text` as one line of harmless characters, cut where it is very long."""
    plain = text if text.isascii() and text.isprintable() else render_safe(Untrusted(text.rstrip("\r"))).replace("\n", "␊")
    return _TOKEN.sub("< |", plain if len(plain) <= LONGEST_LINE else plain[:LONGEST_LINE] + GAP)


def view(piece: Piece, content: bytes | None, shape: Shape, masked: Iterable[int] = ()) -> View:
    """`piece` with the code around it from `content`, the whole new file; without it, the hunks alone. The lines `masked` are not shown."""
    hidden = frozenset(masked)
    lines = [] if content is None else content.decode("utf-8", "replace").removesuffix("\n").split("\n")
    rows = tuple(Row(row.number, row.mark, MASKED if row.number in hidden else inert(row.text)) for row in _rows(piece.hunks, lines, shape))
    return View(piece, inert(piece.file.path), rows)


def _rows(hunks: Sequence[Hunk], lines: Sequence[str], shape: Shape) -> Iterator[Row]:
    shown = 0
    for at, hunk in enumerate(hunks):
        limit = hunks[at + 1].new_start if at + 1 < len(hunks) else len(lines) + 1
        first, end, headers = around(lines, hunk, shape)
        before = [number for number in headers if number > shown]
        for number in (*before, *range(max(first, shown + 1), hunk.new_start)):
            if number > shown + 1:
                yield _GAP_ROW
            yield Row(number, " ", lines[number - 1])
            shown = number
        if hunk.new_start > shown + 1:
            yield _GAP_ROW
        for row in _hunk_rows(hunk):
            shown = max(shown, row.number)
            yield row
        for number in range(hunk.new_start + hunk.new_count, min(end, limit)):
            yield Row(number, " ", lines[number - 1])
            shown = number


def _hunk_rows(hunk: Hunk) -> Iterator[Row]:
    number = hunk.new_start
    for line in hunk.lines:
        removed = line[:1] == "-"
        yield Row(0 if removed else number, line[:1], line[1:])
        number += not removed
