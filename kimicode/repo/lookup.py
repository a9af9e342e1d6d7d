"""One file's symbols, asked by line: what is around a line, and as what a name stands there.

What this module does not do: look for lines (`tools` runs ripgrep), or at other files (`neighbours`).
"""

import re
from bisect import bisect_right
from collections.abc import Sequence, Set
from enum import IntEnum
from functools import cached_property
from typing import Final

from kimicode.repo.symbols import Definition, FileSymbols, Reference, ReferenceKind


class Role(IntEnum):
    """As what a name stands in a line, in the order of what is mostly looked for."""

    DEFINITION = 0
    BASE = 1
    IMPORT = 2
    CALL = 3
    USE = 4
    UNKNOWN = 5
    """Nothing is known about the file."""
    TEXT = 6
    """In a comment, a string or documentation."""


WORD: Final = re.compile(r"[^\W\d]\w*")
_UNREAD: Final = frozenset({"too large", "too slow", "binary", "minified"})
_HEADER_LINES: Final = 40
"""Decorators and comments that a definition may have above its name."""

_ROLES: Final[dict[ReferenceKind, Role]] = {
    "call": Role.CALL, "base": Role.BASE, "import": Role.IMPORT, "type": Role.USE, "decorator": Role.USE, "name": Role.USE,
}  # fmt: skip


class FileView:
    """The symbols of one file."""

    def __init__(self, symbols: FileSymbols) -> None:
        self.symbols = symbols

    @cached_property
    def _starts(self) -> list[int]:
        return [each.line for each in self.symbols.definitions]

    def on(self, lines: Set[int]) -> dict[int, list[Reference]]:
        """The references that stand in some of the lines, by line."""
        found: dict[int, list[Reference]] = {}
        for each in [each for each in self.symbols.references if each.line in lines]:
            found.setdefault(each.line, []).append(each)
        return found

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every name that the file uses."""
        return frozenset(each.name for each in self.symbols.references)

    @property
    def read(self) -> bool:
        """False where the file was not read as source, so that nothing is known of it."""
        return self.symbols.problem not in _UNREAD

    def within(self, line: int) -> int:
        """The place of the innermost definition around `line`; -1 where there is none."""
        place = bisect_right(self._starts, line) - 1
        # What encloses the line encloses the last definition that begins before it.
        while place >= 0 and self.symbols.definitions[place].end_line < line:
            place = self.symbols.definitions[place].parent
        return place

    def label(self, place: int) -> str:
        """The full name of a definition within its file: `Class.method`; "" for the top of the file."""
        names: list[str] = []
        while place >= 0:
            each = self.symbols.definitions[place]
            names.append(each.name)
            place = each.parent
        return ".".join(reversed(names))

    def introduced(self, line: int, text: str, words: Set[str]) -> int:
        """The place of the definition with one of the names `words` whose name stands in this line; -1 where none does."""
        place = bisect_right(self._starts, line) - 1
        while place >= 0 and self.symbols.definitions[place].line > line - _HEADER_LINES:
            each = self.symbols.definitions[place]
            if each.name in words and line <= each.end_line and _introduces(each, line, text):
                return place
            place -= 1
        return -1

    def role(self, line: int, text: str, words: Set[str], references: Sequence[Reference]) -> Role:
        """As what one of `words` stands in `line`, whose text is `text` and whose references are `references`."""
        if not self.read:
            return Role.UNKNOWN
        found = [_ROLES[each.kind] for each in references if each.name in words]
        if self.introduced(line, text, words) >= 0:
            return Role.DEFINITION
        if found:
            return min(found)
        if any(each.line == line and (words & {*each.names, *WORD.findall(each.module)}) for each in self.symbols.imports):
            return Role.IMPORT
        return Role.UNKNOWN if self.symbols.problem == "syntax errors" else Role.TEXT

    def bases(self, place: int) -> tuple[str, ...]:
        """The names that the definition at `place` inherits from or implements, as written, without what they are qualified with."""
        found = (each.name for each in self.symbols.references if each.kind == "base" and each.within == place)
        return tuple(dict.fromkeys(found))

    def members(self, place: int) -> list[int]:
        """The places of the definitions directly within the one at `place`; of those at the top for -1."""
        return [number for number, each in enumerate(self.symbols.definitions) if each.parent == place]


def _introduces(definition: Definition, line: int, text: str) -> bool:
    if line == definition.line:
        return definition.name in text
    head, found, _ = definition.signature.partition(definition.name)
    flat = " ".join(text.split())
    if found and " ".join((head + found).split()) in flat:
        return True
    # The result's type may stand on a line of its own, above the name.
    return line - definition.line <= 2 and flat.startswith((definition.name, f"*{definition.name}")) and "(" in flat
