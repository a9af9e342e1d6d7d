"""What stands in the file after an edit of one place: new lines spelled as the file spells, all others byte for byte as they were.

Old and new text are aligned by lines. A line that both have stays the file's; a new one gets the file's indentation, newline, normal form
and plain characters where the matched lines show that the model's differ. What this module does not do: find the place (`edit.ladder`).
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from kimicode.edit.indent import reindented
from kimicode.edit.ladder import Place, Rung, indents
from kimicode.edit.lines import BLANKS, Page, indentation, lf, split
from kimicode.edit.spelling import Habit, fold, habit_of, keep_spelling
from kimicode.errors import ToolError

_LONE_CR: Final = re.compile(r"\r(?!\n)")
_MAX_ALIGNED: Final = 4_000_000
"""Pairs of lines that are aligned; larger blocks are replaced whole, between what they share at both ends."""


class _Block(msgspec.Struct, frozen=True):
    """The matched lines of the file, the model's copy of them, and the lines to put there."""

    file: list[str]
    ends: list[str]
    sent: list[str]
    new: list[str]


def spliced(page: Page, place: Place, old: str, new: str, rung: Rung | None) -> str:
    """The text for `place`, where `old` was found on `rung`. Raises `ToolError` where new lines can't be indented with certainty."""
    segment = page.text[place.start : place.end]
    if segment == old and (not ("\r" in page.text or "\r" in new) or lf(old) == lf(new)):
        return new
    file, ends = split(segment)
    sent, wanted = lf(old).split("\n"), _lines(page.text, old, new)
    if len(file) < len(sent):  # the file ends without the newline that the old text has
        sent, wanted = sent[:-1], wanted[:-1] if wanted[-1] == "" else wanted
    block = _Block(file, ends, sent, wanted)
    spell = _Speller(page, block, rung)
    lines = [(spell.line(was, line), end) for was, line, end in _aligned(block)]
    return _joined(lines, next((end for end in ends if end), "") or page.newline_near(place.end))


def _lines(text: str, old: str, new: str) -> list[str]:
    """The lines of the new text. A lone CR in it is a newline only where the others know that kind; else it is a character."""
    if "\r" in new and (_LONE_CR.search(text) or _LONE_CR.search(old)):
        return lf(new).split("\n")
    return new.replace("\r\n", "\n").split("\n")


def _joined(lines: Sequence[tuple[str, str]], fallback: str) -> str:
    """Every line but the last needs a newline: its own, else that of the line before it, else the `fallback`."""
    parts: list[str] = []
    newline = next((end for _, end in lines if end), fallback)
    for line, end in lines[:-1]:
        newline = end or newline
        parts += [line, newline]
    return "".join(parts) + (lines[-1][0] if lines else "")


Aligned = tuple[int | None, str, str]
"""The number of the file's line that stays or is replaced (None: added), the new line, and the newline it takes over."""


def _aligned(block: _Block) -> Iterator[Aligned]:
    for tag, i1, i2, j1, j2 in _opcodes(block.sent, block.new):
        if tag == "equal":
            yield from ((i, block.new[j], block.ends[i]) for i, j in zip(range(i1, i2), range(j1, j2), strict=True))
            continue
        even = i2 - i1 == j2 - j1
        for n, line in enumerate(block.new[j1:j2]):
            yield (i1 + n if even else None, line, block.ends[i1 + n] if i1 + n < i2 else "")


def _opcodes(a: list[str], b: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(a) > 1 and a[-1] == b[-1] == "":
        # Both end with a newline: what comes after it is no line, and must not pass for a blank one further up.
        return [*_opcodes_of_lines(a[:-1], b[:-1]), ("equal", len(a) - 1, len(a), len(b) - 1, len(b))]
    return _opcodes_of_lines(a, b)


def _opcodes_of_lines(a: list[str], b: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    if len(a) * len(b) <= _MAX_ALIGNED:
        return difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    short = min(len(a), len(b))
    head = next((n for n in range(short) if a[n] != b[n]), short)
    tail = next((n for n in range(short - head) if a[-1 - n] != b[-1 - n]), short - head)
    i, j = len(a) - tail, len(b) - tail
    return [("equal", 0, head, 0, head), ("replace", head, i, head, j), ("equal", i, len(a), j, len(b))]


class _Speller:
    """Spells new lines as the matched ones are spelled."""

    def __init__(self, page: Page, block: _Block, rung: Rung | None) -> None:
        self._block, self._rung = block, rung
        self._habit = Habit() if rung is None else habit_of(block.file, block.sent)
        self._known = _unambiguous(block)
        self._indents: dict[str, str] = {}
        if rung is not None and rung.shifted:
            self._indents = self._reindented(page.unit, rung)

    def _reindented(self, unit: int, rung: Rung) -> dict[str, str]:
        known = set(self._block.sent)
        new = {indentation(rung.spell(line)) for line in self._block.new if line.strip(BLANKS) and line not in known}
        found = reindented(indents(self._block.file, self._block.sent, rung), sorted(new), unit)
        if found is None:
            raise ToolError(
                "old_string is in the file with another indentation, and how to indent the lines of new_string there is not certain. "
                "Send both with the file's own indentation."
            )
        return found

    def line(self, was: int | None, new: str) -> str:
        """The line to write for `new`, which replaces the block's line number `was`, if any."""
        if self._rung is None:
            return self._block.file[was] if was is not None and self._block.sent[was] == new else new
        if was is not None and self._block.sent[was] == new:
            return self._block.file[was]
        if new in self._known:
            return self._known[new]
        if not self._rung.shifted:
            return self._respelled(was, new, "")
        if not new.strip(BLANKS):
            return self._habit.spell(new)
        return self._respelled(was, new, indentation(self._rung.spell(new)))

    def _respelled(self, was: int | None, new: str, indent: str) -> str:
        before = self._indents.get(indent, "")
        new = new[len(indent) :]
        if was is None:
            return before + self._habit.spell(new)
        file, sent = self._block.file[was], self._block.sent[was]
        if self._rung is not None and self._rung.shifted:
            file, sent = _body(file), _body(sent)
        return before + keep_spelling(file.rstrip(BLANKS), sent.rstrip(BLANKS), new, self._habit)


def _body(line: str) -> str:
    return line[len(indentation(fold(line))) :]


def _unambiguous(block: _Block) -> dict[str, str]:
    """How the file spells each line that the model copied, where it spells it in one way."""
    known: dict[str, str] = {}
    twice: set[str] = set()
    for line, copy in zip(block.file, block.sent, strict=True):
        if known.setdefault(copy, line) != line:
            twice.add(copy)
    return {copy: line for copy, line in known.items() if copy not in twice and copy.strip(BLANKS)}
