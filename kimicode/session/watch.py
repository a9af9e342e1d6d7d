"""What is in a workspace, by looking: one scan before a command and one after it show what the command changed.

A scan walks folder by folder with descriptors and never follows a link. A file that looks as before (mode, size, times, inode) is not
read again, unless it was changed so shortly before it was looked at that a later change could have left the same time. What git would
ignore is not looked at, nor `.git`; but a file that was seen once stays under watch whatever an ignore file says later, and what an
earlier scan passed over is never taken for new. Files may come, change and go while a scan runs.
What this module does not do: say who changed a file, or notice what the workspace's ignore rules hide.
"""

import contextlib
import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kimicode.files.atomic import is_temporary
from kimicode.files.place import Place, open_parent
from kimicode.files.state import MISSING, FileState
from kimicode.session.ignores import MAX_BYTES as MAX_RULES
from kimicode.session.ignores import Rules, parse

Signature: TypeAlias = tuple[int, ...]
Keep: TypeAlias = Callable[[bytes], str]
"""Takes a content in and returns its SHA-256 in hexadecimal."""

_SLACK_NS: Final = 50_000_000
"""Linux takes times for files from a clock that ticks every 1 to 10 ms; a change this shortly before a look may not show in them."""

_READ: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK: Final = 1 << 20
_GONE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class Limits(msgspec.Struct, frozen=True):
    """What a scan takes on. Contents beyond `file_bytes`, or beyond `total_bytes` in all, are not kept; with more than `entries` files
    and folders there is no scan; folders deeper than `depth`, and what they hold, are passed over."""

    file_bytes: int = 16 << 20
    total_bytes: int = 512 << 20
    entries: int = 100_000
    depth: int = 100


USUAL: Final = Limits()


class TooMany(Exception):
    """The workspace has more files and folders than a scan takes on."""


class Seen(msgspec.Struct, frozen=True):
    """One place in a scan. `kept`: its content is in the store; `settled`: as long as it looks so, it is so."""

    signature: Signature
    state: FileState
    kept: bool
    settled: bool


class Scan(msgspec.Struct, frozen=True):
    """What was seen, by path relative to the workspace, and what was passed over. `not_kept` counts files too large to keep."""

    seen: Mapping[str, Seen]
    unseen: frozenset[str]
    not_kept: int = 0


NOTHING: Final = Scan({}, frozenset())


class Difference(msgspec.Struct, frozen=True):
    """A place that is not as it was. `kept`: what was there before can be brought back."""

    path: str
    before: FileState
    after: FileState
    kept: bool


def scan(
    workspace: Path, known: Scan, *, keep: Keep | None, above: Rules | None = None, leave: Path | None = None, limits: Limits = USUAL
) -> Scan:
    """Look at everything in `workspace` (absolute, real), reading only what does not look as in `known`.

    `keep` takes contents; without it they are only digested. `above` are ignore rules from outside; `leave` is a folder not to look at.
    Raises `TooMany`, and what `keep` raises; `OSError` only for the workspace itself.
    """
    scanner = _Scanner(known.seen, keep, leave, limits)
    folder = os.open(workspace, _FOLDER)
    try:
        scanner.walk(folder, "", above, 0)
    finally:
        os.close(folder)
    scanner.look_again(workspace)
    return Scan(scanner.seen, frozenset(scanner.unseen), scanner.not_kept)


def differences(before: Scan, after: Scan) -> Iterator[Difference]:
    """What differs between two scans, in the order of paths."""
    for path in sorted(before.seen.keys() | after.seen.keys()):
        old, new = before.seen.get(path), after.seen.get(path)
        if old is None:
            assert new is not None
            if not _passed_over(path, before.unseen):
                yield Difference(path, MISSING, new.state, True)
        elif new is None:
            yield Difference(path, old.state, MISSING, old.kept)
        elif old is not new and _changed(old, new):
            yield Difference(path, old.state, new.state, old.kept)


def _changed(old: Seen, new: Seen) -> bool:
    # Of what was not read only the looks are known.
    if old.state.kind == "file" and not old.state.digest:
        return old.signature != new.signature
    return old.state != new.state


def _passed_over(path: str, unseen: frozenset[str]) -> bool:
    while path not in unseen:
        path, slash, _ = path.rpartition("/")
        if not slash:
            return False
    return True


