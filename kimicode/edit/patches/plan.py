"""What a patch would make of some files, worked out whole and in memory: all of it, or a refusal and nothing.

Operations apply in order, so a file may be touched twice. Nothing is overwritten that the patch does not name as there: adding an
existing file, or moving onto one, is refused. What this module does not do: read or write a file, or know what a path means; the same
file must have the same name throughout.
"""

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never

import msgspec

from kimicode.edit.files import TextFile
from kimicode.edit.patches.apply import apply_hunks
from kimicode.edit.patches.values import AddFile, DeleteFile, Operation, Patch, UpdateFile
from kimicode.errors import ToolError

Kind: TypeAlias = Literal["A", "M", "D", "R"]
"""Added, modified, deleted, renamed (and perhaps modified)."""


class FileChange(msgspec.Struct, frozen=True):
    """What becomes of one path. `before` is what was there, for a rename at `source`, whose mode the file keeps."""

    kind: Kind
    path: str
    before: TextFile | None
    after: TextFile | None
    source: str | None = None
    added: int = 0
    removed: int = 0
    notes: tuple[str, ...] = ()


class _Entry(msgspec.Struct, frozen=True):
    """A file as it is after some operations; `origin` is the path it had before the patch."""

    file: TextFile
    origin: str | None
    added: int = 0
    removed: int = 0
    notes: tuple[str, ...] = ()


_State: TypeAlias = dict[str, _Entry | None]


def plan_patch(patch: Patch, files: Mapping[str, TextFile | None]) -> tuple[FileChange, ...]:
    """The changes, in the order of the patch's paths. `files` has every path of the patch, None where nothing is there.

    Raises `ToolError` that names the file, the hunk by its line in the patch, and what to do instead.
    """
    state: _State = {path: None if file is None else _Entry(file, path) for path, file in files.items()}
    for operation in patch.operations:
        try:
            _apply(operation, state)
        except ToolError as error:
            raise ToolError(f"{operation.path}: {error.message} Nothing was changed.") from error
    changes = _changes(patch, files, state)
    if not changes:
        raise ToolError("the patch as a whole changes nothing: what it does it also undoes.")
    return changes


def _apply(operation: Operation, state: _State) -> None:
    match operation:
        case AddFile():
            if state[operation.path] is not None:
                raise ToolError("it exists, so it can't be added. Update it, or use write to replace it.")
            state[operation.path] = _Entry(TextFile(operation.text), None, added=_count(operation.text))
        case DeleteFile():
            _delete(operation, state)
        case UpdateFile():
            _update(operation, state)
        case _:
            assert_never(operation)


def _delete(operation: DeleteFile, state: _State) -> None:
    entry = _existing(state, operation.path, "deleted")
    if operation.hunks and apply_hunks(entry.file.text, operation.hunks).text:
        raise ToolError("it has lines that the patch does not take away, so it can't be deleted by it. Read it again.")
    state[operation.path] = None


def _update(operation: UpdateFile, state: _State) -> None:
    entry = _existing(state, operation.path, "updated")
    target = operation.move_to
    if target is not None and target != operation.path:
        if state[target] is not None:
            raise ToolError(f"it can't move to {target}, which exists. Delete that first if it is to be replaced.")
        state[operation.path] = None
    if operation.hunks:
        done = apply_hunks(entry.file.text, operation.hunks)
        if done.text == entry.file.text:
            raise ToolError("the new lines are the same as the old ones: nothing would change.")
        file = entry.file.with_text(done.text)
        entry = _Entry(file, entry.origin, entry.added + done.added, entry.removed + done.removed, entry.notes + done.notes)
    state[target or operation.path] = entry


def _existing(state: _State, path: str, what: str) -> _Entry:
    entry = state[path]
    if entry is None:
        raise ToolError(f"it does not exist, so it can't be {what}. Use glob to find the file.")
    return entry


def _changes(patch: Patch, files: Mapping[str, TextFile | None], state: _State) -> tuple[FileChange, ...]:
    moved = {entry.origin for path, entry in state.items() if entry is not None and entry.origin != path}
    changes: list[FileChange] = []
    for path in patch.paths:
        before, entry = files[path], state[path]
        if entry is None:
            if before is not None and path not in moved:
                changes.append(FileChange("D", path, before, None, removed=_count(before.text)))
        elif entry.origin not in (None, path):
            assert entry.origin is not None
            source = files[entry.origin]
            changes.append(FileChange("R", path, source, entry.file, entry.origin, entry.added, entry.removed, entry.notes))
        elif before is None:
            changes.append(FileChange("A", path, None, entry.file, None, entry.added, entry.removed, entry.notes))
        elif entry.file.with_text(entry.file.text) != before.with_text(before.text):
            removed = entry.removed if entry.origin == path else _count(before.text)
            changes.append(FileChange("M", path, before, entry.file, None, entry.added, removed, entry.notes))
    return tuple(changes)


def _count(text: str) -> int:
    return text.count("\n") + (text != "" and not text.endswith("\n"))
