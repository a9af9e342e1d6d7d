"""The files of a workspace as they are now, and what their contents are called: by git where there is one, else by looking.

With git the index names what is unchanged, and only what differs from it or is untracked is read; submodules and repositories that lie
inside are asked the same. Nothing is read again that looks as it did (`looks`). Links and special files are left out.
What this module does not do: read source, or keep anything on disk.
"""

import hashlib
import os
import stat
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError, UsageError
from kimicode.files.place import Place, look
from kimicode.repo.contents import look_of
from kimicode.repo.folder_walk import UNSURE, Clock, Mark, marks_of
from kimicode.repo.git import Repository
from kimicode.repo.git_files import Listing, Others, changed, listing, others, parse_listing
from kimicode.repo.git_run import Bounds
from kimicode.repo.looks import Looks
from kimicode.repo.plain_files import plain_files
from kimicode.repo.tree import Tree, TreeFile
from kimicode.repo.untracked import FORGETFUL, Memory, Untracked

MAX_FILES: Final = 500_000
_BOUNDS: Final = Bounds(seconds=60.0, output=256 << 20)
_DEEPEST: Final = 20
LARGE: Final = 5_000
"""Files in an index, from which on it pays to remember its folders."""

_MOST_TOPS: Final = 500


class Snapshot(msgspec.Struct, frozen=True):
    """A tree. `base` names what git's indexes list, or, without git, all of it; `apart` are the paths whose content they don't say."""

    tree: Tree
    base: str
    apart: frozenset[str]


class _Listed(msgspec.Struct):
    """What the index of one repository lists: `files` by path of the workspace; `looked` is how the index file looked, None where it may
    yet change unnoticed."""

    data: bytes
    digest: str
    looked: Mark | None
    listing: Listing
    files: dict[str, TreeFile]
    halves: tuple[tuple[str, ...], ...]


class _Part(msgspec.Struct):
    """What one repository contributes: what its index lists, and which paths are to be looked at. `wide`: names have 64 digits."""

    listed: _Listed
    loose: tuple[str, ...]
    wide: bool


