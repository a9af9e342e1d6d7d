"""From a file to what the index keeps of it.

What this module does not do: decide which files, or store anything.
"""

from pathlib import Path

import msgspec

from kimicode.repo.contents import Content, blob_name, read
from kimicode.repo.extract import extract
from kimicode.repo.made import Made, pack
from kimicode.repo.symbols import FileSymbols


class Wanted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file to read: its path below the workspace, how it is read, and the name its content should have."""

    path: str
    kind: str
    key: str


class Outcome(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of one `Wanted`. `made` is None where the file can't be read; `key` is what its content is really called, and `look` how
    it looked, empty where that is not settled."""

    path: str
    made: Made | None = None
    key: str = ""
    look: tuple[int, ...] = ()


def outcome(root: Path, wanted: Wanted) -> Outcome:
    """Read and extract one file. Its content is stored under the name it has, whatever was expected."""
    try:
        content = read(root, wanted.path, wide=len(wanted.key) == 64)
    except OSError:
        return Outcome(wanted.path)
    key = wanted.key if _is_as_expected(content, wanted.key) else content.key
    return Outcome(wanted.path, pack(key, wanted.kind, _symbols(wanted, content)), key, content.look if content.settled else ())


def _is_as_expected(content: Content, key: str) -> bool:
    """True also for a text that git keeps with other line ends: lines and names are the same."""
    if content.key == key:
        return True
    data = content.data
    return data is not None and b"\r\n" in data and blob_name(data.replace(b"\r\n", b"\n"), wide=len(key) == 64) == key


def _symbols(wanted: Wanted, content: Content) -> FileSymbols | None:
    if content.data is None:
        return FileSymbols(wanted.kind, problem="too large")
    return extract(wanted.path, content.data)