class _Scanner:
    def __init__(self, known: Mapping[str, Seen], keep: Keep | None, leave: Path | None, limits: Limits) -> None:
        self.seen: dict[str, Seen] = {}
        self.unseen: set[str] = set()
        self.not_kept = 0
        self._known = known
        self._keep = keep
        self._limits = limits
        self._room = limits.total_bytes
        self._leave = _identity(leave)
        self._now = time.time_ns()

    def walk(self, folder: int, prefix: str, above: Rules | None, depth: int) -> None:
        """Look at what is in an open folder, whose path with a slash behind it is `prefix`."""
        rules = _rules(folder, prefix, above)
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                path = prefix + name
                with contextlib.suppress(OSError):
                    is_folder = entry.is_dir(follow_symlinks=False)
                    if name == ".git" or is_temporary(name) or (rules and rules.ignored(path, name, is_folder=is_folder)):
                        self.unseen.add(path)
                    elif is_folder:
                        self._folder(folder, name, path, rules, depth)
                    else:
                        self._add(path, self._look_at(folder, name, path, entry.stat(follow_symlinks=False)))

    def look_again(self, workspace: Path) -> None:
        """Look at what was known and not met on the way: gone, or passed over this time."""
        gone: set[str] = set()
        for path in sorted(self._known.keys() - self.seen.keys()):
            parent = path.rpartition("/")[0]
            if parent not in gone:
                try:
                    place = Place(workspace, tuple(path.split("/")))
                    with open_parent(place) as folder:
                        found = os.stat(place.name, dir_fd=folder, follow_symlinks=False)
                        self._add(path, self._look_at(folder, place.name, path, found))
                        continue
                except OSError as error:
                    if error.errno not in _GONE:
                        # It can't be looked at any more; that is not to say that it is gone.
                        self._add(path, self._known[path])
                        continue
            gone.add(path)

    def _folder(self, parent: int, name: str, path: str, rules: Rules | None, depth: int) -> None:
        try:
            folder = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            self.unseen.add(path)
            self._add(path, self._look_at(parent, name, path, os.stat(name, dir_fd=parent, follow_symlinks=False)))
            return
        try:
            found = os.fstat(folder)
            if (found.st_dev, found.st_ino) == self._leave:
                self.unseen.add(path)
                return
            self._add(path, self._look_at(parent, name, path, found))
            if depth < self._limits.depth:
                self.walk(folder, path + "/", rules, depth + 1)
            else:
                self.unseen.add(path)
        finally:
            os.close(folder)

    def _add(self, path: str, seen: Seen) -> None:
        if len(self.seen) >= self._limits.entries:
            raise TooMany
        if seen.state.kind == "file":
            if seen.kept:
                self._room -= seen.state.size
            elif self._keep is not None:
                self.not_kept += 1
        self.seen[path] = seen

    def _look_at(self, folder: int, name: str, path: str, found: os.stat_result) -> Seen:
        mode = found.st_mode
        if stat.S_ISDIR(mode):
            return Seen((mode,), FileState("folder", stat.S_IMODE(mode)), True, True)
        signature = (mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
        old = self._known.get(path)
        if old is not None and old.settled and old.signature == signature and (old.kept or not self._would_keep(found.st_size)):
            return old
        settled = found.st_ctime_ns < self._now - _SLACK_NS
        if stat.S_ISLNK(mode):
            return Seen(signature, FileState("link", target=os.readlink(name, dir_fd=folder)), True, settled)
        if not stat.S_ISREG(mode):
            return Seen(signature, FileState("other", stat.S_IMODE(mode)), False, settled)
        return self._file(folder, name, signature, settled)

    def _would_keep(self, size: int) -> bool:
        return self._keep is not None and size <= min(self._limits.file_bytes, self._room)

    def _file(self, folder: int, name: str, signature: Signature, settled: bool) -> Seen:
        mode, size = stat.S_IMODE(signature[0]), signature[1]
        named, kept = "", False
        if self._keep is None or self._would_keep(size):
            with contextlib.suppress(OSError):
                named, size, kept = self._read(folder, name)
        return Seen(signature, FileState("file", mode, named, size=size), kept, settled)

    def _read(self, folder: int, name: str) -> tuple[str, int, bool]:
        """Digest, size and whether the content was kept. A file that has grown beyond the limit has no digest."""
        with open(os.open(name, _READ, dir_fd=folder), "rb", buffering=0) as file:
            if self._keep is None:
                return (*_digest(file.fileno()), False)
            data = file.read(self._limits.file_bytes + 1)
        if len(data) > self._limits.file_bytes:
            return "", len(data), False
        return self._keep(data), len(data), True


def _digest(descriptor: int) -> tuple[str, int]:
    made, size = hashlib.sha256(), 0
    while piece := os.read(descriptor, _CHUNK):
        made.update(piece)
        size += len(piece)
    return made.hexdigest(), size


def _rules(folder: int, prefix: str, above: Rules | None) -> Rules | None:
    try:
        with open(os.open(".gitignore", _READ, dir_fd=folder), "rb") as file:
            text = file.read(MAX_RULES).decode("utf-8", "surrogateescape")
    except OSError:
        return above
    return parse(text, above, base=prefix)


def _identity(folder: Path | None) -> tuple[int, int] | None:
    try:
        found = folder.stat() if folder else None
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found else None
