"""Changes of files → lines: hunks with line numbers, unified or side by side, with the words that differ in lines that resemble each other.

Every line has its sign (`+`, `-`), colours only help. The text is harmless; a change of line ends or of spaces at the end is shown. What
this module does not do: compare (`hunks`), read files, or decide what may be changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from rich.style import Style
from textual.strip import Strip

from kimicode.sandbox.approval import FileText
from kimicode.tui.draw.highlight import MAX_CHARS, highlighted_file
from kimicode.tui.draw.hunks import NO_END, Hunk, Row, compare, differing, lines_of
from kimicode.tui.draw.lines import Line, clipped, padded, safe, shortened, strips, wrapped
from kimicode.tui.draw.values import Look, Palette

SPLIT_FROM: Final = 140
"""Cells from which two columns are wide enough for most source text."""

_LEAST_FOR_SPLIT: Final = 40
_NO_END: Final = " ⟨no line end⟩"
_SIGNS: Final = ("␍", _NO_END)
MOST_LINES: Final = 5_000
"""More than this nobody reads on a screen."""

_MOST_WRAPS: Final = 8
"""A changed line takes no more lines than this on the screen."""


def draw_diff(files: Sequence[FileText], look: Look, *, max_lines: int | None = None, context: int = 3) -> tuple[Strip, ...]:
    """The changes, one file after the other. `max_lines`: no more than this, the last of them saying how many are missing."""
    most = MOST_LINES if max_lines is None else max_lines
    drawn = (line for at, file in enumerate(files) for line in _file(file, look, context, apart=at > 0))
    lines = list(islice(drawn, most + 1))
    if len(lines) > most:
        hidden = max(sum(_size(file, context) for file in files) - most + 1, 2)
        lines = [*lines[: most - 1], [(f"… {hidden:,} more lines", look.palette["muted"])]]
    return strips(lines, look.width)


def diff_counts(files: Sequence[FileText]) -> tuple[int, int]:
    """How many lines were added and how many removed."""
    pairs = [_counts(compare(file.before, file.after, 0)) for file in files]
    return sum(added for added, _ in pairs), sum(removed for _, removed in pairs)


def _counts(hunks: Sequence[Hunk]) -> tuple[int, int]:
    rows = [row for hunk in hunks for row in hunk.rows]
    return sum(row.old is None for row in rows), sum(row.new is None for row in rows)


def _size(file: FileText, context: int) -> int:
    hunks = compare(file.before, file.after, context)
    return 1 + len(hunks) + sum(len(hunk.rows) for hunk in hunks)


def _file(file: FileText, look: Look, context: int, *, apart: bool) -> Iterator[Line]:
    hunks = compare(file.before, file.after, context)
    if apart:
        yield []
    yield _heading(file, hunks, look)
    if file.note:
        yield from wrapped([(f"  {safe(file.note)}", look.palette["warning"])], look.width)
    split = look.diff == "split" or (look.diff == "auto" and look.width >= SPLIT_FROM)
    draw = _Split(file, look) if split and look.width >= _LEAST_FOR_SPLIT and file.before and file.after else _Unified(file, look)
    for at, hunk in enumerate(hunks):
        if at or hunk.heading:
            yield shortened([(f"  ⋯ {safe(hunk.heading)}".rstrip(), look.palette["hunk"])], look.width)
        yield from draw.hunk(hunk)


def _heading(file: FileText, hunks: Sequence[Hunk], look: Look) -> Line:
    palette = look.palette
    added, removed = _counts(hunks)
    what = "new" if file.before is None and file.after is not None else "deleted" if file.after is None and file.before is not None else ""
    if not what and not hunks and not file.note:
        what = "unchanged"
    tail: Line = [(f"  {what}", palette["muted"])] if what else []
    tail += (
        [("  ", palette["muted"]), (f"+{added}", palette["ok"]), (" ", palette["muted"]), (f"-{removed}", palette["error"])]
        if hunks
        else []
    )
    room = max(8, look.width - sum(len(text) for text, _ in tail))
    return [*shortened([(safe(file.path), palette["strong"])], room), *tail]


class _Texts:
    """Both texts of a file, coloured as far as hunks show them."""

    def __init__(self, file: FileText, look: Look) -> None:
        self.look = look
        self.palette: Palette = look.palette
        self._old, self._new = lines_of(file.before), lines_of(file.after)
        self._path = file.path
        # Where every line ends in the Windows way, before and after, that is no news.
        self._quiet = all(line.removesuffix(NO_END).endswith("\r") for line in (*self._old[:-1], *self._new[:-1]))
        self._plain = len(file.before or "") > MAX_CHARS or len(file.after or "") > MAX_CHARS
        self._lexed: dict[bool, list[Line]] = {}
        self.digits = len(str(max(len(self._old), len(self._new), 1)))

    def line(self, row: Row, *, old: bool, ground: Style, spans: Sequence[tuple[int, int]]) -> Line:
        """One line of source, over `ground`, with `spans` of it marked as what differs."""
        index = row.old if old else row.new
        assert index is not None
        same = row.old is not None and row.new is not None
        pieces: Line = [(self.text(index, old, same), self.palette["code_block"])] if self._plain else self._colored(old)[index]
        if same and not self._plain and pieces and pieces[-1][0].endswith(_SIGNS):
            pieces = [(self.text(index, old, same), self.palette["code_block"])]
        # What a changed line has behind it stays behind each of its pieces.
        behind = Style(bgcolor=ground.bgcolor) if ground.bgcolor is not None else Style.null()
        over = [(text, (style if ground.bgcolor is not None or not _bare_color(ground) else ground) + behind) for text, style in pieces]
        return _marked(over, spans, self.palette["removed_word" if old else "added_word"]) if spans else over

    def _colored(self, old: bool) -> list[Line]:
        if old not in self._lexed:
            lines = [self.text(index, old, False) for index in range(len(self._old if old else self._new))]
            self._lexed[old] = highlighted_file(lines, self._path, self.palette, self.palette["code_block"])
        return self._lexed[old]

    def text(self, index: int, old: bool, same: bool) -> str:
        """A line as it is drawn. Its end is shown where it is not the usual one and not the `same` as before."""
        line = (self._old if old else self._new)[index]
        bare = line.removesuffix(NO_END)
        windows = bare.endswith("\r")
        out = safe(clipped(bare[:-1] if windows else bare))
        if same:
            return out
        return out + ("␍" if windows and not self._quiet else "") + (_NO_END if len(bare) < len(line) else "")

    def number(self, index: int | None) -> str:
        return (" " * self.digits) if index is None else str(index + 1).rjust(self.digits)


class _Unified(_Texts):
    def hunk(self, hunk: Hunk) -> Iterator[Line]:
        marks = _marks(self, hunk)
        for row in hunk.rows:
            yield from self._row(row, marks)

    def _row(self, row: Row, marks: Mapping[tuple[bool, int], Sequence[tuple[int, int]]]) -> Iterator[Line]:
        old = row.new is None
        sign = " " if row.old is not None and row.new is not None else "-" if old else "+"
        ground = self.palette["removed" if sign == "-" else "added"] if sign != " " else Style.null()
        index = row.old if old else row.new
        assert index is not None
        gutter: Line = [(f"{self.number(index)} ", self.palette["line_number"]), (f"{sign} ", ground)]
        room = max(2, self.look.width - self.digits - 3)
        pieces = self.line(row, old=old, ground=ground, spans=marks.get((old, index), ()))
        for at, part in enumerate(_rows_of(pieces, room)):
            line = [*(gutter if at == 0 else [(" " * (self.digits + 1), self.palette["line_number"]), ("  ", ground)]), *part]
            yield padded(line, self.look.width, ground) if ground.bgcolor is not None else line


class _Split(_Texts):
    def hunk(self, hunk: Hunk) -> Iterator[Line]:
        marks = _marks(self, hunk)
        for left, right in _paired(hunk):
            yield from self._row(left, right, marks)

    def _row(self, left: Row | None, right: Row | None, marks: Mapping[tuple[bool, int], Sequence[tuple[int, int]]]) -> Iterator[Line]:
        half = (self.look.width - 3) // 2
        sides = [self._side(left, half, marks, old=True), self._side(right, half, marks, old=False)]
        for at in range(max(map(len, sides))):
            one, other = (side[at] if at < len(side) else [] for side in sides)
            yield [*padded(one, half, Style.null()), (" │ ", self.palette["border"]), *other]

    def _side(self, row: Row | None, half: int, marks: Mapping[tuple[bool, int], Sequence[tuple[int, int]]], *, old: bool) -> list[Line]:
        if row is None:
            return []
        index = row.old if old else row.new
        assert index is not None
        changed = row.old is None or row.new is None
        ground = self.palette["removed" if old else "added"] if changed else Style.null()
        sign = ("-" if old else "+") if changed else " "
        gutter: Line = [(f"{self.number(index)} ", self.palette["line_number"]), (f"{sign} ", ground)]
        room = max(2, half - self.digits - 3)
        pieces = self.line(row, old=old, ground=ground, spans=marks.get((old, index), ()))
        lines = []
        for at, part in enumerate(_rows_of(pieces, room)):
            line = [*(gutter if at == 0 else [(" " * (self.digits + 1), self.palette["line_number"]), ("  ", ground)]), *part]
            lines.append(padded(line, half, ground) if ground.bgcolor is not None else line)
        return lines


def _bare_color(ground: Style) -> bool:
    """True where a changed line has only its own colour to stand out by (terminals' own 16 colours)."""
    return ground.bgcolor is None and (ground.color is not None or bool(ground.bold))


def _rows_of(pieces: Line, width: int) -> list[Line]:
    rows = wrapped(pieces, width, words=False)
    if len(rows) <= _MOST_WRAPS:
        return rows
    kept = rows[:_MOST_WRAPS]
    return [*kept[:-1], [*shortened([*kept[-1], ("  ", Style.null())], width)]]


def _paired(hunk: Hunk) -> Iterator[tuple[Row | None, Row | None]]:
    """The rows side by side: removed lines beside the added ones that replace them."""
    removed: list[Row] = []
    added: list[Row] = []
    for row in hunk.rows:
        if row.new is None:
            removed.append(row)
        elif row.old is None:
            added.append(row)
        else:
            yield from _zipped(removed, added)
            removed, added = [], []
            yield row, row
    yield from _zipped(removed, added)


def _zipped(removed: Sequence[Row], added: Sequence[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    for at in range(max(len(removed), len(added))):
        yield (removed[at] if at < len(removed) else None), (added[at] if at < len(added) else None)


def _marks(texts: _Texts, hunk: Hunk) -> dict[tuple[bool, int], Sequence[tuple[int, int]]]:
    """What differs inside lines that replace one another, by side and line."""
    marks: dict[tuple[bool, int], Sequence[tuple[int, int]]] = {}
    for left, right in _paired(hunk):
        if left is None or right is None or left is right or left.old is None or right.new is None:
            continue
        found = differing(texts.text(left.old, True, False), texts.text(right.new, False, False))
        if found is not None:
            marks[True, left.old], marks[False, right.new] = found
    return marks


def _marked(pieces: Line, spans: Sequence[tuple[int, int]], style: Style) -> Line:
    out: Line = []
    at = 0
    for text, own in pieces:
        cut = 0
        for start, end in spans:
            start, end = max(start - at, cut), min(end - at, len(text))
            if start < end:
                out += [(text[cut:start], own), (text[start:end], own + style)] if start > cut else [(text[start:end], own + style)]
                cut = end
        if cut < len(text):
            out.append((text[cut:], own))
        at += len(text)
    return out
