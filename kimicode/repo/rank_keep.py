"""Rankings between processes: what was counted is kept in the index, and a tree that differs by a few files is not counted again.

A counted tree is kept by the tree's name, so clones and worktrees share it; for each workspace it is known which one was last. What this
module does not do: rank or count.
"""

import hashlib
import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import compress
from operator import ne
from typing import Final, Protocol, TypeAlias, cast

import msgspec

from kimicode.repo.digest import Digest, Numbers, digest, plain
from kimicode.repo.index import Index
from kimicode.repo.rank import Base, Change, Counted, Ranking
from kimicode.repo.rank_table import Part, Table
from kimicode.repo.tree import Tree, TreeFile

_KIND: Final = "rank-2"
"""To be raised whenever a digest, a worth or a form changes."""

Pair: TypeAlias = tuple[str, str | None, str | None]
"""A path, and the names of two contents; None where there is no such file."""

_FEW: Final = 200
_SHARE: Final = 100
"""A tree is counted again where more than so many files changed, and more than one in so many."""


class Kept(msgspec.Struct, frozen=True):
    """A ranking, and under which name its counted tree is kept; "" where it is not. `changed` are the paths that differ from it."""

    ranking: Ranking
    name: str
    changed: frozenset[str] = frozenset()


class _Files(msgspec.Struct, frozen=True, array_like=True):
    paths: bytes
    keys: bytes


class _Counting(Protocol):
    def counted(self, tree: Tree, index: Index, *, until: float | None = None) -> Counted: ...


class Lost(Exception):
    """Something that was kept is not there any more. A ranking reads parts as they are asked for, so it may come late."""


class Standing(msgspec.Struct, frozen=True):
    """How a tree stands to a counted one that is kept: `pairs` have path, old and new name of the content of each file that differs."""

    name: str
    paths: list[str]
    pairs: list[Pair]

    @property
    def mark(self) -> str:
        """The same for two trees that are the same, by way of the same counted tree."""
        return _mark(self.name, self.pairs)


def standing(index: Index, tree: Tree) -> Standing | None:
    """By way of the tree that was last counted for this workspace, or another one of the same files; None where too much has changed."""
    return _standing(index, tree, _last(index, tree)) or _standing(index, tree, tree.name)


def mark_of(tree: Tree) -> str:
    """`Standing.mark` of a tree by way of itself."""
    return _mark(tree.name, [])


def ranking(index: Index, tree: Tree, known: Standing | None = None, *, whole: bool = True, until: float | None = None) -> Kept:
    """The ranking of `tree`: from where it stands, else counted. `whole`: all its source files are indexed; else nothing is kept.

    Raises `TimeoutError` as `counted` does.
    """
    with suppress(Lost, msgspec.DecodeError):
        if known is not None:
            return _opened(index, known)
    counting = cast("_Counting", importlib.import_module("kimicode.repo.rank_build"))
    made = counting.counted(tree, index, until=until)
    table = Table(len(made.parts), made.parts.__getitem__)
    if whole:
        _keep(index, tree, made.base, made.parts)
    return Kept(Ranking(made.base, table, [file.path for file in tree.files]), tree.name if whole else "")


def _standing(index: Index, tree: Tree, name: str) -> Standing | None:
    data = index.kept(_KIND, f"{name}:files") if name else None
    if data is None:
        return None
    try:
        files = msgspec.msgpack.decode(data, type=_Files)
        paths, pairs = _differences(files, tree.files)
    except (msgspec.DecodeError, ValueError):
        return None
    return Standing(name, paths, pairs) if len(pairs) <= max(_FEW, len(paths) // _SHARE) else None


def _opened(index: Index, known: Standing) -> Kept:
    name = known.name
    base = msgspec.msgpack.decode(_need(index, f"{name}:base"), type=Base)
    table = Table(base.parts, lambda number: msgspec.msgpack.decode(_need(index, f"{name}:{number}"), type=Part))
    changed = frozenset(path for path, _, _ in known.pairs)
    return Kept(Ranking(base, table, known.paths, _changes(index, known.pairs)), name, changed)


def _mark(name: str, pairs: list[Pair]) -> str:
    facts = "\0".join(f"{path}\0{old}\0{new}" for path, old, new in pairs).encode("utf-8", "surrogateescape")
    return f"{name}:{hashlib.sha256(facts).hexdigest()}"


def _differences(kept: _Files, files: Sequence[TreeFile]) -> tuple[list[str], list[Pair]]:
    """The kept paths, and what differs. Whole texts are compared as far as they go: taking them apart takes longer."""
    new_paths, new_keys = [file.path for file in files], [file.key for file in files]
    same = _joined(new_paths) == kept.paths
    if same and _joined(new_keys) == kept.keys:
        return new_paths, []
    keys = _split(kept.keys)
    if same:
        return new_paths, [(new_paths[at], keys[at], new_keys[at]) for at in compress(range(len(keys)), map(ne, keys, new_keys))]
    paths = _split(kept.paths)
    old, new = dict(zip(paths, keys, strict=True)), dict(zip(new_paths, new_keys, strict=True))
    return paths, sorted((path, old.get(path), new.get(path)) for path in {path for path, _ in old.items() ^ new.items()})


def _changes(index: Index, pairs: list[Pair]) -> list[Change]:
    old = [TreeFile(path, key) for path, key, _ in pairs if key is not None]
    new = [TreeFile(path, key) for path, _, key in pairs if key is not None]
    if index.missing(old):
        raise Lost
    before, after = _digests(index, old), _digests(index, new)
    return [Change(path, before.get(path), after.get(path)) for path, _, _ in pairs]


def _digests(index: Index, files: list[TreeFile]) -> dict[str, Digest]:
    symbols, numbers = index.symbols_of(files), Numbers()
    return {file.path: digest(file.path, symbols[file.path], numbers) if file.path in symbols else plain(file.path) for file in files}


def _keep(index: Index, tree: Tree, base: Base, parts: Sequence[Part]) -> None:
    encode = msgspec.msgpack.encode
    for number, part in enumerate(parts):
        index.keep({f"{tree.name}:{number}": encode(part)}, kind=_KIND)
    files = _Files(_joined([file.path for file in tree.files]), _joined([file.key for file in tree.files]))
    last = {f"{tree.name}:files": encode(files), f"{tree.name}:base": encode(base), _of_root(tree): tree.name.encode()}
    index.keep(last, kind=_KIND)


def _last(index: Index, tree: Tree) -> str:
    return (index.kept(_KIND, _of_root(tree)) or b"").decode("ascii", "replace")


def _of_root(tree: Tree) -> str:
    return "last:" + os.fsencode(tree.root).hex()


def _need(index: Index, name: str) -> bytes:
    kept = index.kept(_KIND, name)
    if kept is None:
        raise Lost
    return kept


def _joined(texts: list[str]) -> bytes:
    return "\0".join(texts).encode("utf-8", "surrogateescape")


def _split(data: bytes) -> list[str]:
    return data.decode("utf-8", "surrogateescape").split("\0") if data else []
