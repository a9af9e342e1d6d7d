"""Protected paths where no namespace can protect them: remembered before a command, put back after it, and reported.

Landlock allows a folder whole or not at all, so in that tier a command can change `.git/hooks` in a workspace it may write. What it
changed there is undone when it has ended; what it added is set aside under a name that nobody runs; nothing is deleted.

What this module can't do, and the bubblewrap tier can: keep a change from working until it is put back (a hook that the same command
runs, an editor that watches its tasks); put back what is larger than its limits, or the objects and branches of a repository; follow
what was moved elsewhere together with the folder around it. It never follows a link, and what can't be put back is reported as well.
"""

import os
import secrets
import stat
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, assert_never

import msgspec

from kimicode.files.atomic import is_temporary, replace_file
from kimicode.files.place import Place, look, open_file, open_parent, place_of
from kimicode.sandbox.protected import folded

MAX_MEMBERS: Final = 4_000
MAX_FILE_BYTES: Final = 256 * 1024
MAX_BYTES: Final = 16 * 1024 * 1024
"""Limits of one snapshot. A file beyond them is only watched: a change is reported and stays."""

_MAX_DEPTH: Final = 8
_ASIDE: Final = ".set-aside-"
_GIT_FILES: Final = ("HEAD", "config", "config.worktree", "commondir", "gitdir", "hooks", "info")
"""What makes git run or find something else. Objects, branches and the index are data."""

_GIT_NESTS: Final = ("modules", "worktrees")


class Member(msgspec.Struct, frozen=True):
    """One place as it was. `names` are all its entries where a folder is held whole; `stamp` is inode, size, and both times."""

    kind: Literal["missing", "file", "watched", "folder", "link", "other"]
    mode: int = 0
    data: bytes = b""
    target: str = ""
    names: frozenset[str] | None = None
    stamp: tuple[int, ...] = ()


class Snapshot(msgspec.Struct, frozen=True):
    """Places as they were, a folder before what is in it. `complete` is False where the limits cut it short."""

    members: tuple[tuple[Place, Member], ...]
    complete: bool = True


def snapshot(paths: Iterable[Path]) -> Snapshot:
    """Remember `paths` (absolute, free of links): files by content, folders with their content, absence as such. Raises nothing."""
    found: dict[Place, Member] = {}
    room = MAX_BYTES
    for place in _places(paths):
        if len(found) >= MAX_MEMBERS:
            return Snapshot(tuple(found.items()), complete=False)
        if place not in found:
            member = _remember(place, room)
            room -= len(member.data)
            found[place] = member
    return Snapshot(tuple(found.items()))


def restore(before: Snapshot) -> tuple[Path, ...]:
    """Put back what differs from `before`, and return all paths that differed, whether or not they could be put back."""
    changed: dict[Path, None] = {}
    known = frozenset(place for place, _ in before.members)
    for place, was in before.members:
        try:
            for path in _put_back(place, was, known):
                changed[path] = None
        except OSError:
            changed[place.path] = None
    return tuple(changed)


def differing(before: Snapshot) -> tuple[Path, ...]:
    """The paths that differ from `before` now. After `restore`: those that it could not put back."""
    return tuple(place.path for place, was in before.members if not _same(was, _remember_like(place, was)) or _extra(place, was))


def _places(paths: Iterable[Path]) -> Iterator[Place]:
    for path in sorted(paths):
        place = place_of(path)
        yield place
        if _is_folder(place):
            yield from _in_git(place, 0) if _is_git(place) else _in_tree(place, 0)


def _in_git(folder: Place, depth: int) -> Iterator[Place]:
    for name in _GIT_FILES:
        yield (child := folder.child(name))
        if _is_folder(child):
            yield from _in_tree(child, depth + 1)
    for name in _GIT_NESTS:
        for nested in _git_nests(folder.child(name), depth + 1):
            yield nested
            yield from _in_git(nested, depth + 1)


def _git_nests(folder: Place, depth: int) -> Iterator[Place]:
    """The git folders below `modules` or `worktrees`: a submodule's name may have slashes."""
    if depth > _MAX_DEPTH or not _is_folder(folder):
        return
    for name in _names(folder):
        child = folder.child(name)
        if _is_folder(child.child("refs")) or _look_safely(child.child("HEAD")) is not None:
            yield child
        elif _is_folder(child):
            yield from _git_nests(child, depth + 1)


def _in_tree(folder: Place, depth: int) -> Iterator[Place]:
    if depth > _MAX_DEPTH:
        return
    for name in _names(folder):
        yield (child := folder.child(name))
        if _is_folder(child):
            yield from _in_tree(child, depth + 1)


