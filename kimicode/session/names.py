"""Paths as text that JSON and a log can carry: bytes that are not UTF-8 survive, and reading gives back the very same path.

A backslash is written `\\\\`, a byte that is no part of UTF-8 text (in Python: a lone surrogate) `\\xNN`; nothing else is changed, so an
ordinary path is written as it is. What this module does not do: make a path harmless for a terminal (`kimicode.text` does).
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kimicode.events import FileChange
from kimicode.files.place import Place
from kimicode.files.state import FileState

_ODD: Final = re.compile("[\\\\\ud800-\udfff]")
_ROOT: Final = Path("/")
_ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2})")


def written(path: str) -> str:
    """The escaped form of a path as `os` gives it."""
    return _ODD.sub(lambda found: "\\\\" if found[0] == "\\" else f"\\x{ord(found[0]) & 0xFF:02x}", path)


def read(text: str) -> str:
    """The path whose escaped form is `text`."""
    return _ESCAPE.sub(lambda found: "\\" if found[1] == "\\" else chr(0xDC00 + int(found[1][1:], 16)), text)


def change_of(place: Place, before: FileState, after: FileState, *, workspace: Path, kept: bool = True) -> FileChange:
    """A change as it is recorded. `workspace` is absolute and real."""
    if place.root == workspace:
        name = "/".join(place.parts)
    else:
        path = place.path
        name = str(path.relative_to(workspace) if path.is_relative_to(workspace) else path)
    return FileChange(written(name), _state(before, written), _state(after, written), kept)


def place_in(workspace: Path, change: FileChange) -> Place:
    """Where a recorded change took place: below `workspace`, or below the root of the file system. Raises `ValueError` for no path."""
    text = read(change.path)
    outside = text.startswith("/")
    parts = tuple(text.removeprefix("/").split("/"))
    if "\0" in text or not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError(f"{change.path!r} is no path of a change")
    return Place(_ROOT if outside else workspace, parts)


def states_of(change: FileChange) -> tuple[FileState, FileState]:
    """The states before and after, with links' targets as they are on disk."""
    return _state(change.before, read), _state(change.after, read)


def _state(state: FileState, convert: Callable[[str], str]) -> FileState:
    return msgspec.structs.replace(state, target=convert(state.target)) if state.target else state
