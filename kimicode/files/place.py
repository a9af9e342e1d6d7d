"""A place in the file system, and opening it without being led elsewhere.

A `Place` is a folder that must hold and the way down from it, already free of links. Opening walks that way folder by folder with
`O_NOFOLLOW`, so a part that somebody has meanwhile replaced by a link is an error (always `ELOOP`) and never a way out: what
`openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS` does, on every kernel and on macOS. What this module does not do: decide which
places may be touched (`sandbox.policy`), or notice a hard link.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PASSING = getattr(os, "O_PATH", 0)
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EROFS})
"""What file systems say that can't sync a folder: a rename there is as durable as they make it."""


class Place(msgspec.Struct, frozen=True):
    """`parts` below `root`. `root` is absolute and real; no part is empty, `.` or `..`; without parts it is the root itself."""

    root: Path
    parts: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.root.joinpath(*self.parts)

    @property
    def name(self) -> str:
        """The last part. A root has none."""
        return self.parts[-1]

    @property
    def parent(self) -> "Place":
        """The folder that holds it. A root has none."""
        assert self.parts, "a root has no parent"
        return Place(self.root, self.parts[:-1])

    def child(self, name: str) -> "Place":
        """The place of `name` in this folder."""
        return Place(self.root, (*self.parts, name))


def place_of(path: Path) -> Place:
    """The place of an absolute path that is free of links, below the root of the file system."""
    return Place(Path("/"), path.parts[1:])


@contextmanager
def open_parent(place: Place, *, create: bool = False) -> Iterator[int]:
    """The folder that holds `place`, as a descriptor. `create` makes missing folders, on disk at once. Raises `OSError`."""
    assert place.parts, "a root has no parent to open"
    descriptor = _open_folder(place.root)
    try:
        for part in place.parts[:-1]:
            below = _step(descriptor, part, create=create)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def open_file(place: Place) -> int:
    """`place` for reading, whatever it is, without waiting (FIFOs) and without following a link at its end. Raises `OSError`."""
    if not place.parts:
        return os.open(place.root, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with open_parent(place) as folder:
        return open_in(folder, place.name)


def open_in(folder: int, name: str) -> int:
    """`open_file` of what has `name` in an open folder."""
    return os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC, dir_fd=folder)


def look(place: Place) -> os.stat_result | None:
    """What is at `place`, a link as itself; None where nothing is or can be (below a file). Raises `OSError` for other reasons."""
    try:
        if not place.parts:
            return os.stat(place.root)
        with open_parent(place) as folder:
            return os.stat(place.name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def open_folder(place: Place) -> Iterator[int]:
    """The folder at `place`, as a descriptor. Raises `OSError`."""
    # What holds anything in it is the folder itself.
    with open_parent(place.child("anything")) as folder:
        yield folder


@contextmanager
def about(place: Place) -> Iterator[None]:
    """An `OSError` names the whole path of `place`, not a part of it or a temporary file beside it."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place.path)) from error


def sync_folder(folder: int) -> None:
    """Put the names in an open folder on disk, as far as its file system can. Raises `OSError` where it can and fails."""
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _step(folder: int, name: str, *, create: bool) -> int:
    try:
        return _enter(folder, name)
    except FileNotFoundError:
        if not create:
            raise
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=folder)
        sync_folder(folder)
    return _enter(folder, name)


def _enter(folder: int, name: str) -> int:
    try:
        return _open_folder(name, folder, os.O_NOFOLLOW)
    except NotADirectoryError:
        # Linux says this for a link as well as for a file; only the link means that somebody is leading us away.
        if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
        raise


def _open_folder(name: str | Path, folder: int | None = None, more: int = 0) -> int:
    try:
        return os.open(name, _FOLDER | more, dir_fd=folder)
    except PermissionError:
        # A folder that may be passed through but not listed (a home of mode 711). What can't be listed can't be synced either.
        return os.open(name, _FOLDER | more | _PASSING, dir_fd=folder)
