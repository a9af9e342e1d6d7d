"""The texts of recorded changes: what files held before and after, from what a session keeps and from the disk.

A content is found under its digest among the kept ones, or in the file itself while it still is as the change left it. Where neither has
it, the diff says so instead of guessing. What this module does not do: compare texts, or change anything.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from kimicode.edit.files import decode
from kimicode.errors import KimicodeError
from kimicode.events import FileChange
from kimicode.files.place import open_file
from kimicode.files.state import MISSING, FileState, digest, state_of
from kimicode.sandbox.approval import FileText
from kimicode.session.names import place_in
from kimicode.session.preimages import PreImages

MOST_BYTES: Final = 1 << 20
"""Larger files are not compared: nobody reads that in a transcript."""


def texts_of(changes: Iterable[FileChange], workspace: Path, kept: PreImages) -> tuple[FileText, ...]:
    """What each change did, as texts. Reads files; never raises for what it finds or does not find there."""
    return tuple(_text(change, workspace, kept) for change in _whole(changes))


def since(files: Iterable[tuple[str, FileState]], workspace: Path, kept: PreImages) -> list[tuple[str, FileText | None]]:
    """What became of files since they were in a given state, by their recorded paths; None for those that are so again."""
    found: list[tuple[str, FileText | None]] = []
    for path, before in files:
        try:
            now = state_of(place_in(workspace, FileChange(path, before, before)))
        except FileNotFoundError:
            now = MISSING
        except (OSError, ValueError):
            continue
        if "folder" in (before.kind, now.kind):
            continue
        same = (before.kind, before.digest, before.target) == (now.kind, now.digest, now.target)
        found.append((path, None if same else _text(FileChange(path, before, now), workspace, kept)))
    return found


def counts(text: FileText) -> tuple[int, int] | None:
    """How many lines were added and removed, by a comparison that is quick and ignores order; None where there are no texts."""
    if text.note or (text.before is None and text.after is None):
        return None
    before, after = _lines(text.before), _lines(text.after)
    common = 0
    left: dict[str, int] = {}
    for line in before:
        left[line] = left.get(line, 0) + 1
    for line in after:
        if left.get(line, 0):
            left[line] -= 1
            common += 1
    return len(after) - common, len(before) - common


def _lines(text: str | None) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _whole(changes: Iterable[FileChange]) -> list[FileChange]:
    """One change a path: from before the first to after the last."""
    found: dict[str, FileChange] = {}
    for change in changes:
        if "folder" in (change.before.kind, change.after.kind):
            continue
        first = found.get(change.path)
        found[change.path] = change if first is None else FileChange(change.path, first.before, change.after, first.kept and change.kept)
    return list(found.values())


def _text(change: FileChange, workspace: Path, kept: PreImages) -> FileText:
    before, why = _content(change, change.before, workspace, kept)
    after, why_after = _content(change, change.after, workspace, kept)
    return FileText(change.path, before, after, why or why_after)


def _content(change: FileChange, state: FileState, workspace: Path, kept: PreImages) -> tuple[str | None, str]:
    match state.kind:
        case "missing":
            return None, ""
        case "link":
            return f"-> {state.target}\n", ""
        case "file" if state.size > MOST_BYTES:
            return None, f"{state.size} bytes: too large to be shown"
        case "file":
            data = _on_disk(change, state, workspace)
            if data is None:
                data = _kept(state, kept)
            return (None, "changed again since, so its text is not there any more") if data is None else _decoded(data, change.path)
        case _:
            return None, "neither file nor link"


def _on_disk(change: FileChange, state: FileState, workspace: Path) -> bytes | None:
    try:
        with open(open_file(place_in(workspace, change)), "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError):
        return None
    return data if digest(data) == state.digest else None


def _kept(state: FileState, kept: PreImages) -> bytes | None:
    try:
        return kept.load(state.digest)
    except KimicodeError:
        return None


def _decoded(data: bytes, name: str) -> tuple[str | None, str]:
    try:
        return decode(data, name).text, ""
    except KimicodeError:
        return None, f"binary, {len(data)} bytes"
