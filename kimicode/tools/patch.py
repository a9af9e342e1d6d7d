"""`patch {patch}`: add, change, move and delete files, all of it or nothing.

Reads three notations (`edit.patches`). What is refused for one file refuses the whole patch. What this tool does not do: touch what
is no text, or delete or move a link as if it were its target.
"""

import os
from typing import Final, cast

import msgspec

from kimicode.edit.files import TextFile
from kimicode.edit.patches.parse import parse_patch
from kimicode.edit.patches.plan import FileChange, plan_patch
from kimicode.edit.patches.values import Patch as Parsed
from kimicode.edit.syntax import introduced_errors
from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.hands import Moved, Texts

NAME: Final = "patch"
PROPERTIES: Final[dict[str, JsonObject]] = {"patch": {"type": "string"}}
REQUIRED: Final = ("patch",)


class Patch(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It writes every path that the patch names. Raises `ToolError` for what is no patch."""
        return Touches(writes=parse_patch(cast(str, args["patch"])).paths)

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Apply, and say what became of each file."""
        parsed = parse_patch(cast(str, args["patch"]))
        _refuse_links(parsed, context)
        changes: tuple[FileChange, ...] = ()

        def planned(files: Texts) -> dict[str, TextFile | Moved | None]:
            nonlocal changes
            changes = plan_patch(parsed, files)
            return _new_files(changes)

        notes = context.files.change(parsed.paths, planned).notes
        return "\n".join([*(_shown(change) for change in changes), *_remarks(changes), *notes])


def _refuse_links(parsed: Parsed, context: ToolContext) -> None:
    """The policy judges what a link points to; deleting that under the link's name is never what was meant."""
    for path in parsed.leaving:
        if os.path.islink(context.workspace / path):
            way_out = "Name the file itself, or use the shell. Nothing was changed."
            raise ToolError(f"{path} is a link; a patch can't delete or move it. {way_out}")


def _new_files(changes: tuple[FileChange, ...]) -> dict[str, TextFile | Moved | None]:
    left: dict[str, TextFile | Moved | None] = {change.source: None for change in changes if change.source is not None}
    for change in changes:
        left[change.path] = change.after
        if change.source is not None and change.after is not None:
            left[change.path] = Moved(change.after, change.source)
    return left


def _shown(change: FileChange) -> str:
    name = change.path if change.source is None else f"{change.source} -> {change.path}"
    counts = [f"+{change.added}"] * bool(change.added) + [f"-{change.removed}"] * bool(change.removed)
    return f"{change.kind} {name}" + (f" ({' '.join(counts)})" if counts else "")


def _remarks(changes: tuple[FileChange, ...]) -> list[str]:
    """Where hunks did not fit exactly, and what no longer parses."""
    said = [f"{change.path}, {note}" for change in changes for note in change.notes]
    for change in changes:
        if change.after is not None:
            before = None if change.before is None else change.before.text
            if (error := introduced_errors(change.path, before, change.after.text)) is not None:
                said.append(f"{change.path}: {error}")
    return said
