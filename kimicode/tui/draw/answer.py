"""An answer that streams in → lines, each part drawn once for good as soon as nothing that follows can change it.

What is open is drawn anew each time: a paragraph, a table. A long list or fence that is open is drawn in pieces, those of a fence each
coloured alone and, beyond `_PLAIN_FROM` lines, not at all; when it ends it is drawn once more, whole. So the end of a long answer costs
what its beginning did. What this module does not do: read Markdown.
"""

import re
from typing import Final

import msgspec
from textual.strip import Strip

from kimicode.text import Untrusted, render_safe
from kimicode.tui.draw.lines import Line, hung, source_lines, strips, wrapped
from kimicode.tui.draw.markdown import fence, find_boundary, find_item, markdown
from kimicode.tui.draw.values import Drawn, Look

_PIECE_LINES: Final = 20
"""So many lines of an open fence are drawn for good together: what a lexer reads in a millisecond or two."""

_LIST_PIECE: Final = 2_000
"""Characters of an open list from which on its finished items are kept."""

_PLAIN_FROM: Final = 200
_MOST_CHARS: Final = 50_000
"""A single block beyond this is drawn in parts, a list as several lists, others as plain text: reading it all would be felt."""

_MOST_OPEN: Final = 12_000
"""The same for a block that still grows; it is read when it ends."""

_MARGIN: Final = "  "
_SPAN: Final = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_MOST_MENDED: Final = 4_000
_TICKS: Final = re.compile(r"`+")
_OPENER: Final = re.compile(r"( {0,3})(`{3,}|~{3,})(.*)")
_HALF: Final = re.compile(r"(?:\x1b(?:\[[0-9;:]*)?|\r)\Z")
"""What may be the first half of something that vanishes once it is whole."""


class _Fence(msgspec.Struct, frozen=True):
    """An opening line of a fence: where its body begins in the text, how far it is indented, and what closes it."""

    body: int
    indent: int
    language: str
    closer: re.Pattern[str]


def draw_answer(text: str, done: bool, look: Look, before: Drawn | None = None) -> Drawn:
    """The answer as lines. `before` is what this gave at the same look for a shorter text; what of it is the same is not drawn again."""
    drawing = _Drawing(text, look, before)
    return drawing.whole(done)