def _is_git(place: Place) -> bool:
    return folded(place.name) == ".git" or (_look_safely(place.child("HEAD")) is not None and _is_folder(place.child("refs")))


def _look_safely(place: Place) -> os.stat_result | None:
    with suppress(OSError):
        return look(place)
    return None


def _is_folder(place: Place) -> bool:
    found = _look_safely(place)
    return found is not None and stat.S_ISDIR(found.st_mode)


def _names(folder: Place) -> list[str]:
    with suppress(OSError):
        descriptor = open_file(folder)
        try:
            return sorted(name for name in os.listdir(descriptor) if not is_temporary(name))
        finally:
            os.close(descriptor)
    return []


def _remember(place: Place, room: int) -> Member:
    try:
        found = look(place)
        if found is None:
            return Member("missing")
        mode = stat.S_IMODE(found.st_mode)
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if stat.S_ISDIR(found.st_mode):
            whole = not _is_git(place)
            return Member("folder", mode, names=frozenset(_names(place)) if whole else None, stamp=stamp[:1])
        if stat.S_ISLNK(found.st_mode):
            with open_parent(place) as folder:
                return Member("link", target=os.readlink(place.name, dir_fd=folder))
        if not stat.S_ISREG(found.st_mode):
            return Member("other", stamp=stamp)
        if found.st_size > min(MAX_FILE_BYTES, room):
            return Member("watched", mode, stamp=stamp)
        with open(open_file(place), "rb") as file:
            return Member("file", mode, file.read(MAX_FILE_BYTES))
    except OSError:
        return Member("other")


def _remember_like(place: Place, was: Member) -> Member:
    return _remember(place, 0 if was.kind == "watched" else MAX_BYTES)


def _same(was: Member, now: Member) -> bool:
    if was.kind == "folder":
        # Another folder with the same in it is as good.
        return (was.kind, was.mode) == (now.kind, now.mode)
    return was == now


def _extra(place: Place, was: Member) -> list[str]:
    return [name for name in _names(place) if name not in was.names and _ASIDE not in name] if was.names is not None else []


def _put_back(place: Place, was: Member, known: Collection[Place]) -> Iterator[Path]:
    """Make `place` what it was; yields the paths that were not."""
    now = _remember_like(place, was)
    if not _same(was, now) or (was.stamp != now.stamp and _moved(place, was, known) is not None):
        yield place.path
        # Where the folder that held it is gone or moved, nothing is made up in its place.
        if _is_folder(place.parent):
            _make(place, was, now, known)
    for name in _extra(place, was):
        yield place.child(name).path
        _set_aside(place.child(name))


def _make(place: Place, was: Member, now: Member, known: Collection[Place]) -> None:
    match was.kind:
        case "missing":
            _set_aside(place)
        case "file":
            if now.kind not in ("file", "watched", "missing"):
                _set_aside(place)
            replace_file(place, was.data, mode=was.mode)
        case "link":
            if now.kind != "missing":
                _set_aside(place)
            with open_parent(place, create=True) as folder:
                os.symlink(was.target, place.name, dir_fd=folder)
        case "folder":
            _make_folder(place, was, now, known)
        case "watched" | "other":
            pass
        case _:
            assert_never(was.kind)


def _make_folder(place: Place, was: Member, now: Member, known: Collection[Place]) -> None:
    if now.stamp != was.stamp and (moved := _moved(place, was, known)) is not None:
        if now.kind != "missing":
            _set_aside(place)
        with open_parent(place) as folder:
            os.rename(moved, place.name, src_dir_fd=folder, dst_dir_fd=folder)
    elif now.kind != "folder":
        if now.kind != "missing":
            _set_aside(place)
        with open_parent(place, create=True) as folder:
            os.mkdir(place.name, dir_fd=folder)
    descriptor = open_file(place)
    try:
        os.fchmod(descriptor, was.mode)
    finally:
        os.close(descriptor)


def _moved(place: Place, was: Member, known: Collection[Place]) -> str | None:
    """The name beside `place` of the folder that was there, if it was only renamed.

    One that has a place of its own is never it: a folder that was just made again may have got the number of one that is gone.
    """
    if was.kind != "folder":
        return None
    with open_parent(place) as folder, os.scandir(folder) as entries:
        same = (entry.name for entry in entries if entry.inode() == was.stamp[0] and entry.is_dir(follow_symlinks=False))
        return next((name for name in same if place.parent.child(name) not in known), None)


def _set_aside(place: Place) -> None:
    with open_parent(place) as folder:
        os.rename(place.name, f"{place.name}{_ASIDE}{secrets.token_hex(4)}", src_dir_fd=folder, dst_dir_fd=folder)
