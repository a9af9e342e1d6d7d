"""The disk that a conversion writes to: its room, its errors in our words, and names made durable.

What this module does not do: read checkpoints; their errors are the model's (`engine.errors.ModelFileError`).
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import EngineError


class StoppedError(EngineError):
    """The conversion can't go on now, usually because the disk is full; what is done stays and the next run goes on."""

    exit_code = 75


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Raise what goes wrong with writing `path` as `StoppedError`."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        what = "the disk is full or the file may not grow: free space" if full else f"{error.strerror or error}: see to the disk"
        raise StoppedError(f"{path}: {what}, and run the same command again to continue") from None


def free_bytes(folder: Path) -> int:
    """How many bytes the disk under `folder` has room for."""
    return shutil.disk_usage(folder).free


def size(path: Path) -> int:
    """Bytes of the file, or -1 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
