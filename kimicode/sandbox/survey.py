"""What the disk has at the paths of a boundary, looked up once before a plan is made.

The plan itself is pure; this is its only eye. What this module does not do: decide, or make anything.
"""

import enum
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from kimicode.sandbox.boundary import Boundary

_RESOLVER: Final = Path("/etc/resolv.conf")


class Kind(enum.Enum):
    """What is at a path. LINK: a symbolic link, there or on the way, so that the path is not the real one."""

    FOLDER = "folder"
    FILE = "file"
    MISSING = "missing"
    LINK = "link"


class Survey(msgspec.Struct, frozen=True):
    """`kinds` has the writable, protected and hidden paths and what a missing one would be made of; `missing` leads from a missing
    path to the topmost one on its way that is missing as well; `children` has the entries of every folder above a hidden path, links
    left out; `resolver` is the file that `/etc/resolv.conf` leads to."""

    kinds: Mapping[Path, Kind]
    missing: Mapping[Path, Path]
    children: Mapping[Path, tuple[Path, ...]]
    resolver: Path


def survey(boundary: Boundary, *, listing: bool = False, placeholders: Collection[Path] = ()) -> Survey:
    """Look. `listing` asks for `children`, which costs a listing for each folder above a hidden path. Raises nothing.

    An empty folder of `placeholders` counts as missing: it goes when the sandbox that has put it there ends.
    """
    straight: dict[str, bool] = {"/": True}
    kinds = {path: _kind(str(path), straight) for path in (*boundary.writable, *boundary.protected, *boundary.hidden)}
    empty = {path for path in placeholders if _is_empty(path)}
    kinds |= {path: Kind.MISSING for path in kinds if path in empty}
    gone = {path: _topmost_missing(path, empty) for path, kind in kinds.items() if kind is Kind.MISSING}
    kinds |= dict.fromkeys(gone.values(), Kind.MISSING)
    return Survey(kinds, gone, _above(boundary.hidden) if listing else {}, Path(os.path.realpath(_RESOLVER)))


def _kind(path: str, straight: dict[str, bool]) -> Kind:
    """What is at `path`. What can't be looked at counts as missing: the command, which is no mightier, can't either."""
    if not _is_straight(os.path.dirname(path), straight):
        return Kind.LINK
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return Kind.MISSING
    if stat.S_ISLNK(mode):
        return Kind.LINK
    return Kind.FOLDER if stat.S_ISDIR(mode) else Kind.FILE


def _is_straight(folder: str, known: dict[str, bool]) -> bool:
    """Whether no part of `folder` is a symbolic link. `known` are the answers so far: most paths share their way."""
    if folder not in known:
        known[folder] = _is_straight(os.path.dirname(folder), known) and not os.path.islink(folder)
    return known[folder]


def _is_empty(folder: Path) -> bool:
    try:
        return not os.listdir(folder)
    except OSError:
        return False


def _topmost_missing(path: Path, empty: Collection[Path]) -> Path:
    for parent in path.parents:
        if parent not in empty and os.path.lexists(parent):
            return path
        path = parent
    return path


def _above(hidden: Iterable[Path]) -> dict[Path, tuple[Path, ...]]:
    return {folder: _entries(folder) for folder in {parent for path in hidden for parent in path.parents}}


def _entries(folder: Path) -> tuple[Path, ...]:
    with suppress(OSError), os.scandir(folder) as entries:
        return tuple(Path(entry.path) for entry in entries if not entry.is_symlink())
    return ()
