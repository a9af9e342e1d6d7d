"""What can be changed about a place, as values. What this module does not do: change anything (`transaction`)."""

from typing import TypeAlias

import msgspec

from kimicode.files.place import Place


class PutFile(msgspec.Struct, frozen=True):
    """`data` at `place`, instead of the file or link there or of nothing. `mode` None keeps the old file's, or takes the umask's."""

    place: Place
    data: bytes
    mode: int | None = None


class PutLink(msgspec.Struct, frozen=True):
    """A symbolic link to `target` at `place`, instead of the file or link there or of nothing."""

    place: Place
    target: str


class MakeFolder(msgspec.Struct, frozen=True):
    """A folder with exactly `mode`; one that is there already stays as it is."""

    place: Place
    mode: int = 0o755


class Remove(msgspec.Struct, frozen=True):
    """No file, link or empty folder at `place`; nothing to do where nothing is. Together with a put the old thing may be a folder."""

    place: Place


class SetMode(msgspec.Struct, frozen=True):
    """Other permission bits for a file or folder."""

    place: Place
    mode: int


Change: TypeAlias = PutFile | PutLink | MakeFolder | Remove | SetMode
