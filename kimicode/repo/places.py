"""Where files and folders of a tree lie, by the end of their path: what an import names is rarely the whole path.

Small files that give a folder its name in imports (`go.mod`, `package.json`, `Cargo.toml`) are read from the disk, a bounded part of them.
What this module does not do: know how a language looks things up (`resolve`).
"""

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Final

from kimicode.repo.tree import Tree

Read = Callable[[str], bytes]
"""The beginning of a file of the tree; empty where it can't be read."""

_MANIFESTS: Final = {
    "go.mod": re.compile(rb"^module[ \t]+\"?([^\s\"]+)", re.MULTILINE),
    "package.json": re.compile(rb"^[ \t{]*\"name\"[ \t]*:[ \t]*\"([^\"]+)\"", re.MULTILINE),
    "Cargo.toml": re.compile(rb"^\[package\][^\[]*?^name[ \t]*=[ \t]*\"([^\"]+)\"", re.MULTILINE | re.DOTALL),
}
_MAX_MANIFESTS: Final = 2_000
_MAX_MANIFEST_BYTES: Final = 32_768


class Places:
    """The paths of `tree`. The folder at the top is called ""."""

    def __init__(self, tree: Tree, read: Read | None = None) -> None:
        self.paths = tree.by_path
        self._read = read or (lambda path: _beginning(tree.root / path))
        self._manifests: dict[str, tuple[tuple[str, str], ...]] = {}

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        return _by_name(self.paths)

    @cached_property
    def _members(self) -> dict[str, list[str]]:
        members: dict[str, list[str]] = {}
        for path in self.paths:
            members.setdefault(folder_of(path), []).append(path)
        return members

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that has a file somewhere below it."""
        found = {""}
        for folder in self._members:
            while folder not in found:
                found.add(folder)
                folder = folder_of(folder)
        return frozenset(found)

    @cached_property
    def _folders(self) -> dict[str, list[str]]:
        return _by_name(sorted(self.folders))

    def files_ending(self, end: str) -> list[str]:
        """The files whose path is `end` or ends with "/" and `end`."""
        return _ending(self._files, end)

    def folders_ending(self, end: str) -> list[str]:
        """The folders whose path is `end` or ends with "/" and `end`."""
        return _ending(self._folders, end)

    def members(self, folder: str) -> list[str]:
        """The files that lie in `folder` itself."""
        return self._members.get(folder, [])

    def first(self, candidates: Iterable[str]) -> str | None:
        """The first of `candidates` that is a file."""
        return next((path for path in candidates if path in self.paths), None)

    def named(self, manifest: str) -> tuple[tuple[str, str], ...]:
        """Folder and name of each package that a `manifest` (`go.mod`, `package.json`, `Cargo.toml`) names; the longest names first."""
        if manifest not in self._manifests:
            pattern = _MANIFESTS[manifest]
            found = [
                (folder_of(path), match[1].decode("utf-8", "replace"))
                for path in self._files.get(manifest, [])[:_MAX_MANIFESTS]
                if "/node_modules/" not in f"/{path}" and (match := pattern.search(self._read(path)))
            ]
            self._manifests[manifest] = tuple(sorted(found, key=lambda each: (-len(each[1]), each[0])))
        return self._manifests[manifest]


def folder_of(path: str) -> str:
    """The folder that a path lies in; "" for what lies at the top."""
    return path.rpartition("/")[0]


def join(*parts: str) -> str:
    """Parts of a path as one; empty ones are left out."""
    return "/".join(part for part in parts if part)


def step(folder: str, relative: str) -> str | None:
    """`relative` with its `.` and `..` as seen from `folder`; None where it leaves the tree."""
    parts = folder.split("/") if folder else []
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def nearest(candidates: Iterable[str], path: str) -> str | None:
    """The one that shares most leading folders with `path`; of those the shortest, then the first by name."""
    here = path.split("/")[:-1]

    def distance(candidate: str) -> tuple[int, int, str]:
        shared = 0
        for ours, theirs in zip(here, candidate.split("/"), strict=False):
            if ours != theirs:
                break
            shared += 1
        return (-shared, len(candidate), candidate)

    return min(candidates, key=distance, default=None)


def _by_name(paths: Iterable[str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for path in paths:
        names.setdefault(path.rpartition("/")[2], []).append(path)
    return names


def _ending(names: dict[str, list[str]], end: str) -> list[str]:
    candidates = names.get(end.rpartition("/")[2], [])
    if "/" not in end:
        return candidates
    tail = f"/{end}"
    return [path for path in candidates if path == end or path.endswith(tail)]


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_MANIFEST_BYTES)
    except OSError:
        return b""
