"""The journal of transactions: a folder with one file for each that is under way, locked by the process that works on it.

The file's ending says how far it is: `plan` (only preparing: to be tidied up), `redo` (decided: to be finished), `undo` (to be taken back),
`done` (to be tidied up). Going on is a rename, so a transaction is always in exactly one of them. The kernel unlocks what a killed process
held; so a file that can be locked has no owner, and `claim` takes it.
What this module does not do: know what the files say.
"""

import enum
import fcntl
import os
import secrets
from pathlib import Path

from kimicode.files.locks import take
from kimicode.files.place import sync_folder

_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Stage(enum.Enum):
    """How far a transaction is."""

    PLAN = "plan"
    REDO = "redo"
    UNDO = "undo"
    DONE = "done"


class Entry:
    """One transaction's file, open and locked. A context manager: it ends by unlocking, whether or not the file was removed."""

    def __init__(self, folder: Path, stem: str, stage: Stage, descriptor: int) -> None:
        self.folder = folder
        self.stem = stem
        self.stage = stage
        self._descriptor = descriptor

    @property
    def path(self) -> Path:
        """Where the file is now."""
        return self.folder / f"{self.stem}.{self.stage.value}"

    def read(self) -> bytes:
        """All of it."""
        return _read(self._descriptor)

    def advance(self, stage: Stage) -> None:
        """Go on to `stage`, on disk when this returns. Raises `OSError`; `stage` says whether it was before or after the rename."""
        os.fsync(self._descriptor)
        old = self.path
        os.rename(old, self.folder / f"{self.stem}.{stage.value}")
        self.stage = stage
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_folder(folder)
        finally:
            os.close(folder)

    def remove(self) -> None:
        """It is over."""
        os.unlink(self.path)

    def __enter__(self) -> "Entry":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            # Said aloud: a child that has been forked and has not yet become its program holds a copy of the descriptor.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
        finally:
            os.close(self._descriptor)


def create(folder: Path, data: bytes) -> Entry:
    """A new file in `folder`, which is made if need be, in stage `plan`. Raises `OSError`; then no file is left."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    while True:
        entry = _new(folder)
        # Between its making and its locking somebody may have taken it for an orphan, and removed it.
        if os.fstat(entry._descriptor).st_nlink:
            break
        entry.__exit__()
    try:
        rest = data
        while rest:
            rest = rest[os.write(entry._descriptor, rest) :]
    except BaseException:
        entry.remove()
        entry.__exit__()
        raise
    return entry


def listed(folder: Path) -> list[Path]:
    """The files of all transactions in `folder`, sorted; none where there is no such folder. Raises `OSError`."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(folder / name for name in names if _stage(folder / name) is not None)


def claim(path: Path, deadline: float = 0.0) -> Entry | None:
    """The transaction whose file is or was `path`, if nobody works on it (any more by `time.monotonic()`'s `deadline`); else None."""
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    entry = None
    try:
        if take(descriptor, fcntl.LOCK_EX, deadline):
            entry = _found(path, descriptor)
    finally:
        if entry is None:
            os.close(descriptor)
    return entry


def peek(path: Path) -> bytes | None:
    """What the file says, whoever works on it; None where it is gone."""
    try:
        descriptor = os.open(path, _OPEN)
    except FileNotFoundError:
        return None
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _new(folder: Path) -> Entry:
    stem = secrets.token_hex(8)
    path = folder / f"{stem}.{Stage.PLAN.value}"
    entry = Entry(folder, stem, Stage.PLAN, os.open(path, _OPEN | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        fcntl.flock(entry._descriptor, fcntl.LOCK_EX)
    except BaseException:
        entry.remove()
        os.close(entry._descriptor)
        raise
    return entry


def _found(path: Path, descriptor: int) -> Entry | None:
    """Its owner may have gone on, or ended, between the listing and the lock."""
    ours = os.fstat(descriptor)
    for stage in Stage:
        entry = Entry(path.parent, path.stem, stage, descriptor)
        try:
            found = os.stat(entry.path)
        except FileNotFoundError:
            continue
        if (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino):
            return entry
    return None


def _stage(path: Path) -> Stage | None:
    try:
        return Stage(path.suffix[1:])
    except ValueError:
        return None


def _read(descriptor: int) -> bytes:
    pieces = []
    offset = 0
    while piece := os.pread(descriptor, 1 << 16, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)