class _Drawing:
    def __init__(self, text: str, look: Look, before: Drawn | None) -> None:
        self._before = before if before is not None and before.mark == hash(text[: before.sealed + before.loose]) else Drawn(())
        self._text = text
        self._look = look
        self._margin = _MARGIN if look.width > 20 else ""
        self._width = max(1, look.width - len(self._margin))
        self._lines: list[Strip] = list(self._before.lines[: self._before.sealed_lines])
        self._at = self._before.sealed

    def whole(self, done: bool) -> Drawn:
        """All of it. What is `sealed` in the answer will not be looked at again."""
        sealed, sealed_lines = self._at, len(self._lines)
        while self._at < len(self._text):
            opened = _opened(self._text, self._at)
            if opened is not None:
                end = self._closed(opened)
                if end is None and not done:
                    return self._open_fence(opened)
                self._whole_fence(opened, end)
                if not self._text.endswith("\n", 0, self._at):
                    break
            elif not self._advance(done):
                break
            sealed, sealed_lines = self._at, len(self._lines)
        loose = loose_lines = 0
        if sealed == self._at < len(self._text) and not done:
            at = self._open_list()
            loose, loose_lines, self._at = at - sealed, len(self._lines) - sealed_lines, at
        if self._at < len(self._text):
            self._rest(self._text[self._at :], done, apart=not loose or self._text.endswith("\n\n", 0, self._at))
        return self._drawn(sealed, sealed_lines, loose, loose_lines)

    def _drawn(self, sealed: int, sealed_lines: int, loose: int, loose_lines: int) -> Drawn:
        # The hash of a million characters takes a third of a millisecond; a wrong guess would show another answer's lines.
        mark = hash(self._text[: sealed + loose])
        return Drawn(tuple(self._lines), False, False, sealed, sealed_lines, loose, loose_lines, mark)

    def _open_list(self) -> int:
        """Of a long list that is open, whole items are kept until it ends. Where those that are not kept begin."""
        at = self._loose_from()
        if at > self._at:
            self._lines += self._before.lines[len(self._lines) : len(self._lines) + self._before.loose_lines]
        if len(self._text) - at <= _LIST_PIECE or (item := find_item(self._text, at)) == at:
            return at
        apart = at == self._at or self._text.endswith("\n\n", 0, at)
        self._add(markdown(self._text[at:item], self._width, self._look.palette), apart=apart)
        return item

    def _loose_from(self) -> int:
        """Where the part of the open block begins that is not kept yet."""
        return self._at + self._before.loose if self._before.sealed == self._at else self._at

    def _advance(self, done: bool) -> bool:
        """Draw blocks that are complete. False where only the rest is left."""
        limit = self._at + _MOST_CHARS
        long = len(self._text) > limit
        if done and not long:
            return False
        start = self._loose_from()
        head = self._text[:limit] if long else self._text
        if (end := find_boundary(head, start)) > start or (long and (end := find_item(head, self._at)) > self._at):
            self._add(markdown(self._text[self._at : end], self._width, self._look.palette))
        elif long and (end := self._text.rfind("\n", self._at, limit) + 1 or self._text.find("\n", limit) + 1):
            self._add(self._plain(self._text[self._at : end]))
        else:
            return False
        self._at = end
        return True

    def _rest(self, text: str, done: bool, *, apart: bool) -> None:
        if len(text) > (_MOST_CHARS if done else _MOST_OPEN):
            self._add(self._plain(text), apart=apart)
            return
        shown = text if done else mended(_HALF.sub("", text))
        self._add(markdown(shown, self._width, self._look.palette), apart=apart)

    def _plain(self, text: str) -> list[Line]:
        return [part for line in source_lines(text) for part in wrapped([(line, self._look.palette["text"])], self._width)]

    def _closed(self, opened: _Fence) -> tuple[int, int] | None:
        """Where the closing line begins and ends, if there is one."""
        start = max(opened.body, self._loose_from())
        tail = render_safe(Untrusted(self._text[start:]))
        found = opened.closer.search(tail)
        if found is None:
            return None
        begin = _after_lines(self._text, start, tail.count("\n", 0, found.start()))
        return begin, _after_lines(self._text, begin, 1)

    def _whole_fence(self, opened: _Fence, end: tuple[int, int] | None) -> None:
        stop, after = end or (len(self._text), len(self._text))
        body = self._text[opened.body : stop]
        last = body.rpartition("\n")[2]
        # A last line of nothing but spaces is not counted by the parser either.
        self._add(self._code(body[: len(body) - len(last)] if end is None and not last.strip(" \t") else body, opened, opened.language))
        self._at = after

    def _open_fence(self, opened: _Fence) -> Drawn:
        """Of what is open, whole pieces are kept until it closes."""
        sealed, sealed_lines = self._at, len(self._lines)
        at = max(opened.body, self._loose_from())
        if at > opened.body:
            self._lines += self._before.lines[sealed_lines : sealed_lines + self._before.loose_lines]
        while (end := _nth_line(self._text, at, _PIECE_LINES)) is not None:
            self._add_code(self._text[at:end], opened, sealed_lines)
            at = end
        loose, loose_lines = at - sealed, len(self._lines) - sealed_lines
        if at < len(self._text):
            self._add_code(_HALF.sub("", self._text[at:]), opened, sealed_lines)
        return self._drawn(sealed, sealed_lines, loose, loose_lines)

    def _add_code(self, text: str, opened: _Fence, first: int) -> None:
        count = len(self._lines) - first
        code = self._code(text, opened, opened.language if count < _PLAIN_FROM else "")
        self._add(code, apart=count == 0)

    def _code(self, text: str, opened: _Fence, language: str) -> list[Line]:
        shown = render_safe(Untrusted(text))
        if opened.indent:
            shown = "\n".join(_dedented(line, opened.indent) for line in shown.split("\n"))
        return fence(shown, language, self._width, self._look.palette) if shown else []

    def _add(self, lines: list[Line], *, apart: bool = True) -> None:
        if not lines:
            return
        if apart and self._lines:
            self._lines.append(Strip([], 0))
        margin: Line = [(self._margin, self._look.palette["text"])] if self._margin else []
        self._lines += strips(hung(margin, margin, lines), self._look.width)


def _opened(text: str, at: int) -> _Fence | None:
    """The fence that begins at `at`, where a block begins."""
    end = text.find("\n", at) + 1
    if not end:
        return None
    found = _OPENER.fullmatch(render_safe(Untrusted(text[at : end - 1] if text[end - 2] != "\r" else text[at : end - 2])))
    if found is None or (found[2][0] == "`" and "`" in found[3]):
        return None
    words = found[3].split(maxsplit=1)
    closer = re.compile(rf"^ {{0,3}}{found[2][0]}{{{len(found[2])},}}[ \t]*$", re.MULTILINE)
    return _Fence(end, len(found[1]), words[0] if words else "", closer)


def _dedented(line: str, indent: int) -> str:
    """The line without `indent` columns of space, where it has so many; a tab that is cut leaves spaces (CommonMark 2.2)."""
    column = at = 0
    while at < len(line) and column < indent and line[at] in " \t":
        column += 1 if line[at] == " " else 4 - column % 4
        at += 1
    return " " * (column - indent) + line[at:]


def _after_lines(text: str, at: int, lines: int) -> int:
    for _ in range(lines):
        at = text.find("\n", at) + 1
        if not at:
            return len(text)
    return at


def _nth_line(text: str, at: int, lines: int) -> int | None:
    """Where the line after `lines` whole ones begins; None where there are not so many."""
    for _ in range(lines):
        at = text.find("\n", at) + 1
        if not at:
            return None
    return at


def mended(text: str) -> str:
    """The text with what is open in its last paragraph closed, so that it looks already as it will."""
    last = text[text.rfind("\n\n") + 1 :].rstrip()
    if "```" in text or "~~~" in text or not last or len(last) > _MOST_MENDED:
        return text
    bare = _SPAN.sub("", last)
    if "`" in bare:
        return text if last.endswith("`") else text.rstrip() + _TICKS.findall(bare)[-1]
    mark = next((mark for mark in ("**", "~~") if bare.count(mark) % 2 and not bare.endswith(mark)), "")
    return text.rstrip() + mark if mark else text
