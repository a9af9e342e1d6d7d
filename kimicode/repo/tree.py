"""The files of a workspace at one moment, each with the name of its content.

What this module does not do: look at the disk (`snapshot` does), or read contents.
"""

import hashlib
from functools import cached_property
from pathlib import Path

import msgspec

from kimicode.repo.kinds import kind_of


class TreeFile(msgspec.Struct, frozen=True, gc=False):
    """One regular file. `path` is relative to the workspace, with "/" between. `key` names the content as git names a blob (40 or 64 hex
    digits), whether git has it or not: what is committed later keeps its key. `size` in bytes; -1 where nobody has looked."""

    path: str
    key: str
    size: int = -1


class Tree(msgspec.Struct, frozen=True, dict=True):
    """All files below `root`, sorted by path; ignored ones are not in it, those of submodules are."""

    root: Path
    files: tuple[TreeFile, ...]

    @cached_property
    def by_path(self) -> dict[str, TreeFile]:
        """The files by path."""
        return {file.path: file for file in self.files}

    @cached_property
    def kinds(self) -> dict[str, tuple[str, ...]]:
        """By the name of a content, how it is read (`kind_of`) in the files that have it."""
        kinds: dict[str, tuple[str, ...]] = {}
        for file in self.files:
            kind, known = kind_of(file.path), kinds.get(file.key, ())
            if kind not in known:
                kinds[file.key] = (*known, kind)
        return kinds

    @cached_property
    def name(self) -> str:
        """The same for two trees of the same paths with the same contents, wherever they lie."""
        paths = "\0".join([file.path for file in self.files])
        keys = "\0".join([file.key for file in self.files])
        return hashlib.sha256(f"{paths}\0\0{keys}".encode("utf-8", "surrogateescape")).hexdigest()
