"""SEARCH/REPLACE blocks: a path, the lines that are there, and the lines to put in their place.

Each block is an operation of its own, so a later one may change what an earlier one wrote. What this module does not do: treat lines
that both halves have at their start or end as changed.
"""

import re
from itertools import takewhile
from typing import Final

from kimicode.edit.patches.reader import Reader
from kimicode.edit.patches.values import AddFile, Hunk, Line, Operation, UpdateFile

_SEARCH: Final = re.compile(r"(?:<{5,9}|-{5,9}) ?(?:SEARCH|ORIGINAL)\s*>?\s*$")
_MIDDLE: Final = re.compile(r"={5,9}\s*$")
_REPLACE: Final = re.compile(r"(?:>{5,9}|\+{5,9}) ?(?:REPLACE|UPDATED)\s*$")
_FENCE: Final = re.compile(r"\s*(?:`{3,}|~{3,})[\w+.-]*\s*$")
_LABEL: Final = re.compile(r"^(?:#+\s+)?(?:\*\*)?(?:[Ff]ile(?:name)?:\s*)?`?(.*?)`?(?:\*\*)?:?$")


def is_block(line: str) -> bool:
    """True for the line with which a block starts."""
    return _SEARCH.match(line) is not None


def parse_blocks(reader: Reader) -> tuple[Operation, ...]:
    """The operations in order. Raises `ToolError`."""
    operations: list[Operation] = []
    path = ""
    while True:
        named = _between(reader)
        if not reader.more:
            break
        path = named or path
        if not path:
            reader.unexpected("the path of the file on the line before this one")
        operations.append(_block(reader, path))
    return tuple(operations)


def _between(reader: Reader) -> str:
    """The path before the next block, empty where there is none. Fences and blank lines say nothing."""
    path = ""
    while reader.more and not is_block(reader.peek()):
        line = reader.peek().strip()
        if line and not _FENCE.match(line):
            label = _LABEL.match(line)
            if path or label is None or not label[1]:
                reader.unexpected("'<<<<<<< SEARCH', after one line with the path of the file")
            path = label[1].strip()
        reader.take()
    if path and not reader.more:
        reader.unexpected(f"'<<<<<<< SEARCH' after the path {path}")
    return path


def _block(reader: Reader, path: str) -> Operation:
    at = reader.number
    reader.take()
    old = _until(reader, _MIDDLE, "'=======' between the lines to find and the new ones")
    new = _until(reader, _REPLACE, "'>>>>>>> REPLACE' after the new lines")
    if not old:
        return AddFile(at, path, "".join(f"{line}\n" for line in new))
    if old == new:
        reader.fail("both halves of this block are the same: it would change nothing.", at)
    return UpdateFile(at, path, (Hunk(at, _lines(old, new), signed=False),))


def _until(reader: Reader, marker: re.Pattern[str], wanted: str) -> list[str]:
    lines: list[str] = []
    while reader.more and not marker.match(reader.peek()):
        if any(other.match(reader.peek()) for other in (_SEARCH, _MIDDLE, _REPLACE)):
            reader.unexpected(wanted)
        lines.append(reader.take())
    if not reader.more:
        reader.unexpected(wanted)
    reader.take()
    return lines


def _lines(old: list[str], new: list[str]) -> tuple[Line, ...]:
    before = _same(old, new)
    after = _same(old[before:][::-1], new[before:][::-1])
    stays = old[:before], old[len(old) - after :]
    return (
        *(Line(" ", text) for text in stays[0]),
        *(Line("-", text) for text in old[before : len(old) - after]),
        *(Line("+", text) for text in new[before : len(new) - after]),
        *(Line(" ", text) for text in stays[1]),
    )


def _same(left: list[str], right: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False)))
