"""The lines of a patch, numbered, and what all notations share: wrappers around the whole, bodies of hunks, and words for errors.

A carriage return at a line's end is never part of the line: newlines follow the file that is changed. What this module does not do:
know one notation's markers.
"""

import re
from typing import Final, NoReturn

from kimicode.edit.patches.values import Hunk, Line
from kimicode.errors import ToolError

_FENCE: Final = re.compile(r"(`{3,}|~{3,})[ \t]*[\w+.-]*[ \t]*$")
_COMMAND: Final = re.compile(
    r"""\s*(?:(?:/bin/)?(?:ba|z|da)?sh\s+-l?c\s+["'])?"""
    r"""\s*(?:cat|apply_patch|applypatch|git\s+apply|patch(?:\s+-p[01])?)?"""
    r"""\s*(?:(?<!<)<<-?\s*(["']?)(\w+)\1)?\s*(?:\|\s*(?:apply_patch|applypatch|git\s+apply|patch(?:\s+-p[01])?)\s*)?(?:-\s*)?$"""
)
"""The one line before a patch that a shell would need: a here-document for a program that applies patches."""

_NUMBERS: Final = re.compile(r"@@+ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))?(?: @@|$)")
_SHOWN: Final = 120
_WRAPPERS: Final = 4


class Reader:
    """A cursor over lines. `number` is that of the line ahead, from 1, counted in the text as it was sent."""

    def __init__(self, text: str) -> None:
        lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
        first, last = _unwrapped(lines)
        self._lines, self._offset, self._next = lines[first:last], first, 0

    @property
    def number(self) -> int:
        """The number of the line ahead."""
        return self._offset + self._next + 1

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self._offset + len(self._lines)

    @property
    def more(self) -> bool:
        """False at the end."""
        return self._next < len(self._lines)

    @property
    def is_last(self) -> bool:
        """True where nothing but blank lines follows the line ahead."""
        return not any(line.strip() for line in self._lines[self._next + 1 :])

    def peek(self, ahead: int = 0) -> str:
        """The line ahead, or one after it; empty past the end."""
        place = self._next + ahead
        return self._lines[place] if place < len(self._lines) else ""

    def take(self) -> str:
        """The line ahead, and go on."""
        line = self.peek()
        self._next += 1
        return line

    def skip_blank(self) -> None:
        """Go on to a line that is not blank."""
        while self.more and not self.peek().strip():
            self._next += 1

    def fail(self, message: str, number: int | None = None) -> NoReturn:
        """`ToolError` that names the line ahead, or the line `number`, and shows the line ahead."""
        raise ToolError(f"patch line {self.number if number is None else number}: {message} Nothing was changed.")

    def unexpected(self, wanted: str) -> NoReturn:
        """`ToolError` for the line ahead: what it is, and what was expected."""
        if not self.more:
            self.fail(f"the patch ends here; expected {wanted}.")
        line = self.peek()
        shown = line if len(line) <= _SHOWN else line[:_SHOWN] + "…"
        self.fail(f"{shown!r} is not expected here; expected {wanted}.")


class Body:
    """The lines of one hunk as they are read."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.at_end = False
        self._blank = self._leading = 0
        self._old_ends_bare = self._new_ends_bare = False

    def take(self, line: str) -> bool:
        """Add a line of the patch; False where it is none of a hunk. An empty one is an empty line that stays."""
        if line.startswith("\\ ") and self.lines:
            sign = self.lines[-1].sign
            self._old_ends_bare |= sign != "+"
            self._new_ends_bare |= sign != "-"
            return True
        match line[:1]:
            case "" | " ":
                self.lines.append(Line(" ", line[1:]))
            case "-" | "+" as sign:
                self.lines.append(Line("-" if sign == "-" else "+", line[1:]))
            case _:
                return False
        self._blank = 0 if line else self._blank + 1
        self._leading += self._blank == len(self.lines)
        return True

    def hunk(self, at: int, anchors: tuple[str, ...], start: int | None) -> Hunk:
        """The hunk. Empty lines at its ends, without even a sign, were there to be read more easily: they are no part of it."""
        lines = tuple(self.lines[: len(self.lines) - self._blank])
        if any(line.sign != "+" for line in lines[self._leading :]):
            lines = lines[self._leading :]
        newline = False if self._new_ends_bare else True if self._old_ends_bare else None
        at_end = self.at_end or newline is not None
        if self._old_ends_bare and self._new_ends_bare:
            newline = None
        return Hunk(at, lines, anchors, at_end, start, newline)


def numbers(line: str) -> tuple[int, int, int, int] | None:
    """Old start and count, new start and count of `@@ -1,2 +3,4 @@`; None for other lines."""
    found = _NUMBERS.match(line)
    if found is None:
        return None
    old, olds, new, news = found.groups()
    return int(old), int(olds or "1"), int(new), int(news or "1")


def anchor(line: str) -> str:
    """The line of the file that `@@ line` names; empty where it names none."""
    text = line[2:].rstrip()
    text = text.removesuffix("@@").rstrip() if text.endswith(" @@") or text == "@@" else text
    return "" if text.strip() in ("", "...", "…") else text.removeprefix(" ")


def _unwrapped(lines: list[str]) -> tuple[int, int]:
    """From which line to before which the patch itself is. Blank lines at its end stay: they may be lines of a hunk."""
    first, last = 0, len(lines)
    for _ in range(_WRAPPERS):
        full = [number for number in range(first, last) if lines[number].strip()]
        if not full:
            break
        opening, closing = lines[full[0]], lines[full[-1]].strip()
        if fence := _FENCE.match(opening):
            closed = len(full) > 1 and closing == fence[1]
        elif command := _COMMAND.match(opening):
            closed = command[2] is not None and closing.rstrip("\"')") == command[2]
        else:
            break
        first, last = full[0] + 1, full[-1] if closed else last
    return first, last
