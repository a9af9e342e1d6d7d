"""The untracked files of a large repository, without walking through all of it each time.

A folder that looks as it did (times, inode) has the same entries. So once all folders that git does not ignore are known, it is enough to
look at each of them, to list those that look different, and to ask git about entries that are new. Where the index lists other paths, or
a file that says what is ignored looks different, comes or goes, or a repository appears or goes, everything is walked again. A look that
is too young to tell counts as different. What this module does not do: serve file systems that keep no times of folders.
"""

import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kimicode.repo.folder_walk import Again, Clock, Mark, Walk, holds, marks_of
from kimicode.repo.git_call import Guarded
from kimicode.repo.git_files import Others, others, rule_files

_MOST_CHANGED: Final = 200
_MOST_FRESH: Final = 300


class Folders(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a working tree. `index` names the index it was made with; `folders` are all that git looks into ("" is the root),
    `rules` the files that say what it ignores, by absolute path. `files` are untracked, `hidden` is what git does not list, folders with
    "/" behind them, and `inner` are folders of other repositories."""

    index: str
    folders: dict[str, Mark]
    rules: dict[str, Mark]
    files: frozenset[str]
    hidden: frozenset[str]
    inner: frozenset[str]
    repositories: tuple[str, ...]


_FOLDERS: Final = msgspec.msgpack.Decoder(Folders)


class Memory(msgspec.Struct, frozen=True):
    """What keeps `Folders` from one process to the next, as bytes: it may lose them, and need not be asked often."""

    load: Callable[[], bytes | None]
    keep: Callable[[bytes], None]


FORGETFUL: Final = Memory(lambda: None, lambda _: None)
"""Keeps nothing."""


class Untracked:
    """Of one working tree, that of `repository`. Not to be used by two threads at once."""

    def __init__(self, repository: Guarded, memory: Memory = FORGETFUL, clock: Clock = time.time_ns) -> None:
        self._known: Folders | None = None
        self._repository = repository
        self._memory = memory
        self._clock = clock

    def now(self, index: str, tracked: Collection[str]) -> Others:
        """What is untracked now. `index` names the index, for as long as it lists the same; `tracked` are its files."""
        known = self._known or self._loaded()
        updated = self._updated(known, tracked) if known is not None and known.index == index else None
        self._known = updated or self._walked(index, tracked)
        if self._known is None:
            return others(self._repository, ())
        if updated is None:
            self._store(self._known)
        return Others(tuple(self._known.files), self._known.repositories)

    def _loaded(self) -> Folders | None:
        data = self._memory.load()
        try:
            return None if data is None else _FOLDERS.decode(data)
        except msgspec.DecodeError:
            return None

    def _store(self, known: Folders) -> None:
        # A name that is not UTF-8 has no place in msgpack; then each process walks for itself.
        with suppress(UnicodeEncodeError):
            self._memory.keep(msgspec.msgpack.encode(known))

    def _walked(self, index: str, tracked: Collection[str]) -> Folders | None:
        """Everything, looked at anew. None where looks are not enough."""
        outside = rule_files(self._repository)
        if outside is None:
            return None
        rules = marks_of(map(str, outside), self._clock)
        walk = Walk(self._repository, tracked, clock=self._clock)
        walk.below([""])
        # Asked last: what comes after a folder was looked at shows in its look, or here.
        found = others(self._repository, ())
        files = frozenset(found.files)
        hidden = walk.hidden | (walk.unknown - files)
        return Folders(index, walk.folders, rules | walk.rules, files, frozenset(hidden), frozenset(walk.inner), found.repositories)

    def _updated(self, known: Folders, tracked: Collection[str]) -> Folders | None:
        """What was known, brought up to date; None where it is better to walk."""
        if not holds(known.rules, self._clock):
            return None
        different, gone = _different(self._repository.work_tree, known)
        if not different and not gone:
            return known
        if len(different) + len(gone) > _MOST_CHANGED or not known.inner.isdisjoint(gone):
            return None
        seen = known.files | known.hidden | {f"{folder}/" for folder in (*known.folders, *known.inner)}
        walk = Walk(self._repository, tracked, seen, known.rules, self._clock)
        try:
            fresh = walk.again(different, known.inner)
            if len(fresh) > _MOST_FRESH:
                return None
            walk.below(walk.not_ignored([path[:-1] for path in fresh if path[-1] == "/"]))
        except Again:
            return None
        return None if walk.rules or walk.inner - known.inner else self._merged(known, walk, (different, gone), fresh)

    def _merged(self, known: Folders, walk: Walk, changes: tuple[list[str], list[str]], fresh: set[str]) -> Folders | None:
        different, gone = changes
        found = others(self._repository, sorted(path.rstrip("/") for path in fresh)) if fresh else Others((), ())
        if found.repositories:
            return None
        lost = _lost(known, walk, different, gone)
        new = set(found.files)
        hidden = (known.hidden - lost) | walk.hidden | (walk.unknown - new)
        left = {path: mark for path, mark in known.folders.items() if f"{path}/" not in lost}
        files = (known.files - lost) | new
        return msgspec.structs.replace(known, folders=left | walk.folders, files=files, hidden=frozenset(hidden))


def _different(root: Path, known: Folders) -> tuple[list[str], list[str]]:
    """Folders that look different, and folders that are gone."""
    different, gone = [], []
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, mark in known.folders.items():
            try:
                found = os.stat(path or ".", dir_fd=descriptor, follow_symlinks=False)
            except OSError:
                gone.append(path)
                continue
            if (found.st_mtime_ns, found.st_ctime_ns, found.st_ino) != mark:
                different.append(path)
    finally:
        os.close(descriptor)
    return different, gone


def _lost(known: Folders, walk: Walk, different: list[str], gone: list[str]) -> set[str]:
    """What was known and is not there any more, folders with "/" behind them."""
    listed, left = set(different), tuple(f"{path}/" for path in gone)
    lost = {f"{path}/" for path in gone}
    for path in (*known.files, *known.hidden):
        if (path.rstrip("/").rpartition("/")[0] in listed and path not in walk.seen) or (left and path.startswith(left)):
            lost.add(path)
    return lost
