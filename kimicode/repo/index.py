"""The symbol index: what is known about each content, in one SQLite file of the user, shared by all clones, worktrees and processes.

An index that can't be written (a full disk, a folder that is read-only) goes on in memory for this process, beside what can still be read;
`notice` says so. What this module does not do: look at a workspace (`snapshot`), parse (`extract`), rank, or know SQL (`index_file`).
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

from kimicode.repo.index_file import IndexFile
from kimicode.repo.index_store import IndexStore
from kimicode.repo.kinds import kind_of
from kimicode.repo.looks import Known
from kimicode.repo.made import Made
from kimicode.repo.symbols import Definition, FileSymbols
from kimicode.repo.tree import Tree, TreeFile

MAX_BYTES: Final = 2 << 30
"""Of the file. Symbols of a large tree of 50,000 files take some 300 MB."""

MAX_MADE_BYTES: Final = 256 << 20
_OFTEN_BYTES: Final = 16 << 20
_T = TypeVar("_T")


class Index:
    """The index in `folder`. An index that is damaged, or of another version, is made anew: it holds nothing that can't be read again.

    Calls from several threads are made one after the other. Nothing is opened before the first call. No call raises for the disk's sake.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._store = IndexStore(folder)
        self._lock = threading.RLock()
        self._max_bytes = max_bytes
        self._kept_bytes = 0

    @property
    def notice(self) -> str:
        """Why the index is not what it should be, for the user; "" where all is well."""
        return self._store.notice

    def symbols_of(self, files: Iterable[TreeFile]) -> dict[str, FileSymbols]:
        """By path, those of `files` that are indexed. For very many files use `each`: symbols need much more memory than sources."""
        asked = list(files)
        return {file.path: symbols for some in self._all(lambda index: list(index.symbols(asked))) for file, symbols in some}

    def each(self, files: Iterable[TreeFile], *, at_once: int = 2_000) -> Iterator[tuple[TreeFile, FileSymbols]]:
        """Those of `files` that are indexed with their symbols, in no order, with about `at_once` of them in memory."""
        rest = iter(files)
        while some := list(islice(rest, at_once)):
            for found in self._all(lambda index, some=some: list(index.symbols(some))):  # type: ignore[misc]
                yield from found

    def definitions(self, tree: Tree, name: str) -> tuple[tuple[str, Definition], ...]:
        """Path and definition of everything in `tree` that is called `name`, exactly, in the order of path and line."""
        found: dict[tuple[str, str], list[Definition]] = {}
        for rows in self._all(lambda index: list(index.definitions(name))):
            found |= {(key, kind): definitions for key, kind, definitions in rows}
        keys = {key for key, _ in found}
        return tuple(
            (file.path, definition)
            for file in tree.files
            if file.key in keys
            for definition in sorted(found.get((file.key, kind_of(file.path)), ()), key=lambda each: each.line)
        )

    def names(self, tree: Tree, part: str, *, limit: int) -> tuple[str, ...]:
        """Names defined in `tree` that contain `part`, whatever their case: equal ones, then those that begin with it, then others."""
        folded = part.casefold()
        found = {name for some in self._all(lambda index: _present(index, tree, part, limit)) for name in some}
        return tuple(sorted(found, key=lambda name: _order(name, folded))[:limit])

    def kept(self, kind: str, name: str) -> bytes | None:
        """What `keep` stored under this kind and name, by any process; None where nothing is, or it was dropped for its age."""
        return self.kept_of(kind, (name,)).get(name)

    def kept_of(self, kind: str, names: Iterable[str]) -> dict[str, bytes]:
        """`kept` for many names: those of which something is there."""
        asked = list(names)
        found: dict[str, bytes] = {}
        for some in self._all(lambda index: index.kept(kind, asked)):
            found |= some
        return found

    def keep(self, items: Mapping[str, bytes], *, kind: str) -> None:
        """Store something made from indexed files, by name: rankings, token counts, rendered maps. It may be dropped at any time.

        What was not used for longest is dropped where all that is kept has more than `MAX_MADE_BYTES`.
        """
        with self._lock:
            self._store.write(lambda index: index.keep(items, kind))
            self._kept_bytes += sum(map(len, items.values()))
            if self._kept_bytes > _OFTEN_BYTES:
                self._kept_bytes = 0
                self._store.write(lambda index: index.drop_made(MAX_MADE_BYTES))

    def missing(self, files: Iterable[TreeFile]) -> list[TreeFile]:
        """Those of `files` that may hold symbols and are not indexed. The others count as used today."""
        kinds = [(file, (file.key, kind)) for file in files if (kind := kind_of(file.path))]
        known = self.known([each for _, each in kinds])
        return [file for file, each in kinds if each not in known]

    def known(self, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
        """Of these names and kinds of contents, those that are indexed."""
        asked = set(keys)
        return set().union(*self._all(lambda index: index.known(asked)))

    def add(self, made: Sequence[Made]) -> None:
        """Store what contents gave."""
        with self._lock:
            self._store.write(lambda index: index.add(made))

    def looks(self, root: bytes) -> dict[str, Known]:
        """How the files of the workspace `root` looked when they were read."""
        found: dict[str, Known] = {}
        for some in self._all(lambda index: index.looks(root)):
            found |= some
        return found

    def add_looks(self, root: bytes, looks: Mapping[str, Known]) -> None:
        """Store how files of a workspace looked."""
        if looks:
            with self._lock:
                self._store.write(lambda index: index.add_looks(root, looks))

    def tidy(self) -> None:
        """After much was added: make new names searchable, and drop what was not used for longest where the file is too large."""
        with self._lock:
            self._store.write(lambda index: index.make_searchable())
            self._store.write(lambda index: index.drop_old(self._max_bytes))

    def close(self) -> None:
        """Close the file. The next call would open it again."""
        with self._lock:
            self._store.close()

    def _all(self, ask: Callable[[IndexFile], _T]) -> list[_T]:
        with self._lock:
            return self._store.read(ask)


def _order(name: str, folded: str) -> tuple[bool, bool, int, str]:
    own = name.casefold()
    return (own != folded, not own.startswith(folded), len(name), name)


def _present(index: IndexFile, tree: Tree, part: str, limit: int) -> list[str]:
    """The first names with `part` that something in the tree defines."""
    folded = part.casefold()
    first: list[tuple[int, str]] = []
    rest: list[tuple[int, str]] = []
    for row in index.names(part):
        (first if row[1].casefold().startswith(folded) else rest).append(row)
    found: list[str] = []
    # Sorted apart: often the first are enough, and the others are many.
    for rows in (first, rest):
        rows.sort(key=lambda row: _order(row[1], folded))
        here = (name for number, name in rows if any(kind in tree.kinds.get(key, ()) for key, kind in index.definers(number)))
        found += islice(here, limit - len(found))
        if len(found) >= limit:
            break
    return found
