"""Rankings between processes: what was counted is kept in the index, and a tree that differs by a few files is not counted again.

A counted tree is kept by the tree's name, so clones and worktrees share it; for each workspace it is known which one was last. What this
module does not do: rank or count.
"""

import importlib
import os
from collections.abc import Sequence
from itertools import compress
from operator import ne
from typing import Final, Protocol, cast

import msgspec

from kimicode.repo.digest import Digest, Numbers, digest, plain
from kimicode.repo.index import Index
from kimicode.repo.rank import Base, Change, Counted, Ranking
from kimicode.repo.rank_table import Part, Table
from kimicode.repo.tree import Tree, TreeFile

_KIND: Final = "rank-2"
"""To be raised whenever a digest, a worth or a form changes."""

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


def ranking(index: Index, tree: Tree, *, whole: bool = True, fresh: bool = False, until: float | None = None) -> Kept:
    """The ranking of `tree`. `whole`: all its source files are indexed; else nothing is kept. `fresh`: what is kept is not used.

    Raises `TimeoutError` as `counted` does.
    """
    if whole and not fresh:
        for name in dict.fromkeys((tree.name, _last(index, tree))):
            try:
                if name and (found := _opened(index, tree, name)) is not None:
                    return found
            except (Lost, msgspec.DecodeError):
                continue
    counting = cast("_Counting", importlib.import_module("kimicode.repo.rank_build"))
    made = counting.counted(tree, index, until=until)
    table = Table(len(made.parts), made.parts.__getitem__)
    if whole:
        _keep(index, tree, made.base, made.parts)
    return Kept(Ranking(made.base, table, [file.path for file in tree.files]), tree.name if whole else "")


def _opened(index: Index, tree: Tree, name: str) -> Kept | None:
    """The ranking by way of the counted tree `name`; None where too much has changed."""
    files = msgspec.msgpack.decode(_need(index, f"{name}:files"), type=_Files)
    paths = _split(files.paths)
    pairs = _differences(paths, _split(files.keys), tree.files)
    if len(pairs) > max(_FEW, len(paths) // _SHARE):
        return None
    base = msgspec.msgpack.decode(_need(index, f"{name}:base"), type=Base)
    table = Table(base.parts, lambda number: msgspec.msgpack.decode(_need(index, f"{name}:{number}"), type=Part))
    return Kept(Ranking(base, table, paths, _changes(index, pairs)), name, frozenset(path for path, _, _ in pairs))


def _differences(paths: list[str], keys: list[str], files: Sequence[TreeFile]) -> list[tuple[str, str | None, str | None]]:
    """Path, old and new name of the content of each file that differs."""
    new_paths, new_keys = [file.path for file in files], [file.key for file in files]
    if paths == new_paths:
        return [(paths[at], keys[at], new_keys[at]) for at in compress(range(len(keys)), map(ne, keys, new_keys))]
    old, new = dict(zip(paths, keys, strict=True)), dict(zip(new_paths, new_keys, strict=True))
    return sorted((path, old.get(path), new.get(path)) for path in {path for path, _ in old.items() ^ new.items()})


def _changes(index: Index, pairs: list[tuple[str, str | None, str | None]]) -> list[Change]:
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
