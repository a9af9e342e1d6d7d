"""The steps of a transaction as a journal holds them: each can be done and undone, again after any interruption.

New content waits in a `staged` place until it takes the name; an old file or link is `kept` under another name until nobody may want it
back. So what has been done shows on disk: a put is done when nothing is staged any more, a removal when something is kept. A step that
finds something else than it was planned for raises `Stale`; undoing leaves such a thing alone, for it is somebody else's newer work.
What this module does not do: choose steps (`plan`), or say which way to go (`transaction`).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import groupby
from typing import TypeAlias

import msgspec

from kimicode.files.atomic import write_new
from kimicode.files.changes import PutFile, PutLink
from kimicode.files.place import Place, look, open_file, open_folder, open_parent, sync_folder
from kimicode.files.state import MISSING, FileState, Stale, state_in, state_of


class Put(msgspec.Struct, frozen=True, tag=True):
    """What is staged takes the place of `old`, which is kept if it is something and there are other steps."""

    place: Place
    staged: Place
    kept: Place | None
    old: FileState
    new: FileState

    def stage(self, change: PutFile | PutLink) -> None:
        """Write the new content, and keep the old. Raises `OSError`."""
        with open_parent(self.staged) as beside:
            if isinstance(change, PutLink):
                os.symlink(change.target, self.staged.name, dir_fd=beside)
            else:
                like = look(self.place) if self.old.kind == "file" else None
                write_new(beside, self.staged.name, change.data, like=like, mode=change.mode)
            if self.kept is not None:
                _keep(self.place, beside, self.kept.name, self.old)

    def do(self) -> None:
        """Give the new content its name."""
        if look(self.staged) is None:
            return
        with _both(self.staged, self.place) as (beside, folder):
            if state_in(folder, self.place.name) != self.old:
                raise Stale(self.place)
            os.rename(self.staged.name, self.place.name, src_dir_fd=beside, dst_dir_fd=folder)

    def undo(self) -> None:
        """Give the old content its name back."""
        if look(self.staged) is not None or not _same_content(state_of(self.place), self.new):
            return
        if self.kept is None:
            remove(self.place)
        elif look(self.kept) is not None:
            rename(self.kept, self.place)

    @property
    def leftovers(self) -> tuple[Place, ...]:
        """What is to be removed when all is done or undone."""
        return (self.staged,) if self.kept is None else (self.staged, self.kept)


class Take(msgspec.Struct, frozen=True, tag=True):
    """The file or link `old` goes away: at once where it is the only step, else it is kept under another name."""

    place: Place
    kept: Place | None
    old: FileState

    def do(self) -> None:
        """Take it away."""
        if self.kept is not None and look(self.kept) is not None:
            return
        found = state_of(self.place)
        if found == MISSING:
            return
        if found != self.old:
            raise Stale(self.place)
        if self.kept is None:
            remove(self.place)
        else:
            rename(self.place, self.kept)

    def undo(self) -> None:
        """Put it back."""
        if self.kept is not None and look(self.kept) is not None and look(self.place) is None:
            rename(self.kept, self.place)

    @property
    def leftovers(self) -> tuple[Place, ...]:
        """What is to be removed when all is done or undone."""
        return () if self.kept is None else (self.kept,)


class TakeFolder(msgspec.Struct, frozen=True, tag=True):
    """An empty folder goes away; `owner` is its user and group."""

    place: Place
    mode: int
    owner: tuple[int, int]

    def do(self) -> None:
        """Remove it; one that has something in it is an `OSError`."""
        with suppress(FileNotFoundError), open_parent(self.place) as folder:
            os.rmdir(self.place.name, dir_fd=folder)

    def undo(self) -> None:
        """Make it again."""
        with open_parent(self.place) as folder:
            try:
                os.mkdir(self.place.name, 0o700, dir_fd=folder)
            except FileExistsError:
                return
            with suppress(PermissionError):
                os.chown(self.place.name, *self.owner, dir_fd=folder, follow_symlinks=False)
        set_mode(self.place, self.mode)

    @property
    def leftovers(self) -> tuple[Place, ...]:
        """Nothing."""
        return ()


class Make(msgspec.Struct, frozen=True, tag=True):
    """A new folder, with the umask's mode."""

    place: Place

    def do(self) -> None:
        """Make it."""
        with open_parent(self.place) as folder:
            try:
                os.mkdir(self.place.name, dir_fd=folder)
            except FileExistsError:
                if not stat.S_ISDIR(os.stat(self.place.name, dir_fd=folder, follow_symlinks=False).st_mode):
                    raise

    def undo(self) -> None:
        """Remove it, unless somebody has put something there."""
        try:
            with open_parent(self.place) as folder:
                os.rmdir(self.place.name, dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.EEXIST):
                raise

    @property
    def leftovers(self) -> tuple[Place, ...]:
        """Nothing."""
        return ()


