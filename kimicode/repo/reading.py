"""From a file to what the index keeps of it.

What this module does not do: decide which files, or store anything.
"""

import importlib
import os
from pathlib import Path
from typing import Protocol, cast

import msgspec

from kimicode.repo.contents import Content, Look, blob_name, read
from kimicode.repo.made import Made, pack
from kimicode.repo.symbols import FileSymbols


class _Extracting(Protocol):
    def extract(self, path: str, data: bytes) -> FileSymbols | None: ...


class Wanted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file to read: its path below the workspace in bytes (any name passes between processes), how it is read, and the name that its
    content should have."""

    raw: bytes
    kind: str
    key: str

    @property
    def path(self) -> str:
        """The path."""
        return os.fsdecode(self.raw)


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one `Wanted`. `made` is None where the file can't be read. Its key is what the content is really called; `look` is how
    the file looked, None where that is not settled."""

    made: Made | None = None
    look: Look | None = None


def outcome(root: Path, wanted: Wanted) -> Outcome:
    """Read and extract one file. Its content is stored under the name it has, whatever was expected."""
    return _outcome(root, wanted, hopeless=False)


def hopeless(root: Path, wanted: Wanted) -> Outcome:
    """The outcome for a file that ended the process that read it: read, and not extracted."""
    return _outcome(root, wanted, hopeless=True)


def _outcome(root: Path, wanted: Wanted, *, hopeless: bool) -> Outcome:
    try:
        content = read(root, wanted.path, wide=len(wanted.key) == 64)
    except OSError:
        return Outcome()
    key = wanted.key if _is_as_expected(content, wanted.key) else content.key
    symbols = FileSymbols(wanted.kind, problem="too slow") if hopeless else _symbols(wanted.path, wanted.kind, content)
    return Outcome(pack(key, wanted.kind, symbols), content.look if content.settled else None)


def _is_as_expected(content: Content, key: str) -> bool:
    """True also for a text that git keeps with other line ends: lines and names are the same."""
    if content.key == key:
        return True
    data = content.data
    return data is not None and b"\r\n" in data and blob_name(data.replace(b"\r\n", b"\n"), wide=len(key) == 64) == key


def _symbols(path: str, kind: str, content: Content) -> FileSymbols | None:
    if content.data is None:
        return FileSymbols(kind, problem="too large")
    # Loaded with the first file: the grammars' library takes longer to load than most sessions have to wait for.
    extracting = cast("_Extracting", importlib.import_module("kimicode.repo.extract"))
    return extracting.extract(path, content.data)
