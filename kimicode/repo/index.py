"""The symbol index: what is known about each content, in one SQLite file of the user, shared by all clones, worktrees and processes.

An index that can't be written (a full disk, a folder that is read-only) goes on in memory for this process, beside what can still be read;
`notice` says so. What this module does not do: look at a workspace (`snapshot`), parse (`extract`), rank, or know SQL (`index_file`).
"""

import sqlite3
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from kimicode.repo.index_file import SCHEMA, IndexFile
from kimicode.repo.kinds import kind_of
from kimicode.repo.looks import Known
from kimicode.repo.made import Made
from kimicode.repo.private import is_own, make_private
from kimicode.repo.symbols import Definition, FileSymbols
from kimicode.repo.tree import Tree, TreeFile

_T = TypeVar("_T")
_DAMAGE: Final = (sqlite3.DatabaseError, zlib.error, msgspec.DecodeError)


class Index:
    """The index in `folder`. An index that is damaged, or of another version, is made anew: it holds nothing that can't be read again.

    Calls from several threads are made one after the other. Nothing is opened before the first call.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.RLock()
        self._file: IndexFile | None = None
        self.notice = ""

    def symbols_of(self, files: Iterable[TreeFile]) -> dict[str, FileSymbols]:
        """By path, those of `files` that are indexed. For very many files use `each`: symbols need much more memory than sources."""
        asked = list(files)
        return self._do(lambda file: {each.path: symbols for each, symbols in file.symbols(asked)})

    def each(self, files: Iterable[TreeFile], *, at_once: int = 2_000) -> Iterator[tuple[TreeFile, FileSymbols]]:
        """Those of `files` that are indexed with their symbols, in no order, with at most `at_once` of them in memory."""
        rest = iter(files)
        while some := list(islice(rest, at_once)):
            yield from self._do(lambda file, some=some: list(file.symbols(some)))  # type: ignore[misc]

    def definitions(self, tree: Tree, name: str) -> tuple[tuple[str, Definition], ...]:
        """Path and definition of everything in `tree` that is called `name`, exactly, in the order of path and line."""
        found = self._do(lambda file: {(key, kind): definitions for key, kind, definitions in file.definitions(name)})
        keys = {key for key, _ in found}
        return tuple(
            (file.path, definition)
            for file in tree.files
            if file.key in keys
            for definition in sorted(found.get((file.key, kind_of(file.path)), ()), key=lambda each: each.line)
        )

    def names(self, tree: Tree, part: str, *, limit: int) -> tuple[str, ...]:
        """Names defined in `tree` that contain `part`, whatever their case: equal ones first, then those that begin with it, then others."""
        folded = part.casefold()
        return self._do(
            lambda file: tuple(islice(_present(file, tree, sorted(file.names(part), key=lambda row: _order(row[1], folded))), limit))
        )

    def kept(self, kind: str, name: str) -> bytes | None:
        """What `keep` stored under this kind and name, by any process; None where nothing is, or it was dropped for its age."""
        return self._do(lambda file: file.kept(kind, name))

    def keep(self, items: Mapping[str, bytes], *, kind: str) -> None:
        """Store something made from indexed files, by name: rankings, token counts, rendered maps. It may be dropped at any time."""
        self._do(lambda file: file.keep(items, kind))

    def missing(self, files: Iterable[TreeFile]) -> list[TreeFile]:
        """Those of `files` that may hold symbols and are not indexed."""
        kinds = [(file, (file.key, kind)) for file in files if (kind := kind_of(file.path))]
        known = self._do(lambda file: file.known(each for _, each in kinds))
        return [file for file, each in kinds if each not in known]

    def add(self, made: Sequence[Made]) -> None:
        """Store what contents gave."""
        self._do(lambda file: file.add(made))

    def looks(self, root: bytes) -> dict[str, Known]:
        """How the files of the workspace `root` looked when they were read."""
        return self._do(lambda file: file.looks(root))

    def add_looks(self, root: bytes, looks: Mapping[str, Known]) -> None:
        """Store how files of a workspace looked."""
        if looks:
            self._do(lambda file: file.add_looks(root, looks))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _do(self, work: Callable[[IndexFile], _T]) -> _T:
        with self._lock:
            try:
                return work(self._opened())
            except _DAMAGE:
                self._renew()
                return work(self._opened())

    def _opened(self) -> IndexFile:
        if self._file is None:
            make_private(self._folder)
            if not is_own(self._folder):
                raise PermissionError(f"{self._folder} belongs to somebody else")
            self._file = IndexFile(str(self._path))
        return self._file

    @property
    def _path(self) -> Path:
        return self._folder / f"symbols-{SCHEMA}.sqlite"

    def _renew(self) -> None:
        self.close()
        for ending in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)


def _order(name: str, folded: str) -> tuple[bool, bool, int, str]:
    own = name.casefold()
    return (own != folded, not own.startswith(folded), len(name), name)


def _present(file: IndexFile, tree: Tree, rows: Iterable[tuple[int, str]]) -> Iterator[str]:
    """Of these names, those that something in the tree defines."""
    for number, name in rows:
        if any(kind in tree.kinds.get(key, ()) for key, kind in file.definers(number)):
            yield name