class Mode(msgspec.Struct, frozen=True, tag=True):
    """Other permission bits; `old` is None for what an earlier step makes."""

    place: Place
    old: int | None
    new: int

    def do(self) -> None:
        """Set the new ones."""
        set_mode(self.place, self.new)

    def undo(self) -> None:
        """Set the old ones."""
        if self.old is not None:
            with suppress(FileNotFoundError):
                set_mode(self.place, self.old)

    @property
    def leftovers(self) -> tuple[Place, ...]:
        """Nothing."""
        return ()


Step: TypeAlias = Put | Take | TakeFolder | Make | Mode


def rename(source: Place, target: Place) -> None:
    """Give what is at `source` the name `target`, over what has it now. Raises `OSError`."""
    with _both(source, target) as (old, new):
        os.rename(source.name, target.name, src_dir_fd=old, dst_dir_fd=new)


def remove(*places: Place) -> None:
    """No file or link at any of `places`. Raises `OSError`, but not where nothing is."""
    for parent, siblings in groupby(places, key=lambda place: place.parent):
        with suppress(FileNotFoundError, NotADirectoryError), open_folder(parent) as folder:
            for place in siblings:
                with suppress(FileNotFoundError):
                    os.unlink(place.name, dir_fd=folder)


def set_mode(place: Place, mode: int) -> None:
    """Permission bits of a file or folder, never of what a link points to. Raises `OSError`."""
    with open_parent(place) as folder:
        if os.chmod in os.supports_follow_symlinks:
            os.chmod(place.name, mode, dir_fd=folder, follow_symlinks=False)
            return
        # Linux has no such call before 6.6; an open path works with files that can't be read, too.
        descriptor = os.open(place.name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if stat.S_ISLNK(os.fstat(descriptor).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(place.path))
        os.chmod(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)


@contextmanager
def _both(one: Place, other: Place) -> Iterator[tuple[int, int]]:
    """The folders that hold the two, open; mostly it is the same one."""
    with open_parent(one) as first:
        if one.parent == other.parent:
            yield first, first
        else:
            with open_parent(other) as second:
                yield first, second


def _keep(place: Place, beside: int, name: str, old: FileState) -> None:
    """A second name for the old file, or where the file system has none a copy; links are made again."""
    if old.kind == "link":
        os.symlink(old.target, name, dir_fd=beside)
        return
    try:
        with open_parent(place) as folder:
            os.link(place.name, name, src_dir_fd=folder, dst_dir_fd=beside, follow_symlinks=False)
    except OSError:
        with open(open_file(place), "rb") as file:
            write_new(beside, name, file.read(), like=os.fstat(file.fileno()))


def _same_content(found: FileState, wanted: FileState) -> bool:
    return (found.kind, found.digest, found.target) == (wanted.kind, wanted.digest, wanted.target)


def sync(places: set[Place]) -> None:
    """Put the names in these folders on disk. Raises `OSError`."""
    for place in places:
        with open_folder(place) as folder:
            sync_folder(folder)
