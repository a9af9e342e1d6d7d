"""`edit {path, old_string, new_string, replace_all?}`: replace one exact text in a file.

Newlines, byte order mark and mode stay as they were. What this tool does not do: match approximately, or make files.
"""

from typing import Final, cast

import msgspec

from kimicode.edit.replace import Replaced, replace
from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import Accesses, ToolContext
from kimicode.tools.hands import Texts
from kimicode.tools.paths import accessed, refuse_folder, require_exists

NAME: Final = "edit"
PROPERTIES: Final[dict[str, JsonObject]] = {
    "path": {"type": "string"},
    "old_string": {"type": "string"},
    "new_string": {"type": "string"},
    "replace_all": {"type": "boolean"},
}
REQUIRED: Final = ("path", "old_string", "new_string")


class Edit(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def accesses(self, args: JsonObject, context: ToolContext) -> Accesses:
        """It writes its path."""
        return Accesses(writes=accessed(args, context))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Replace, and say how many places."""
        name = cast(str, args["path"])
        path = context.policy.writable(name).path
        require_exists(path, name)
        refuse_folder(path, name)
        count = 0

        def replaced(files: Texts) -> Texts:
            nonlocal count
            file = files[name]
            if file is None:
                raise ToolError(f"{name} does not exist (any more). Use glob to find the file.")
            done = _replaced(file.text, name, args)
            count = done.count
            return {name: file.with_text(done.text)}

        notes = context.files.change([name], replaced).notes
        return " ".join((f"Edited {name}: {count} replacement{'' if count == 1 else 's'}.", *notes))


def _replaced(text: str, name: str, args: JsonObject) -> Replaced:
    old, new = cast(str, args["old_string"]), cast(str, args["new_string"])
    try:
        return replace(text, old, new, replace_all=cast(bool, args.get("replace_all", False)))
    except ToolError as error:
        raise ToolError(f"{name}: {error.message}") from error
