"""What git prints for programs, as values: status, index, log, objects. All of it is separated by NUL, so any name passes.

Paths are as Python's `os` has them: what is not UTF-8 is a lone surrogate. What this module does not do: run git, or guess at output
that has another form.
"""

import os
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from kimicode.errors import ToolError

LOG_FORMAT: Final = "%H%x00%P%x00%an%x00%ae%x00%ct%x00%B"
_LOG_FIELDS: Final = 6
_EMPTY_DIFF: Final = re.compile(rb"^diff --git [^\n]*\n(?=diff --git |\Z)", re.MULTILINE)


class Entry(msgspec.Struct, frozen=True):
    """One path of `git status`. `staged` and `unstaged` are git's letters (M, A, D, R, C, T, U), "." for no change, "?" and "!" for
    untracked and ignored. `origin` is the earlier path of what was renamed or copied. Object names are "" where there are none."""

    path: str
    staged: str
    unstaged: str
    origin: str = ""
    head_oid: str = ""
    index_oid: str = ""

    @property
    def conflicted(self) -> bool:
        """True while a merge waits for this path."""
        return "U" in (self.staged, self.unstaged) or (self.staged, self.unstaged) in {("A", "A"), ("D", "D")}


class IndexFile(msgspec.Struct, frozen=True):
    """One entry of the index. `mode` as git writes it: 100644, 100755, 120000 (link), 160000 (submodule). `stage` is 0 but in conflicts."""

    path: str
    mode: str
    oid: str
    stage: int


class Touched(msgspec.Struct, frozen=True):
    """A file that a commit changed: git's letter (M, A, D, R, C, T), its path, and the earlier one of what was renamed or copied."""

    letter: str
    path: str
    origin: str = ""


class Span(msgspec.Struct, frozen=True):
    """Neighbouring lines, `first` to `last` (from 1), that one commit wrote. `oid` is "" for what is not committed yet."""

    first: int
    last: int
    oid: str
    author: str
    time: int
    subject: str


class Commit(msgspec.Struct, frozen=True):
    """One commit. `time` is the committer's, in seconds since 1970; `message` is whole; `files` only where they were asked for."""

    oid: str
    parents: tuple[str, ...]
    author: str
    email: str
    time: int
    message: str
    files: tuple[Touched, ...] = ()

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.strip().partition("\n")[0]


def parse_status(data: bytes) -> tuple[Entry, ...]:
    """The answer to `git status --porcelain=v2 -z`."""
    fields = iter(os.fsdecode(data).split("\0")[:-1])
    return tuple(_entry(field, fields) for field in fields if not field.startswith("# "))


def _entry(field: str, rest: Iterator[str]) -> Entry:
    kind, _, body = field.partition(" ")
    match kind:
        case "?" | "!":
            return Entry(body, kind, kind)
        case "1":
            letters, _, _, _, _, head, index, path = body.split(" ", 7)
            return Entry(path, letters[0], letters[1], "", _oid(head), _oid(index))
        case "2":
            letters, _, _, _, _, head, index, _, path = body.split(" ", 8)
            return Entry(path, letters[0], letters[1], next(rest), _oid(head), _oid(index))
        case "u":
            letters, *_, path = body.split(" ", 9)
            return Entry(path, letters[0], letters[1])
        case _:
            raise ToolError(f"git status wrote something unknown: {field[:80]!r}")


def _oid(text: str) -> str:
    return text if text.strip("0") else ""


def parse_index(data: bytes) -> tuple[IndexFile, ...]:
    """The answer to `git ls-files -z --stage`."""
    return tuple(_index_file(field) for field in os.fsdecode(data).split("\0")[:-1])


def _index_file(field: str) -> IndexFile:
    facts, _, path = field.partition("\t")
    mode, oid, stage = facts.split(" ")
    return IndexFile(path, mode, oid, int(stage))


def parse_log(data: bytes) -> tuple[Commit, ...]:
    """The answer to `git log -z --format=LOG_FORMAT`, with `--name-status` or without."""
    fields = os.fsdecode(data).split("\0")[:-1]
    commits: list[Commit] = []
    at = 0
    while at < len(fields):
        head, at = fields[at : at + _LOG_FIELDS], at + _LOG_FIELDS
        files, at = _touched(fields, at)
        commits.append(_commit(head, files))
    return tuple(commits)


def _touched(fields: list[str], at: int) -> tuple[tuple[Touched, ...], int]:
    """The files named from `at` on, after the line end that leads them in, and where they end."""
    files: list[Touched] = []
    if at == len(fields) or not fields[at].startswith("\n"):
        return (), at
    # Names of commits are longer.
    while at < len(fields) and re.fullmatch(r"\n?[A-Z]\d{0,3}", fields[at]):
        letter = fields[at].lstrip("\n")[0]
        moved = letter in "RC"
        files.append(Touched(letter, fields[at + 2] if moved else fields[at + 1], fields[at + 1] if moved else ""))
        at += 3 if moved else 2
    return tuple(files), at


def _commit(fields: list[str], files: tuple[Touched, ...]) -> Commit:
    oid, parents, *words = fields
    author, email, time, message = (os.fsencode(word).decode("utf-8", "replace") for word in words)
    return Commit(oid, tuple(parents.split()), author, email, int(time), message, files)


def parse_blame(data: bytes) -> tuple[Span, ...]:
    """The answer to `git blame --porcelain`, lines of one commit that follow each other put together."""
    spans: list[Span] = []
    facts: dict[str, dict[str, str]] = {}
    lines = iter(data.split(b"\n")[:-1])
    for line in lines:
        oid, _, final, *_ = line.decode("ascii").split(" ")
        known = facts.setdefault(oid, {})
        for fact in lines:
            if fact.startswith(b"\t"):
                break
            key, _, value = fact.decode("utf-8", "replace").partition(" ")
            known.setdefault(key, value)
        spans.append(Span(int(final), int(final), _oid(oid), known["author"], int(known["author-time"]), known.get("summary", "")))
    return _joined(spans)


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for span in spans:
        if found and found[-1].oid == span.oid and found[-1].last + 1 == span.first:
            found[-1] = msgspec.structs.replace(found[-1], last=span.last)
        else:
            found.append(span)
    return tuple(found)


def parse_objects(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Name, type and content of each object in the answer to `git cat-file --batch`; a missing one has the type "missing"."""
    at = 0
    while at < len(data):
        end = data.index(b"\n", at)
        name, kind, *size = data[at:end].decode("ascii", "replace").split(" ")
        length = int(size[0]) if size else 0
        yield name, kind, data[end + 1 : end + 1 + length]
        at = end + 1 + (length + 1 if size else 0)


def parse_attributes(data: bytes) -> dict[str, dict[str, str]]:
    """The answer to `git check-attr -z`: the attributes of each path that something is said of."""
    fields = os.fsdecode(data).split("\0")[:-1]
    found: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if value != "unspecified":
            found.setdefault(path, {})[name] = value
    return found


def without_empty(diff: bytes) -> bytes:
    """`diff` without files of which it has nothing to say: those whose time changed and whose content did not."""
    return _EMPTY_DIFF.sub(b"", diff)
