"""Folders that only the user can look into, and being the first to do something.

What this module does not do: change the mode of what exists already.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kimicode.files.locks import take


def make_private(folder: Path) -> None:
    """Make `folder` and its missing parents, 0700 each. Raises `OSError`."""
    # `Path.mkdir(parents=True)` would give the parents the default mode.
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def is_own(folder: Path) -> bool:
    """True where `folder` belongs to the user and nobody else may write in it. Raises `OSError`."""
    found = os.stat(folder)
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o022


@contextmanager
def first_in(path: Path) -> Iterator[bool]:
    """Hold the lock file `path` where nobody else does; whether it is held. Where it can't be made, everybody is first."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        yield True
        return
    try:
        yield take(descriptor, fcntl.LOCK_EX, time.monotonic())
    finally:
        os.close(descriptor)
