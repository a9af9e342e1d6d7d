"""What a commit would record, for whoever has to allow it: each file as the last commit has it, and as the new one would.

What this module does not do: choose the files (`git` does), or commit.
"""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kimicode.edit.files import MAX_BYTES, decode, read_bytes
from kimicode.errors import RefusedError, ToolError
from kimicode.files.place import Place, look
from kimicode.files.state import MISSING, FileState, digest
from kimicode.repo.git import Repository
from kimicode.repo.git_parse import Entry
from kimicode.sandbox.approval import FileText
from kimicode.tools.base import Foreseen
from kimicode.tools.foresight import file_text

MOST_FILES: Final = 200
"""Of more than these only the names are shown."""


def foreseen(repository: Repository, entries: Sequence[Entry], *, staged: bool) -> Foreseen:
    """The change from the last commit to the index (`staged`) or to the files as they are, for these entries of the status."""
    shown = entries[:MOST_FILES]
    names = (oid for entry in shown for oid in (entry.head_oid, entry.index_oid if staged else ""))
    blobs = _blobs(repository, [oid for oid in names if oid.strip("0")])
    files: list[FileText] = []
    states: dict[Path, tuple[FileState, FileState]] = {}
    for entry in shown:
        before = _blob(blobs, entry.head_oid)
        after = _blob(blobs, entry.index_oid) if staged else _file(repository.work_tree, entry.path)
        files.append(_text(entry, before, after))
        states[repository.work_tree / entry.path] = (_state(before), _state(after))
    files += (FileText(entry.path, None, None, "not shown: there are too many files") for entry in entries[MOST_FILES:])
    return Foreseen(tuple(files), states)


def _text(entry: Entry, before: bytes | str | None, after: bytes | str | None) -> FileText:
    notes = [f"moved from {entry.origin}"] * bool(entry.origin)
    texts: list[str | None] = []
    for data in (before, after):
        if isinstance(data, str):
            return FileText(entry.path, None, None, "; ".join((data, *notes)))
        try:
            texts.append(None if data is None else decode(data, entry.path).text)
        except ToolError:
            return FileText(entry.path, None, None, "; ".join(("not text", *notes)))
    return file_text(entry.path, texts[0], texts[1], *notes)


def _blobs(repository: Repository, oids: Sequence[str]) -> Mapping[str, bytes]:
    """What git has under these names: in one call, or one by one where a name is that of another repository's commit."""
    try:
        return repository.blobs(oids) if oids else {}
    except ToolError:
        return {} if len(oids) == 1 else {oid: data for each in dict.fromkeys(oids) for oid, data in _blobs(repository, [each]).items()}


def _blob(blobs: Mapping[str, bytes], oid: str) -> bytes | str | None:
    """What git has under a name, None for none; in words where that is no file."""
    return blobs.get(oid, "another repository") if oid.strip("0") else None


def _file(top: Path, path: str) -> bytes | str | None:
    place = Place(top, tuple(path.split("/")))
    found = look(place)
    if found is None:
        return None
    if not stat.S_ISREG(found.st_mode):
        return "a link" if stat.S_ISLNK(found.st_mode) else "not a file"
    try:
        return read_bytes(place, path, max_bytes=MAX_BYTES)
    except (ToolError, RefusedError) as error:
        return error.message


def _state(data: bytes | str | None) -> FileState:
    match data:
        case None:
            return MISSING
        case str():
            return FileState("other")
        case bytes():
            return FileState("file", digest=digest(data), size=len(data))
