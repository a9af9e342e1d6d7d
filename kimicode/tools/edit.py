"""`edit {path, old_string, new_string, replace_all?, edits?}`: replace texts in a file, all of them or none.

How a text is matched, and when it is refused, is `edit.replace`'s business. The answer shows what was changed where the match was not
exact, and a syntax error that the edit brought. Newlines, encoding and mode stay as they were. What this tool does not do: make files.
"""

from typing import Final, cast

import msgspec

from kimicode.edit.diff import changes
from kimicode.edit.ladder import EXACT
from kimicode.edit.replace import Edit as Replacement
from kimicode.edit.replace import Replaced, replace, replace_many
from kimicode.edit.syntax import introduced_errors
from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.hands import Texts
from kimicode.tools.paths import refuse_folder, require_exists

NAME: Final = "edit"
_ONE: Final[dict[str, JsonObject]] = {
    "old_string": {"type": "string"},
    "new_string": {"type": "string"},
    "replace_all": {"type": "boolean"},
}
PROPERTIES: Final[dict[str, JsonObject]] = {
    "path": {"type": "string"},
    **_ONE,
    "edits": {
        "type": "array",
        "items": {"type": "object", "properties": cast(JsonObject, _ONE), "required": ["old_string", "new_string"]},
    },
}
REQUIRED: Final = ("path", "old_string", "new_string")


class Edit(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It writes its path."""
        return Touches(writes=(cast(str, args["path"]),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Replace, and say how many places."""
        name = cast(str, args["path"])
        path = context.policy.writable(name).path
        require_exists(path, name)
        refuse_folder(path, name)
        said: list[str] = []

        def replaced(files: Texts) -> Texts:
            file = files[name]
            if file is None:
                raise ToolError(f"{name} does not exist (any more). Use glob to find the file.")
            done = _replaced(file.text, name, args)
            said.extend(_told(name, file.text, done))
            return {name: file.with_text(done.text)}

        notes = context.files.change([name], replaced).notes
        return "\n".join((" ".join((said[0], *notes)), *said[1:]))


def _replaced(text: str, name: str, args: JsonObject) -> Replaced:
    first, *more = (_edit(each) for each in (args, *cast(list[JsonObject], args.get("edits", []))))
    try:
        if more:
            return replace_many(text, (first, *more))
        return replace(text, first.old_string, first.new_string, replace_all=first.replace_all)
    except ToolError as error:
        raise ToolError(f"{name}: {error.message}") from error


def _edit(args: JsonObject) -> Replacement:
    return Replacement(cast(str, args["old_string"]), cast(str, args["new_string"]), cast(bool, args.get("replace_all", False)))


def _told(name: str, before: str, done: Replaced) -> list[str]:
    said = [f"Edited {name}: {done.count} replacement{'' if done.count == 1 else 's'}."]
    if done.matched != EXACT:
        said += [f"Not matched exactly: {done.matched}. What was changed:", changes(before, done.text)]
    if error := introduced_errors(name, before, done.text):
        said.append(error)
    return said
