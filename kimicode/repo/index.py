"""The symbol index: what is known about each content, in one SQLite file of the user, shared by all clones, worktrees and processes.

What this module does not do: look at a workspace (`snapshot`), parse (`extract`), or rank.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from kimicode.repo.symbols import Definition, FileSymbols
from kimicode.repo.tree import Tree, TreeFile


class Index:
    """The index in `folder`. An index that is damaged, or of another version, is made anew: it holds nothing that can't be read again."""

    def __init__(self, folder: Path) -> None:
        raise NotImplementedError

    def symbols_of(self, files: Iterable[TreeFile]) -> dict[str, FileSymbols]:
        """By path, those of `files` that are indexed."""
        raise NotImplementedError

    def definitions(self, tree: Tree, name: str) -> tuple[tuple[str, Definition], ...]:
        """Path and definition of everything in `tree` that is called `name`, exactly, in the order of path and line."""
        raise NotImplementedError

    def names(self, tree: Tree, part: str, *, limit: int) -> tuple[str, ...]:
        """Names defined in `tree` that contain `part`, whatever their case: equal ones first, then those that begin with it, then others."""
        raise NotImplementedError

    def kept(self, kind: str, name: str) -> bytes | None:
        """What `keep` stored under this kind and name, by any process; None where nothing is, or it was dropped for its age."""
        raise NotImplementedError

    def keep(self, items: Mapping[str, bytes], *, kind: str) -> None:
        """Store something made from indexed files, by name: rankings, token counts, rendered maps. It may be dropped at any time."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the file."""
        raise NotImplementedError
