"""The content of a file in a workspace: read without following links, and named as git names a blob.

A look (`Look`) is what the file system says of a file: as long as it is the same, so is the content, unless the file was changed within
one tick of the clock; so a look counts as settled only some time after the last change. What this module does not do: run git, whose
filters may make a blob of other bytes than are on disk.
"""

import hashlib
import os
import stat
import time
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kimicode.files.place import Place, open_file

MAX_READ: Final = 8 << 20
"""Of a larger file only the name is made: no parser takes it."""

_CHUNK: Final = 1 << 20
_SLACK_NS: Final = 50_000_000
"""Linux takes times for files from a clock that ticks every 1 to 10 ms."""

_COARSE_SLACK_NS: Final = 3_000_000_000
"""Some file systems keep times to one or two seconds."""

Look: TypeAlias = tuple[int, int, int, int]
"""Size, time of change of content and of the file in nanoseconds, inode."""


class Content(msgspec.Struct, frozen=True):
    """What was read. `data` is None where the file is larger than `MAX_READ`. `settled`: as long as it looks so, it is so."""

    key: str
    look: Look
    settled: bool
    data: bytes | None


class Changing(OSError):
    """The file was written while it was read."""


def look_of(found: os.stat_result) -> Look:
    """How a file looks."""
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def read(root: Path, path: str, *, wide: bool) -> Content:
    """The regular file `path` below `root`. `wide`: names have 64 digits. Raises `OSError`, also for what is no regular file."""
    now = time.time_ns()
    with open(open_file(Place(root, tuple(path.split("/")))), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no regular file")
        look = look_of(found)
        data = file.readall() if found.st_size <= MAX_READ else None
        key = blob_name(data, wide=wide) if data is not None else _digest(file.fileno(), found.st_size, wide=wide)
        if look_of(os.fstat(file.fileno())) != look or (data is not None and len(data) != found.st_size):
            raise Changing(f"{path} is being written")
    return Content(key, look, _settled(look, now), data)


def blob_name(data: bytes, *, wide: bool) -> str:
    """The name git gives to a blob of these bytes: 40 digits, or 64 where `wide`."""
    made = _hash(wide, len(data))
    made.update(data)
    return made.hexdigest()


def _settled(look: Look, now: int) -> bool:
    newest = max(look[1], look[2])
    return newest < now - (_SLACK_NS if look[2] % 1_000_000_000 else _COARSE_SLACK_NS)


def _hash(wide: bool, size: int) -> "hashlib._Hash":
    start = b"blob %d\0" % size
    return hashlib.sha256(start) if wide else hashlib.sha1(start, usedforsecurity=False)


def _digest(descriptor: int, size: int, *, wide: bool) -> str:
    made = _hash(wide, size)
    while piece := os.read(descriptor, _CHUNK):
        made.update(piece)
    return made.hexdigest()
