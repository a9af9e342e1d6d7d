"""`edit {path, old_string, new_string, replace_all?}`: replace one exact text in a file.

Newlines, byte order mark and mode stay as they were. What this tool does not do: match approximately, or make files.
"""

from typing import Final, cast

import msgspec

from kimicode.edit.files import TextFile, read_text, write_text
from kimicode.edit.replace import replace
from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import Accesses, ToolContext
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
        file = read_text(path, name)
        old, new = cast(str, args["old_string"]), cast(str, args["new_string"])
        try:
            done = replace(file.text, old, new, replace_all=cast(bool, args.get("replace_all", False)))
        except ToolError as error:
            raise ToolError(f"{name}: {error.message}") from error
        write_text(path, name, TextFile(done.text, file.bom))
        return f"Edited {name}: {done.count} replacement{'' if done.count == 1 else 's'}."
