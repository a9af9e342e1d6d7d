"""Answers of earlier reviews, one file for each group of hunks, in the user's cache folder.

An entry is found again while what was shown and asked is the same: code, rules, model, prompts, schema, effort. Line numbers are no part
of that: findings are kept relative to their hunk. An entry that is damaged in any way counts as none; nothing is synced, for that very
reason. Several processes may use the folder at once. What this module does not do: decide what is worth keeping (`run` does).
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.review.change import Hunk
from kimicode.review.finding import Finding
from kimicode.session.private import make_private

MOST_ENTRIES: Final = 4_000
MOST_BYTES: Final = 64 << 20
_LARGEST: Final = 1 << 20
_SUFFIX: Final = ".json"
_DIGEST: Final = 64
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Kept(msgspec.Struct, frozen=True):
    """A finding without its place: lines `first` to `last` behind the start of hunk `hunk`, counted over all files of the group."""

    hunk: int
    first: int
    last: int
    finding: Finding


class Entry(msgspec.Struct, frozen=True):
    """What both passes gave for one group."""

    kept: tuple[Kept, ...]
    refuted: int


def key_of(parts: Iterable[str]) -> str:
    """The name of what is said by `parts`, in this order."""
    return hashlib.sha256(msgspec.json.encode([part.encode("utf-8", "replace") for part in parts])).hexdigest()


def entry_of(findings: Iterable[Finding], refuted: int, hunks: Sequence[tuple[str, Hunk]]) -> Entry:
    """The findings relative to the `hunks` (each with the path of its file) that they lie in."""
    kept = []
    for finding in findings:
        at = next(n for n, (path, hunk) in enumerate(hunks) if path == finding.path and _within(finding.line, hunk))
        start = hunks[at][1].new_start
        bare = msgspec.structs.replace(finding, line=0, end_line=0)
        kept.append(Kept(at, finding.line - start, finding.end_line - start, bare))
    return Entry(tuple(kept), refuted)


def findings_of(entry: Entry, hunks: Sequence[tuple[str, Hunk]]) -> tuple[Finding, ...] | None:
    """The findings at the places that `hunks` have now; None where the entry does not fit them."""
    if any(not 0 <= each.hunk < len(hunks) or hunks[each.hunk][0] != each.finding.path for each in entry.kept):
        return None
    starts = [hunk.new_start for _, hunk in hunks]
    return tuple(
        msgspec.structs.replace(each.finding, line=max(1, starts[each.hunk] + each.first), end_line=max(1, starts[each.hunk] + each.last))
        for each in entry.kept
    )


def _within(line: int, hunk: Hunk) -> bool:
    # Where a hunk leaves nothing, or nothing is left of the file, what was deleted touches the line before, or line 1.
    return max(1, hunk.new_start) <= line <= max(1, hunk.new_start + hunk.new_count - 1, hunk.new_start)


class Cache:
    """The entries below `folder`. Nothing is made before the first `put`; a folder that can't be written is a cache that keeps nothing."""

    def __init__(self, folder: Path, *, most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_entries = most_entries
        self._most_bytes = most_bytes

    def get(self, key: str) -> Entry | None:
        """The entry, if there is one that can be read. It counts as used now."""
        path = self._folder / f"{key}{_SUFFIX}"
        try:
            with open(os.open(path, _READ), "rb") as file:
                data = file.read(_LARGEST)
                os.utime(file.fileno())
        except OSError:
            return None
        digest, body = data[:_DIGEST], data[_DIGEST:]
        if hashlib.sha256(key.encode() + body).hexdigest().encode() != digest:
            return None
        try:
            return msgspec.json.decode(body, type=Entry)
        except msgspec.MsgspecError:
            return None

    def put(self, key: str, entry: Entry) -> None:
        """Keep the entry, and let those go that were not used for longest, where there are too many."""
        body = msgspec.json.encode(entry)
        data = hashlib.sha256(key.encode() + body).hexdigest().encode() + body
        if len(data) > _LARGEST:
            return
        with contextlib.suppress(OSError):
            make_private(self._folder)
            self._write(self._folder / f"{key}{_SUFFIX}", data)
            self._prune()

    def _write(self, path: Path, data: bytes) -> None:
        temporary = path.with_name(f"{path.stem}.{secrets.token_hex(6)}.tmp")
        try:
            with open(os.open(temporary, _WRITE, 0o600), "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        """Down to three quarters, so that not every `put` has to. What a killed process left half-written goes with the rest."""
        entries = []
        with os.scandir(self._folder) as found:
            for each in found:
                with contextlib.suppress(OSError):
                    facts = each.stat(follow_symlinks=False)
                    entries.append((facts.st_mtime_ns, facts.st_size, each.path))
        total = sum(size for _, size, _ in entries)
        if len(entries) <= self._most_entries and total <= self._most_bytes:
            return
        count = len(entries)
        for _, size, path in sorted(entries):
            if count <= self._most_entries * 3 // 4 and total <= self._most_bytes * 3 // 4:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
            count, total = count - 1, total - size
