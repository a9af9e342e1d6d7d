"""A change as values: files, hunks, lines. Read from git's own unified diff, and nothing else.

What this module does not do: run git (`target` does), or hold whole contents (`Contents`).
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from kimicode.errors import ToolError
from kimicode.repo.git_diff import paths_of

Status: TypeAlias = Literal["added", "modified", "deleted", "renamed", "copied"]

LINK: Final = "120000"
SUBMODULE: Final = "160000"


class Hunk(msgspec.Struct, frozen=True):
    """One hunk. `lines` keep their first character (" ", "+", "-") and have no line end; a carriage return before it stays. `section` is
    what git wrote behind the second `@@`. `no_newline`: the new file ends in this hunk without a line end."""

    old_start: int
    old_count: int
    new_start: int
    new_count: int
    section: str
    lines: tuple[str, ...]
    no_newline: bool = False

    @property
    def added(self) -> Iterator[tuple[int, str]]:
        """Number in the new file and text of each added line."""
        number = self.new_start
        for line in self.lines:
            if line[:1] == "+":
                yield number, line[1:]
            number += line[:1] != "-"

    @property
    def removed(self) -> Iterator[tuple[int, str]]:
        """Number in the old file and text of each removed line."""
        number = self.old_start
        for line in self.lines:
            if line[:1] == "-":
                yield number, line[1:]
            number += line[:1] != "+"

    @property
    def touched(self) -> range:
        """The lines of the new file from the first changed one to the last; a deletion touches the line that now stands there."""
        numbers = [number for number, _ in self.added]
        number = self.new_start
        for line in self.lines:
            if line[:1] == "-":
                numbers.append(max(1, min(number, self.new_start + max(0, self.new_count - 1))))
            number += line[:1] != "-"
        return range(min(numbers), max(numbers) + 1) if numbers else range(0)


class FileChange(msgspec.Struct, frozen=True):
    """One changed file. Paths are relative to the top of the repository; `origin` is the earlier path of what was renamed or copied.
    Object names and modes are "" where there is no old or new side. A binary file has no hunks, nor has one that only changed its mode."""

    path: str
    origin: str
    status: Status
    old_mode: str
    new_mode: str
    old_oid: str
    new_oid: str
    binary: bool
    hunks: tuple[Hunk, ...]

    @property
    def added(self) -> Iterator[tuple[int, str]]:
        """Number and text of each added line."""
        for hunk in self.hunks:
            yield from hunk.added

    @property
    def added_count(self) -> int:
        """How many lines were added."""
        return sum(line[:1] == "+" for hunk in self.hunks for line in hunk.lines)

    @property
    def changed_count(self) -> int:
        """How many lines were added or removed."""
        return sum(line[:1] != " " for hunk in self.hunks for line in hunk.lines)


class Change(msgspec.Struct, frozen=True):
    """What is reviewed. `described` says it in words ("what is staged", "commit 1a2b3c4"); `name` is the same for the same change of the
    same contents. `merging`: a merge is being concluded, so that most of it was made and reviewed elsewhere."""

    described: str
    name: str
    files: tuple[FileChange, ...]
    merging: bool = False


class Contents(Protocol):
    """Whole contents of the files of a change."""

    def old(self, file: FileChange) -> bytes | None:
        """The content before; None where there was no file."""
        ...

    def new(self, file: FileChange) -> bytes | None:
        """The content after; None where there is no file."""
        ...


_HEADER: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_FACTS: Final = (
    *("old mode", "new mode", "deleted file mode", "new file mode"),
    *("rename from", "rename to", "copy from", "copy to", "index", "---", "+++"),
)


def parse_diff(diff: bytes) -> tuple[FileChange, ...]:
    """The files of a unified diff as `Repository.diff` gives it (full object names, prefixes a/ and b/). Raises `ToolError` on others.

    What is not UTF-8 is replaced in lines, and kept as lone surrogates in paths, as Python's `os` has them.
    """
    lines = diff.split(b"\n")
    starts = [at for at, line in enumerate(lines) if line.startswith(b"diff --git ")]
    return tuple(_file(lines[start:end]) for start, end in pairwise([*starts, len(lines)]))


def _file(lines: list[bytes]) -> FileChange:
    end = next((at for at, line in enumerate(lines) if line.startswith((b"@@ ", b"GIT binary patch", b"Binary files "))), len(lines))
    facts: dict[str, str] = {}
    for line in lines[1:end]:
        for key in _FACTS:
            if line.startswith(f"{key} ".encode()):
                facts[key] = line[len(key) + 1 :].decode("utf-8", "surrogateescape")
    old_oid, new_oid, mode = _index(facts.get("index", ""))
    old, new = paths_of(lines[0].decode("utf-8", "surrogateescape"), facts)
    status: Status = "modified"
    if "new file mode" in facts:
        status, old_oid = "added", ""
    elif "deleted file mode" in facts:
        status, new_oid = "deleted", ""
    elif "rename from" in facts:
        status = "renamed"
    elif "copy from" in facts:
        status = "copied"
    return FileChange(
        path=old if status == "deleted" else new,
        origin=old if status in ("renamed", "copied") else "",
        status=status,
        old_mode="" if status == "added" else facts.get("old mode") or facts.get("deleted file mode") or mode,
        new_mode="" if status == "deleted" else facts.get("new mode") or facts.get("new file mode") or mode,
        old_oid=old_oid,
        new_oid=new_oid,
        binary=any(line.startswith((b"GIT binary patch", b"Binary files ")) for line in lines[end : end + 1]),
        hunks=tuple(_hunks(lines[end:])),
    )


def _index(text: str) -> tuple[str, str, str]:
    names, _, mode = text.partition(" ")
    old, _, new = names.partition("..")
    return old, new, mode


def _hunks(lines: list[bytes]) -> Iterator[Hunk]:
    at = 0
    while at < len(lines):
        found = _HEADER.match(lines[at].decode("utf-8", "replace")) if lines[at].startswith(b"@@ ") else None
        at += 1
        if found is None:
            continue
        old_count, new_count = int(found[2] or 1), int(found[4] or 1)
        body: list[str] = []
        olds, news, bare = old_count, new_count, False
        while (olds or news) and at < len(lines):
            line = lines[at].decode("utf-8", "replace")
            at += 1
            if line[:1] == "\\":
                bare = bare or body[-1][:1] != "-"
                continue
            if line[:1] not in (" ", "+", "-"):
                raise ToolError(f"the diff has a line that is none: {line[:80]!r}")
            olds -= line[:1] != "+"
            news -= line[:1] != "-"
            body.append(line)
        if at < len(lines) and lines[at][:1] == b"\\":
            bare = bare or body[-1][:1] != "-"
        yield Hunk(int(found[1]), old_count, int(found[3]), new_count, found[5], tuple(body), bare)
