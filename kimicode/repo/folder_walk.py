"""Walking the folders of a working tree that git does not ignore, and remembering how each looked before it was listed.

What this module does not do: know ignore rules (git is asked about folders that hold nothing it tracks), or follow links.
"""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from kimicode.repo.git_call import Guarded
from kimicode.repo.git_files import ignored

_SLACK_NS: Final = 50_000_000
_COARSE_SLACK_NS: Final = 3_000_000_000

Clock: TypeAlias = Callable[[], int]
"""Says what time it is, in nanoseconds since 1970, by the clock of the file system."""

Mark: TypeAlias = tuple[int, int, int]
"""When something was last changed, in two ways, and its inode. All 0 where nothing is; all -1 where it may yet change unnoticed."""

_NOTHING: Final = (0, 0, 0)
UNSURE: Final = (-1, -1, -1)


class Again(Exception):
    """Something appeared that changes what git looks at."""


def marks_of(paths: Iterable[str], clock: Clock = time.time_ns) -> dict[str, Mark]:
    """The marks of files, by path."""
    now = clock()
    return {path: _file_mark(path, now) for path in paths}


def holds(marks: Mapping[str, Mark], clock: Clock = time.time_ns) -> bool:
    """True where all files are certainly as they were when these marks were made."""
    return UNSURE not in marks.values() and marks_of(marks, clock) == marks


def mark_of(found: os.stat_result, now: int) -> Mark:
    """The mark of what looks like this at the time `now`."""
    mark = (found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
    slack = _SLACK_NS if found.st_ctime_ns % 1_000_000_000 else _COARSE_SLACK_NS
    return mark if max(mark[:2]) < now - slack else UNSURE


def _file_mark(path: str, now: int) -> Mark:
    try:
        return mark_of(os.stat(path), now)
    except OSError:
        return _NOTHING


class Walk:
    """One walk. `known` need not be reported: files, and folders with "/" behind them; nor `ruled`, `.gitignore` files by absolute path.

    What it finds: `folders` with their marks, `rules` (`.gitignore` files by absolute path), `unknown` files, `hidden` folders, `inner`
    ones of other repositories, and everything that it has `seen`.
    """

    def __init__(
        self,
        repository: Guarded,
        tracked: Collection[str],
        known: Collection[str] = (),
        ruled: Collection[str] = (),
        clock: Clock = time.time_ns,
    ) -> None:
        self.folders: dict[str, Mark] = {}
        self.rules: dict[str, Mark] = {}
        self.unknown: set[str] = set()
        self.hidden: set[str] = set()
        self.inner: set[str] = set()
        self.seen: set[str] = set()
        self._repository = repository
        self._root = os.fspath(repository.work_tree)
        self._tracked = tracked
        self._known = known
        self._ruled = ruled
        self._clock = clock
        self._holders: set[str] | None = None

    def below(self, folders: Sequence[str]) -> None:
        """Walk through these folders and all below them that git does not ignore."""
        while folders:
            deeper: list[str] = []
            for folder in folders:
                deeper += self._list(folder)
            folders = self.not_ignored(deeper)

    def again(self, folders: Iterable[str], inner: Collection[str]) -> set[str]:
        """List known folders once more, without those below. Returns what is new in them. Raises `Again`."""
        fresh: set[str] = set()
        for folder in folders:
            fresh.update(path for below in self._list(folder) if (path := f"{below}/") not in self._known)
            if folder not in self.folders or (folder in inner) is not (folder in self.inner):
                raise Again
        if self.rules:
            raise Again
        return fresh | self.unknown

    def not_ignored(self, folders: Sequence[str]) -> list[str]:
        """Those of `folders` that git looks into; the others are hidden."""
        asked = [folder for folder in folders if folder not in self._holding()]
        out = ignored(self._repository, asked) if asked else frozenset()
        self.hidden |= {f"{folder}/" for folder in out}
        return [folder for folder in folders if folder not in out]

    def _list(self, folder: str) -> list[str]:
        """Take in what is in a folder; returns the folders in it."""
        where, prefix = (f"{self._root}/{folder}", f"{folder}/") if folder else (self._root, "")
        below: list[str] = []
        listed: list[tuple[str, bool]] = []
        with suppress(OSError):
            now = self._clock()
            found = os.lstat(where)
            if not stat.S_ISDIR(found.st_mode):
                return []
            self.folders[folder] = mark_of(found, now)
            with os.scandir(where) as entries:
                listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        if folder and any(name == ".git" for name, _ in listed):
            self.inner.add(folder)
            return []
        for name, is_folder in listed:
            self._entry(prefix + name, name, below, is_folder=is_folder)
        return below

    def _entry(self, path: str, name: str, below: list[str], *, is_folder: bool) -> None:
        if name == ".git":
            return
        self.seen.add(f"{path}/" if is_folder else path)
        if is_folder:
            below.append(path)
            return
        if name == ".gitignore" and (rule := f"{self._root}/{path}") not in self._ruled:
            self.rules |= marks_of((rule,), self._clock)
        if path not in self._tracked and path not in self._known:
            self.unknown.add(path)

    def _holding(self) -> set[str]:
        """Folders that hold something tracked, at any depth."""
        if self._holders is None:
            self._holders = {""}
            for path in {path.rpartition("/")[0] for path in self._tracked}:
                while path not in self._holders:
                    self._holders.add(path)
                    path = path.rpartition("/")[0]
        return self._holders
