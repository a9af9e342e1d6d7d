"""One workspace seen through its symbol index: its files as they are now, and what is known about each.

Everything here waits for the disk; a caller on an event loop gives it to a thread. Calls from several threads are made one after the
other. What this module does not do: rank, render, or decide what may be shown (`tools` does).
"""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from kimicode.repo.index import Index
from kimicode.repo.kinds import kind_of
from kimicode.repo.looks import Known, Looks
from kimicode.repo.reading import Outcome, Wanted, outcome
from kimicode.repo.snapshot import Snapshot, Snapshots
from kimicode.repo.tree import Tree, TreeFile


class Refreshed(msgspec.Struct, frozen=True):
    """What a refresh did. `missing` are the paths of source files that are not indexed yet, because time was over."""

    tree: Tree
    indexed: int
    missing: tuple[str, ...] = ()


class Codebase:
    """The workspace `workspace`. `environ` is the user's, for git; the index lies in the folder `cache` and is shared with other workspaces.

    Nothing is read before the first call.
    """

    def __init__(self, workspace: Path, environ: Mapping[str, str], *, cache: Path) -> None:
        self._root = workspace.resolve()
        self._index = Index(cache)
        self._snapshots = Snapshots(self._root, environ)
        self._looks: Looks | None = None
        self._lock = threading.RLock()

    @property
    def index(self) -> Index:
        """The index, opened."""
        return self._index

    def tree(self) -> Tree:
        """The files as they are now. Raises `ToolError` where they can't be listed, or are too many."""
        with self._lock:
            return self._taken().tree

    def refresh(self, *, seconds: float | None = None, only: Iterable[str] | None = None) -> Refreshed:
        """Bring the index up to date with the files (or with those of `only` alone), within `seconds`; without a limit, wholly.

        Work goes in the order of what is most likely asked for. What is already done when time is over, or the process is killed, stays.
        """
        end = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            snapshot = self._taken()
            files = snapshot.tree.files if only is None else [each for path in only if (each := snapshot.tree.by_path.get(path))]
            wanted = [Wanted(file.path, kind_of(file.path), file.key) for file in self._index.missing(files)]
            done: list[Outcome] = []
            while len(done) < len(wanted) and (end is None or time.monotonic() < end):
                some = [outcome(self._root, each) for each in wanted[len(done) : len(done) + 16]]
                self._index.add([each.made for each in some if each.made])
                done += some
            tree = self._corrected(snapshot.tree, wanted, done)
            self._index.add_looks(os.fsencode(self._root), self._known().take_fresh())
            return Refreshed(tree, len(done), tuple(each.path for each in wanted[len(done) :]))

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def _known(self) -> Looks:
        if self._looks is None:
            self._looks = Looks(self._root, self._index.looks(os.fsencode(self._root)))
        return self._looks

    def _taken(self) -> Snapshot:
        return self._snapshots.take(self._known())

    def _corrected(self, tree: Tree, wanted: list[Wanted], done: list[Outcome]) -> Tree:
        """The tree with the real names of contents that are not what they should be: a filter stands between, or they have just changed."""
        others: dict[str, TreeFile] = {}
        for asked, got in zip(wanted, done, strict=False):
            if got.key and got.key != asked.key:
                others[got.path] = TreeFile(got.path, got.key)
                if got.look:
                    size, changed, touched, inode = got.look
                    self._known().learn(got.path, Known((size, changed, touched, inode), got.key, asked.key))
        return Tree(tree.root, tuple(others.get(file.path, file) for file in tree.files)) if others else tree
