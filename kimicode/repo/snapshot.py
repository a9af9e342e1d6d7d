"""The files of a workspace as they are now, and what their contents are called: by git where there is one, else by looking.

With git the index names what is unchanged, and only what differs from it or is untracked is read; submodules and repositories that lie
inside are asked the same. Nothing is read again that looks as it did (`looks`). Links and special files are left out.
What this module does not do: read source, or keep anything on disk.
"""

import hashlib
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError, UsageError
from kimicode.files.place import Place, look
from kimicode.repo.contents import Look, look_of
from kimicode.repo.git import Repository
from kimicode.repo.git_files import Listing, Others, changed, listing, others, parse_listing
from kimicode.repo.git_run import Bounds
from kimicode.repo.looks import Looks
from kimicode.repo.plain_files import plain_files
from kimicode.repo.tree import Tree, TreeFile

MAX_FILES: Final = 500_000
_BOUNDS: Final = Bounds(seconds=60.0, output=256 << 20)
_DEEPEST: Final = 20


class Snapshot(msgspec.Struct, frozen=True):
    """A tree. `base` names what git's indexes list ("" without git), `apart` are the paths whose content they don't say."""

    tree: Tree
    base: str
    apart: frozenset[str]


class _Part(msgspec.Struct):
    """What one repository contributes. `own` are files named by its index, by path; `loose` are to be looked at."""

    digest: bytes
    own: dict[str, TreeFile]
    loose: list[str]
    wide: bool


class Snapshots:
    """Takes snapshots of one workspace (real path). What an index lists is kept from one to the next."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ
        self._repositories: dict[str, Repository | None] = {}
        self._listed: dict[str, tuple[bytes, Listing]] = {}

    def take(self, looks: Looks) -> Snapshot:
        """The files as they are now. Raises `ToolError` where there are too many, or they can't be listed."""
        parts = self._parts("", 0)
        if parts is None:
            return self._plain(looks)
        return self._joined(parts, looks)

    def _parts(self, prefix: str, depth: int) -> list[_Part] | None:
        """By git: the repository at `prefix` below the root and those in it. None where git can't say."""
        try:
            repository = self._repository(prefix)
            return None if repository is None else self._asked(repository, prefix, depth)
        except (ToolError, UsageError, OSError) as error:
            if isinstance(error, TooManyFiles):
                raise
            return None

    def _asked(self, repository: Repository, prefix: str, depth: int) -> list[_Part] | None:
        folder = "" if prefix else _below(self._root, repository.work_tree)
        with ThreadPoolExecutor(3) as threads:
            untracked = threads.submit(others, repository, folder)
            differing = threads.submit(changed, repository, folder)
            data = listing(repository, folder)
            listed = self._listing(data, prefix, folder)
            found, apart = untracked.result(), differing.result()
        if folder and not listed.files and not listed.unsure and not found.files:
            # A folder that its repository ignores has rules of its own, or none.
            return None
        part = self._part(repository, listed, found, (prefix, folder), apart)
        part.digest = hashlib.sha256(data).digest()
        return [part, *self._inner(listed, found, (prefix, folder), depth)]

    def _listing(self, data: bytes, prefix: str, folder: str) -> Listing:
        kept = self._listed.get(prefix)
        if kept is None or kept[0] != data:
            kept = (data, parse_listing(data, strip=len(folder) + 1 if folder else 0, prefix=prefix))
            self._listed[prefix] = kept
        return kept[1]

    def _part(self, repository: Repository, listed: Listing, found: Others, way: tuple[str, str], apart: tuple[str, ...]) -> _Part:
        own = {file.path: file for file in listed.files}
        loose = [_mapped(path, *way) for path in {**dict.fromkeys(apart), **dict.fromkeys(listed.unsure), **dict.fromkeys(found.files)}]
        for path in loose:
            own.pop(path, None)
        wide = len(listed.files[0].key) == 64 if listed.files else repository.sha256()
        return _Part(b"", own, loose, wide)

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
        files: dict[str, TreeFile] = {}
        loose: dict[str, bool] = {}
        for part in parts:
            files |= part.own
            loose |= dict.fromkeys(part.loose, part.wide)
        _bounded(len(files) + len(loose), self._root)
        for path, (expected, real) in looks.corrections().items():
            if path in files and files[path].key == expected:
                files[path] = TreeFile(path, real)
                loose.setdefault(path, len(real) == 64)
        apart = set(loose)
        for path, wide in loose.items():
            if path not in files and (file := self._looked_at(path, looks, wide=wide)) is not None:
                files[path] = file
        base = hashlib.sha256(b"".join(part.digest for part in parts)).hexdigest()
        return Snapshot(_tree(self._root, files), base, frozenset(apart))

    def _plain(self, looks: Looks) -> Snapshot:
        paths = plain_files(self._root, self._environ.get("PATH"))
        _bounded(len(paths), self._root)
        files: dict[str, TreeFile] = {}
        for path in paths:
            if (file := self._looked_at(path, looks, wide=False)) is not None:
                files[path] = file
        return Snapshot(_tree(self._root, files), "", frozenset(files))

    def _looked_at(self, path: str, looks: Looks, *, wide: bool) -> TreeFile | None:
        """The file at `path`; None where there is none, or nothing to read."""
        try:
            found = look(Place(self._root, tuple(path.split("/"))))
            if found is None or not _is_regular(found):
                return None
            seen: Look = look_of(found)
            return TreeFile(path, looks.key_of(path, seen, wide=wide), seen[0])
        except OSError:
            return None


class TooManyFiles(ToolError):
    """The workspace has more files than an index of it makes sense for."""


def _bounded(count: int, root: Path) -> None:
    if count > MAX_FILES:
        raise TooManyFiles(
            f"{root} has {count:,} files; at most {MAX_FILES:,} are indexed",
            hint="Work in a folder below it, or have git ignore what is not source.",
        )


def _is_regular(found: os.stat_result) -> bool:
    return (found.st_mode & 0o170000) == 0o100000


def _below(root: Path, work_tree: Path) -> str:
    """`root` as a path below `work_tree`."""
    way = root.relative_to(work_tree).as_posix()
    return "" if way == "." else way


def _mapped(path: str, prefix: str, folder: str) -> str:
    """A path of a repository as a path of the workspace."""
    return prefix + (path[len(folder) + 1 :] if folder else path)


def _tree(root: Path, files: Mapping[str, TreeFile]) -> Tree:
    return Tree(root, tuple(sorted(files.values(), key=attrgetter("path"))))
