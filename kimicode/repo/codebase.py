"""One workspace seen through its symbol index: its files as they are now, and what is known about each.

Everything here waits for the disk; a caller on an event loop gives it to a thread. Calls from several threads are made one after the
other. What this module does not do: rank, render, or decide what may be shown (`tools` does).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from kimicode.repo.index import Index
from kimicode.repo.tree import Tree


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
        raise NotImplementedError

    @property
    def index(self) -> Index:
        """The index, opened."""
        raise NotImplementedError

    def tree(self) -> Tree:
        """The files as they are now."""
        raise NotImplementedError

    def refresh(self, *, seconds: float | None = None, only: Iterable[str] | None = None) -> Refreshed:
        """Bring the index up to date with the files (or with those of `only` alone), within `seconds`; without a limit, wholly.

        Work goes in the order of what is most likely asked for. What is already done when time is over, or the process is killed, stays.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the index."""
        raise NotImplementedError
