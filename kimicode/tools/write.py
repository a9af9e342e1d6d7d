"""`write {path, content}`: make a file or replace all of it, with missing folders, atomically.

The content is written as it is, newlines included, in the encoding and with the byte order mark of the file that it replaces; one that
is no text is not replaced. What this tool does not do: append.
"""

from typing import Final, cast

import msgspec

from kimicode.edit.files import TextFile
from kimicode.edit.syntax import introduced_errors
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.hands import Texts
from kimicode.tools.paths import refuse_folder

NAME: Final = "write"
PROPERTIES: Final[dict[str, JsonObject]] = {"path": {"type": "string"}, "content": {"type": "string"}}
REQUIRED: Final = ("path", "content")


class Write(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It writes its path."""
        return Touches(writes=(cast(str, args["path"]),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Write, and say how many lines."""
        name, content = cast(str, args["path"]), cast(str, args["content"])
        path = context.policy.writable(name).path
        refuse_folder(path, name)

        before: str | None = None

        def whole(files: Texts) -> Texts:
            nonlocal before
            old = files[name]
            before = old.text if old is not None else None
            if old is None:
                return {name: TextFile(content)}
            # A byte order mark that the model wrote itself is the one that the file has.
            return {name: old.with_text(content.removeprefix("\ufeff") if old.bom else content)}

        notes = context.files.change([name], whole).notes
        lines = content.count("\n") + (not content.endswith("\n") and content != "")
        error = introduced_errors(name, before, content)
        said = " ".join((f"Wrote {name}: {lines} line{'' if lines == 1 else 's'}.", *notes))
        return f"{said}\n{error}" if error else said
