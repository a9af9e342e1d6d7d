"""What is at a place, as a value that can be kept and compared: kind, mode, and the content by its digest.

What this module does not do: keep the content itself (`session.preimages`) or change anything.
"""

import hashlib
import os
import stat
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.files.place import Place, look, open_file, open_parent

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
    found = look(place)
    if found is None:
        return MISSING
    mode = stat.S_IMODE(found.st_mode)
    if stat.S_ISDIR(found.st_mode):
        return FileState("folder", mode)
    if stat.S_ISLNK(found.st_mode):
        with open_parent(place) as folder:
            return FileState("link", target=os.readlink(place.name, dir_fd=folder))
    if not stat.S_ISREG(found.st_mode):
        return FileState("other", mode)
    return _file(place)


def _file(place: Place) -> FileState:
    seen = hashlib.sha256()
    with open(open_file(place), "rb") as file:
        found = os.fstat(file.fileno())
        while piece := file.read(_CHUNK):
            seen.update(piece)
        return FileState("file", stat.S_IMODE(found.st_mode), seen.hexdigest(), size=file.tell())
