"""Paths as text that JSON and a log can carry: bytes that are not UTF-8 survive, and reading gives back the very same path.

A backslash is written `\\\\`, a byte that is no part of UTF-8 text (in Python: a lone surrogate) `\\xNN`; nothing else is changed, so an
ordinary path is written as it is. What this module does not do: make a path harmless for a terminal (`kimicode.text` does).
"""

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from kimicode.events import FileChange
from kimicode.files.place import Place, place_of
from kimicode.files.state import FileState

_ODD: Final = re.compile("[\\\\\ud800-\udfff]")
_ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2})")


def written(path: str) -> str:
    """The escaped form of a path as `os` gives it."""
    return _ODD.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) & 0xFF:02x}", path)


def read(text: str) -> str:
    """The path whose escaped form is `text`."""
    return _ESCAPE.sub(lambda found: "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16)), text)


def change_of(place: Place, before: FileState, after: FileState, *, workspace: Path, kept: bool = True) -> FileChange:
    """A change as it is recorded. `workspace` is absolute and real."""
    path = place.path
    name = path.relative_to(workspace) if path.is_relative_to(workspace) else path
    return FileChange(written(str(name)), _state(before, written), _state(after, written), kept)


def place_in(workspace: Path, change: FileChange) -> Place:
    """Where a recorded change took place: below `workspace`, or below the root of the file system. Raises `ValueError` for no path."""
    path = PurePosixPath(read(change.path))
    if ".." in path.parts or "\0" in change.path or not path.name:
        raise ValueError(f"{change.path!r} is no path of a change")
    return place_of(Path(path)) if path.is_absolute() else Place(workspace, path.parts)


def states_of(change: FileChange) -> tuple[FileState, FileState]:
    """The states before and after, with links' targets as they are on disk."""
    return _state(change.before, read), _state(change.after, read)


def _state(state: FileState, convert: Callable[[str], str]) -> FileState:
    return msgspec.structs.replace(state, target=convert(state.target)) if state.target else state
