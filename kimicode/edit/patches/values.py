"""What a patch says, whichever notation it came in: operations on files, and hunks of lines that stay, go or come.

What this module does not do: read a notation (`parse`), or look for a hunk's place in a file (`locate`).
"""

from typing import Literal, TypeAlias

import msgspec

Sign: TypeAlias = Literal[" ", "-", "+"]
"""A line that stays, goes, or comes."""


class Line(msgspec.Struct, frozen=True):
    """One line of a hunk, without its newline."""

    sign: Sign
    text: str


class Hunk(msgspec.Struct, frozen=True):
    """Lines of one place. `at` is where it starts in the patch, from 1; `anchors` are lines of the file above it, outermost first.

    `at_end`: it must reach the end of the file. `start` is the line number (from 1) that a unified diff states. `newline` says whether
    the file is to end with a newline; None leaves that as it is. `signed` is False where the signs are not the model's own.
    """

    at: int
    lines: tuple[Line, ...]
    anchors: tuple[str, ...] = ()
    at_end: bool = False
    start: int | None = None
    newline: bool | None = None
    signed: bool = True

    @property
    def old(self) -> tuple[Line, ...]:
        """The lines that must be in the file."""
        return tuple(line for line in self.lines if line.sign != "+")

    @property
    def changes(self) -> bool:
        """False where every line only stays."""
        return any(line.sign != " " for line in self.lines) or self.newline is not None


class AddFile(msgspec.Struct, frozen=True):
    """Make a file that must not exist."""

    at: int
    path: str
    text: str


class DeleteFile(msgspec.Struct, frozen=True):
    """Remove a file; where there are hunks they must take away all of it."""

    at: int
    path: str
    hunks: tuple[Hunk, ...] = ()


class UpdateFile(msgspec.Struct, frozen=True):
    """Change a file, and move it where `move_to` says a new path."""

    at: int
    path: str
    hunks: tuple[Hunk, ...]
    move_to: str | None = None


Operation: TypeAlias = AddFile | DeleteFile | UpdateFile


class Patch(msgspec.Struct, frozen=True):
    """Operations in order; never none."""

    operations: tuple[Operation, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path named, once, in order of first appearance."""
        named: dict[str, None] = {}
        for operation in self.operations:
            named[operation.path] = None
            if isinstance(operation, UpdateFile) and operation.move_to is not None:
                named[operation.move_to] = None
        return tuple(named)

    @property
    def leaving(self) -> tuple[str, ...]:
        """The paths that are deleted or moved away."""
        return tuple(
            operation.path
            for operation in self.operations
            if isinstance(operation, DeleteFile) or (isinstance(operation, UpdateFile) and operation.move_to is not None)
        )
