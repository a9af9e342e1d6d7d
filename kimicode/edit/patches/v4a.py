"""The notation between `*** Begin Patch` and `*** End Patch`: files by name, places by context and `@@` lines, no line numbers.

Read leniently where only one meaning is possible: blanks around markers, missing outer markers, an empty line for an empty line that
stays, line numbers after `@@`. What this module does not do: guess what a line without a sign was meant to be.
"""

import re
from typing import Final

from kimicode.edit.patches.reader import Body, Reader, anchor, numbers
from kimicode.edit.patches.values import AddFile, DeleteFile, Hunk, Operation, UpdateFile

_FILE: Final = re.compile(r"\s*\*\*\* (Add|Update|Delete) File:\s*(.*?)\s*$")
_MOVE: Final = re.compile(r"\s*\*\*\* Move to:\s*(.*?)\s*$")
_BEGIN: Final = "*** Begin Patch"
_END: Final = "*** End Patch"
_END_OF_FILE: Final = "*** End of File"
_HEADERS: Final = "'*** Add File: path', '*** Update File: path', '*** Delete File: path' or '*** End Patch'"


def is_v4a(line: str) -> bool:
    """True for a line with which a patch in this notation may start."""
    return line.strip() == _BEGIN or _FILE.match(line) is not None or line.startswith("*** ")


def parse_v4a(reader: Reader) -> tuple[Operation, ...]:
    """The operations in order. Raises `ToolError`."""
    operations: list[Operation] = []
    ended = False
    reader.skip_blank()
    while reader.more:
        line = reader.peek().strip()
        if line == _BEGIN and (ended or not operations):
            reader.take()
            ended = False
        elif line == _END and not ended:
            reader.take()
            ended = True
        elif not ended and (header := _FILE.match(reader.peek())):
            operations.append(_operation(reader, header[1], header[2]))
        else:
            reader.unexpected("the end of the patch" if ended else _HEADERS)
        reader.skip_blank()
    return tuple(operations)


def _operation(reader: Reader, kind: str, path: str) -> Operation:
    at = reader.number
    if not path:
        reader.unexpected(f"a path after '*** {kind} File:'")
    reader.take()
    match kind:
        case "Add":
            return AddFile(at, path, _new_text(reader))
        case "Delete":
            reader.skip_blank()
            if reader.more and not _is_boundary(reader):
                reader.unexpected(f"nothing more about {path}, which is deleted: {_HEADERS}")
            return DeleteFile(at, path)
        case _:
            return _update(reader, at, path)


def _new_text(reader: Reader) -> str:
    lines: list[str] = []
    blank = 0
    if anchor(reader.peek()) == "" and reader.peek().startswith("@@"):
        reader.take()
    while reader.more and not _is_boundary(reader):
        line = reader.peek()
        if line.startswith("+"):
            lines.extend([""] * blank + [line[1:]])
            blank = 0
        elif not line.strip():
            blank += 1
        elif line.rstrip() != _END_OF_FILE:
            reader.unexpected("a line of the new file, which starts with '+'")
        reader.take()
    return "".join(f"{line}\n" for line in lines)


def _update(reader: Reader, at: int, path: str) -> UpdateFile:
    move_to = None
    if move := _MOVE.match(reader.peek()):
        move_to = move[1]
        if not move_to:
            reader.unexpected("a path after '*** Move to:'")
        reader.take()
    hunks: list[Hunk] = []
    reader.skip_blank()
    while reader.more and not _is_boundary(reader):
        hunks.append(_hunk(reader))
        reader.skip_blank()
    if not hunks and move_to is None:
        reader.unexpected(f"changes to {path}: '@@' and lines that start with ' ', '-' or '+'")
    return UpdateFile(at, path, tuple(hunks), move_to)


def _hunk(reader: Reader) -> Hunk:
    at, start, anchors = reader.number, None, []
    while (line := reader.peek()).startswith("@@"):
        if stated := numbers(line):
            start = stated[0]
        elif named := anchor(line):
            anchors.append(named)
        reader.take()
    body = Body()
    while reader.more and not _is_boundary(reader) and not reader.peek().startswith("@@"):
        if reader.peek().rstrip() == _END_OF_FILE:
            reader.take()
            body.at_end = True
            break
        if not body.take(reader.peek()):
            reader.unexpected("a line that starts with ' ', '-' or '+', or '@@', or '*** …'")
        reader.take()
    hunk = body.hunk(at, tuple(anchors), start)
    if not hunk.changes:
        reader.fail("this hunk has no line that starts with '-' or '+': it would change nothing.", at)
    return hunk


def _is_boundary(reader: Reader) -> bool:
    """True for a marker that ends a file's part. Indented, only the last line can be one: elsewhere it is a line that stays."""
    line = reader.peek()
    if line.rstrip() == _END_OF_FILE:
        return False
    return line.startswith("*** ") or (line.strip() == _END and reader.is_last)
