"""What is at a place, as a value that can be kept and compared: kind, mode, and the content by its digest.

What this module does not do: keep the content itself (`session.preimages`) or change anything.
"""

import hashlib
import os
import stat
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.files.place import Place, open_in, open_parent

Kind: TypeAlias = Literal["missing", "file", "folder", "link", "other"]
_CHUNK: Final = 1 << 20


class FileState(msgspec.Struct, frozen=True, omit_defaults=True):
    """One moment of one place. `mode` has the permission bits; `digest` is a file's content, `target` where a link points."""

    kind: Kind = "missing"
    mode: int = 0
    digest: str = ""
    target: str = ""
    size: int = 0


MISSING: Final = FileState()


class Stale(Exception):
    """What is at `place` is not what was expected; nothing was changed."""

    def __init__(self, place: Place) -> None:
        super().__init__(f"{place.path}: changed by somebody else in the meantime")
        self.place = place


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal: how a file's content is named everywhere in kimicode."""
    return hashlib.sha256(data).hexdigest()


def state_of(place: Place) -> FileState:
    """The state of `place` now. Reads a file whole, piece by piece. Raises `OSError`."""
    if not place.parts:
        return FileState("folder", stat.S_IMODE(os.stat(place.root).st_mode))
    try:
        with open_parent(place) as folder:
            return state_in(folder, place.name)
    except (FileNotFoundError, NotADirectoryError):
        return MISSING


def state_in(folder: int, name: str) -> FileState:
    """`state_of` what has `name` in an open folder."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return MISSING
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return FileState("folder", mode)
    if stat.S_ISLNK(found.st_mode):
        return FileState("link", target=os.readlink(name, dir_fd=folder))
    if not stat.S_ISREG(found.st_mode):
        return FileState("other", mode)
    return _file(folder, name)


def _file(folder: int, name: str) -> FileState:
    seen = hashlib.sha256()
    with open(open_in(folder, name), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        while piece := file.read(_CHUNK):
            seen.update(piece)
        return FileState("file", stat.S_IMODE(found.st_mode), seen.hexdigest(), size=file.tell())
