"""Exclusive locks by path, across processes, threads and tasks.

A path stands for one of 1,024 lock files in a folder, by the hash of its real name; they are never removed. One file for each path would
have to be removed some day, and removing a lock file that another process is just opening gives the lock two owners; besides, the pool
holds no names of the user's files. The price: two paths may share a lock and wait for each other without need. A caller takes its locks in
sorted order, so nobody waits in a circle; a caller with very many paths takes one lock over the whole pool instead of many descriptors.
`flock` belongs to an open file, so threads exclude each other as processes do, and the kernel releases what a killed process held.
What this module does not do: bind programs that don't ask (an editor), or let one caller take a lock twice: it would wait for itself.
"""

import fcntl
import hashlib
import os
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from kimicode.files.place import Place

_SLOTS: Final = 1024
_MANY: Final = 64
"""With more slots than this a caller takes the whole pool: a process may often have only 256 open files."""

_FIRST_WAIT_S: Final = 0.0005
_LONGEST_WAIT_S: Final = 0.01


class LockTimeout(TimeoutError):
    """Somebody else held a lock for longer than the caller would wait."""


@contextmanager
def locked(places: Iterable[Place], *, folder: Path, timeout_s: float) -> Iterator[None]:
    """Hold the locks of `places` from the pool in `folder`. Raises `LockTimeout`, or `OSError` where the pool can't be made.

    Waiting blocks the thread, its event loop too: hold locks for as long as a few files take, and never across an `await`.
    """
    chosen = list(places)
    slots = sorted({_slot(place) for place in chosen})
    deadline = time.monotonic() + timeout_s
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    whole = len(slots) > _MANY
    with ExitStack() as held:
        for name in ["all"] if whole else ["all", *(f"{slot:03x}" for slot in slots)]:
            descriptor = held.enter_context(_opened(folder / name))
            how = fcntl.LOCK_SH if name == "all" and not whole else fcntl.LOCK_EX
            if not take(descriptor, how, deadline):
                what = str(chosen[0].path) if len(chosen) == 1 else f"{len(chosen)} files, {chosen[0].path} first"
                raise LockTimeout(f"{what}: another kimicode process was changing it for all of {timeout_s:g} s")
        yield


def take(descriptor: int, how: int, deadline: float) -> bool:
    """`flock` an open file by `time.monotonic()`'s `deadline`; False where it could not be had. Tried at least once."""
    wait_s = _FIRST_WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
        else:
            return True
        # flock itself has no time limit. Uneven waits keep many processes from asking all at once.
        time.sleep(wait_s * random.uniform(0.5, 1.5))
        wait_s = min(2 * wait_s, _LONGEST_WAIT_S)


def _slot(place: Place) -> int:
    return int.from_bytes(hashlib.sha256(os.fsencode(place.path)).digest()[:8], "big") % _SLOTS


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        try:
            # Said aloud: a child that has been forked and has not yet become its program holds a copy of the descriptor.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)