class Snapshots:
    """Takes snapshots of one workspace (real path). What an index lists is kept from one to the next, and the folders of a repository with
    `large` files or more, in `folders` for the next process too. More files than `most` are too many. `clock` is for tests."""

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        folders: Memory = FORGETFUL,
        *,
        large: int = LARGE,
        most: int = MAX_FILES,
        clock: Clock = time.time_ns,
    ) -> None:
        self._memory = folders
        self._clock = clock
        self._untracked_there: Untracked | None = None
        self._root = root
        self._environ = environ
        self._large = large
        self._most = most
        self._repositories: dict[str, Repository | None] = {}
        self._listed: dict[str, _Listed] = {}
        self._last: tuple[object, Snapshot] | None = None

    def take(self, looks: Looks) -> Snapshot:
        """The files as they are now; the same value as before where nothing is different. Raises `ToolError` where there are too many, or
        they can't be listed."""
        parts = self._parts("", 0)
        return self._plain(looks) if parts is None else self._joined(parts, looks)

    def _parts(self, prefix: str, depth: int) -> list[_Part] | None:
        """By git: the repository at `prefix` below the root and those in it. None where git can't say."""
        try:
            repository = self._repository(prefix)
            return None if repository is None else self._asked(repository, prefix, depth)
        except TooManyFiles:
            raise
        except (ToolError, UsageError, OSError):
            return None

    def _asked(self, repository: Repository, prefix: str, depth: int) -> list[_Part] | None:
        folder = "" if prefix else _below(self._root, repository.work_tree)
        with ThreadPoolExecutor(3) as threads:
            # What differs is asked about a listing that is not older: what is committed in between still has the right name.
            listed = self._list(repository, prefix, folder)
            differing = [threads.submit(changed, repository, paths) for paths in listed.halves]
            found = self._untracked(repository, listed, prefix, folder)
            apart = [path for half in differing for path in half.result()]
        if folder and not listed.files and not listed.listing.unsure and not found.files:
            # A folder that its repository ignores has rules of its own, or none.
            return None
        loose = dict.fromkeys(_mapped(path, prefix, folder) for path in (*apart, *listed.listing.unsure, *found.files))
        wide = len(listed.listing.files[0].key) == 64 if listed.files else repository.sha256()
        return [_Part(listed, tuple(sorted(loose)), wide), *self._inner(listed.listing, found, (prefix, folder), depth)]

    def _list(self, repository: Repository, prefix: str, folder: str) -> _Listed:
        kept = self._listed.get(prefix)
        path = str(repository.layout.git_dir / "index")
        looked = marks_of((path,), self._clock)[path]
        if kept is not None and kept.looked == looked:
            return kept
        data = listing(repository, folder)
        settled = None if looked == UNSURE else looked
        if kept is not None and kept.data == data:
            kept.looked = settled
            return kept
        parsed = parse_listing(data, strip=len(folder) + 1 if folder else 0, prefix=prefix)
        digest = hashlib.sha256(data).hexdigest()
        whole: tuple[tuple[str, ...], ...] = ((folder,) if folder else (),)
        halves = _halves(parsed) if not prefix and not folder and len(parsed.files) >= self._large else whole
        self._listed[prefix] = _Listed(data, digest, settled, parsed, {file.path: file for file in parsed.files}, halves)
        return self._listed[prefix]

    def _untracked(self, repository: Repository, listed: _Listed, prefix: str, folder: str) -> Others:
        if prefix or folder or len(listed.files) < self._large:
            return others(repository, (folder,) if folder else ())
        if self._untracked_there is None:
            self._untracked_there = Untracked(repository, self._memory, self._clock)
        return self._untracked_there.now(listed.digest, listed.files)

    def _inner(self, listed: Listing, found: Others, way: tuple[str, str], depth: int) -> list[_Part]:
        parts: list[_Part] = []
        for path in (*listed.submodules, *found.repositories):
            inside = _mapped(path, *way)
            if depth < _DEEPEST and os.path.lexists(self._root / inside / ".git"):
                parts += self._parts(f"{inside}/", depth + 1) or []
        return parts

    def _repository(self, prefix: str) -> Repository | None:
        if prefix not in self._repositories:
            self._repositories[prefix] = Repository.find(self._root / prefix, self._environ, bounds=_BOUNDS)
        repository = self._repositories[prefix]
        # A submodule whose `.git` is no repository would give the one around it.
        return None if repository is None or (prefix and repository.work_tree != self._root / prefix.rstrip("/")) else repository

    def _joined(self, parts: list[_Part], looks: Looks) -> Snapshot:
        loose = {path: part.wide for part in parts for path in part.loose}
        _bounded(sum(len(part.listed.files) for part in parts) + len(loose), self._most, self._root)
        apart: dict[str, TreeFile | None] = {path: self._looked_at(path, looks, wide=wide) for path, wide in loose.items()}
        for path, (expected, real) in looks.corrections().items():
            if path not in apart and any(path in (files := part.listed.files) and files[path].key == expected for part in parts):
                apart[path] = TreeFile(path, real)
        same = (tuple(id(part.listed) for part in parts), apart)
        if self._last is None or self._last[0] != same:
            self._last = (same, self._made(parts, apart))
        return self._last[1]

    def _made(self, parts: list[_Part], apart: Mapping[str, TreeFile | None]) -> Snapshot:
        files = [file for part in parts for file in part.listed.listing.files if file.path not in apart]
        files += [file for file in apart.values() if file is not None]
        base = hashlib.sha256("".join(part.listed.digest for part in parts).encode()).hexdigest()
        return Snapshot(_tree(self._root, files), base, frozenset(apart))

    def _plain(self, looks: Looks) -> Snapshot:
        paths = plain_files(self._root, self._environ.get("PATH"))
        _bounded(len(paths), self._most, self._root)
        files: dict[str, TreeFile] = {}
        for path in paths:
            # ripgrep has not come through links; should one appear now, reading notices it.
            with suppress(OSError):
                if (file := _file(path, os.lstat(f"{self._root}/{path}"), looks, wide=False)) is not None:
                    files[path] = file
        if self._last is None or self._last[0] != files:
            tree = _tree(self._root, files.values())
            self._last = (files, Snapshot(tree, tree.name, frozenset()))
        return self._last[1]

    def _looked_at(self, path: str, looks: Looks, *, wide: bool) -> TreeFile | None:
        """The file at `path`; None where there is none, or nothing to read."""
        try:
            found = look(Place(self._root, tuple(path.split("/"))))
            return None if found is None else _file(path, found, looks, wide=wide)
        except OSError:
            return None


class TooManyFiles(ToolError):
    """The workspace has more files than an index of it makes sense for."""


def _bounded(count: int, most: int, root: Path) -> None:
    if count > most:
        raise TooManyFiles(
            f"{root} has {count:,} files; at most {most:,} are indexed",
            hint="Work in a folder below it, or have git ignore what is not source.",
        )


def _halves(listed: Listing) -> tuple[tuple[str, ...], ...]:
    """What to ask about at once: all of an index in two halves, for looking at each file is most of the work."""
    paths = (*(file.path for file in listed.files), *listed.unsure, *listed.links)
    tops = Counter(path.partition("/")[0] for path in paths)
    if len(tops) > _MOST_TOPS:
        return ((),)
    halves: tuple[list[str], list[str]] = ([], [])
    counts = [0, 0]
    for top, count in tops.most_common():
        smaller = counts.index(min(counts))
        halves[smaller].append(top)
        counts[smaller] += count
    return tuple(tuple(half) for half in halves if half)


def _file(path: str, found: os.stat_result, looks: Looks, *, wide: bool) -> TreeFile | None:
    if not stat.S_ISREG(found.st_mode):
        return None
    seen = look_of(found)
    return TreeFile(path, looks.key_of(path, seen, wide=wide), seen[0])


def _below(root: Path, work_tree: Path) -> str:
    """`root` as a path below `work_tree`."""
    way = root.relative_to(work_tree).as_posix()
    return "" if way == "." else way


def _mapped(path: str, prefix: str, folder: str) -> str:
    """A path of a repository as a path of the workspace."""
    return prefix + (path[len(folder) + 1 :] if folder else path)


def _tree(root: Path, files: Iterable[TreeFile]) -> Tree:
    return Tree(root, tuple(sorted(files, key=attrgetter("path"))))
