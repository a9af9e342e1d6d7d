"""One workspace seen through its symbol index: its files as they are now, and what is known about each.

Everything here waits for the disk; a caller on an event loop gives it to a thread. Calls from several threads are made one after the
other. What this module does not do: rank, render, or decide what may be shown (`tools` does).
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.repo.build import Limits, Read, build
from kimicode.repo.index import Index
from kimicode.repo.kinds import kind_of
from kimicode.repo.looks import Known, Looks
from kimicode.repo.order import in_order, scattered
from kimicode.repo.private import first_in
from kimicode.repo.reading import Wanted
from kimicode.repo.snapshot import Snapshot, Snapshots
from kimicode.repo.tree import Tree, TreeFile
from kimicode.repo.untracked import Memory

_MUCH: Final = 100


class Refreshed(msgspec.Struct, frozen=True):
    """What a refresh did. `missing` are the paths of source files that are not indexed yet, because time was over. `notice` is for the
    user: why the index is not what it should be."""

    tree: Tree
    indexed: int
    missing: tuple[str, ...] = ()
    notice: str = ""


class Codebase:
    """The workspace `workspace`. `environ` is the user's, for git; the index lies in the folder `cache`, shared with other workspaces.

    Nothing is read before the first call. `processes` is how many read files at once, 0 for as many as there are cores.
    """

    def __init__(self, workspace: Path, environ: Mapping[str, str], *, cache: Path, processes: int = 0) -> None:
        self._root = workspace.resolve()
        self._cache = cache
        self._processes = processes
        self._index = Index(cache)
        self._snapshots = Snapshots(self._root, environ, Memory(self._load_folders, self._keep_folders))
        self._looks: Looks | None = None
        self._lock = threading.RLock()
        self._stop = threading.Event()

    @property
    def index(self) -> Index:
        """The index, opened."""
        return self._index

    def tree(self) -> Tree:
        """The files as they are now. Raises `ToolError` where they can't be listed, or are too many."""
        with self._lock:
            tree = self._take().tree
            self._store_looks()
            return tree

    def refresh(
        self, *, seconds: float | None = None, only: Iterable[str] | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Refreshed:
        """Bring the index up to date with the files (or with those of `only` alone), within `seconds`; without a limit, wholly.

        Work goes in the order of what is most likely asked for. What is already done when time is over, or the process is killed, stays.
        `progress` is told how many files of how many are read. Raises as `tree` does.
        """
        limits = Limits(None if seconds is None else time.monotonic() + seconds, self._stop, self._processes)
        with self._lock:
            snapshot = self._take()
            wanted = self._wanted(snapshot, only)
            work = _Work(self._index, len(wanted), progress)
            if wanted:
                self._build(wanted, work, limits)
            missing = tuple(each.path for each in wanted if each.raw not in work.done)
            # A file whose content is not what git calls it, and that changed too lately to be known by its look, has to be read again.
            if only is None and not missing and work.others.keys() <= work.learnt.keys():
                self._is_whole(snapshot)
            self._learn(work)
            self._store_looks()
            if len(work.done) > _MUCH:
                self._index.tidy()
            return Refreshed(_corrected(snapshot.tree, work), len(work.done), missing, self._index.notice)

    def close(self) -> None:
        """Let go of the index; a refresh that runs in another thread ends early, and its processes with it."""
        self._stop.set()
        with self._lock:
            self._index.close()
            self._stop.clear()

    def _build(self, wanted: Sequence[Wanted], work: "_Work", limits: Limits) -> None:
        # Whoever else builds goes another way through what may be the same files.
        with first_in(self._cache / "building") as first:
            build(self._root, wanted if first else scattered(wanted), work.store, still=work.still, limits=limits)

    def _wanted(self, snapshot: Snapshot, only: Iterable[str] | None) -> list[Wanted]:
        """What is to be read, in the order of reading."""
        files: Iterable[TreeFile] = snapshot.tree.files
        if only is not None:
            files = [file for path in only if (file := snapshot.tree.by_path.get(path)) is not None]
        elif self._was_whole(snapshot):
            files = [file for path in snapshot.apart if (file := snapshot.tree.by_path.get(path)) is not None]
        missing = [Wanted(os.fsencode(file.path), kind_of(file.path), file.key) for file in self._index.missing(files)]
        return in_order(missing, snapshot.apart)

    def _was_whole(self, snapshot: Snapshot) -> bool:
        """True where all that its base names is known to be indexed, and was used not long ago. Asked of the file each time: it may have
        been damaged, or removed, since."""
        return self._index.kept("whole", snapshot.base) == _today().encode()

    def _is_whole(self, snapshot: Snapshot) -> None:
        if not self._was_whole(snapshot):
            self._index.keep({snapshot.base: _today().encode()}, kind="whole")

    def _load_folders(self) -> bytes | None:
        return self._index.kept("folders", self._name)

    def _keep_folders(self, data: bytes) -> None:
        self._index.keep({self._name: data}, kind="folders")

    @property
    def _name(self) -> str:
        """A name for the workspace that SQLite takes."""
        return os.fsencode(self._root).hex()

    def _take(self) -> Snapshot:
        if self._looks is None:
            self._looks = Looks(self._root, self._index.looks(os.fsencode(self._root)))
        return self._snapshots.take(self._looks)

    def _learn(self, work: "_Work") -> None:
        assert self._looks is not None
        for path, known in work.learnt.items():
            self._looks.learn(path, known)

    def _store_looks(self) -> None:
        assert self._looks is not None
        self._index.add_looks(os.fsencode(self._root), self._looks.take_fresh())


class _Work:
    """What a refresh has read so far. `others` are files whose content is not what it should be: a filter stands between, or it has just
    changed; `learnt` is what to remember of them."""

    def __init__(self, index: Index, total: int, progress: Callable[[int, int], None] | None) -> None:
        self.done: set[bytes] = set()
        self.others: dict[str, TreeFile] = {}
        self.learnt: dict[str, Known] = {}
        self._index = index
        self._total = total
        self._progress = progress

    def store(self, some: Sequence[Read]) -> None:
        """Take in what was read."""
        self._index.add([outcome.made for _, outcome in some if outcome.made is not None])
        for wanted, outcome in some:
            self.done.add(wanted.raw)
            if outcome.made is not None and outcome.made.key != wanted.key:
                self.others[wanted.path] = TreeFile(wanted.path, outcome.made.key)
                if outcome.look is not None:
                    self.learnt[wanted.path] = Known(outcome.look, outcome.made.key, wanted.key)
        self._tell()

    def still(self, batch: Sequence[Wanted]) -> Sequence[Wanted]:
        """Without what another process has stored meanwhile."""
        known = self._index.known([(each.key, each.kind) for each in batch])
        left = [each for each in batch if (each.key, each.kind) not in known]
        self.done.update(each.raw for each in batch if (each.key, each.kind) in known)
        return left

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(len(self.done), self._total)


def _corrected(tree: Tree, work: _Work) -> Tree:
    if not work.others:
        return tree
    return Tree(tree.root, tuple(work.others.get(file.path, file) for file in tree.files))


def _today() -> str:
    return str(int(time.time() // 86_400))
