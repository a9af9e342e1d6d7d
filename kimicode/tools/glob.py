"""`glob {pattern, path?}`: the files that fit a pattern, one path a line, sorted.

Ignored files are left out. What this tool does not do: list folders.
"""

from pathlib import Path
from typing import Final, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.globs import matcher
from kimicode.tools.paths import inside, may_show, require_exists, shown
from kimicode.tools.ripgrep import ripgrep

NAME: Final = "glob"
LIMIT: Final = 500
PROPERTIES: Final[dict[str, JsonObject]] = {"pattern": {"type": "string"}, "path": {"type": "string"}}
REQUIRED: Final = ("pattern",)


class Glob(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It reads its path, or the workspace."""
        return Touches(reads=(cast(str, args.get("path", ".")),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """List, and say so where there are none or too many."""
        pattern, name = cast(str, args["pattern"]), cast(str, args.get("path", "."))
        folder = context.policy.readable(name).path
        require_exists(folder, name)
        if not folder.is_dir():
            raise ToolError(f"{name} is a file. Send the folder to look in, or use read.")
        fits, open_to_us = matcher(pattern), may_show(folder, context)

        def keep(line: str) -> str | None:
            # The second piece of a name with a newline is no path: nobody could say whether it is hidden.
            whole = line.startswith(f"{folder}/") and open_to_us(line)
            return shown(Path(line), context) if whole and fits(line.removeprefix(f"{folder}/")) else None

        found = await ripgrep(["--files", "--", str(folder)], context.workspace, LIMIT, keep)
        if found.lines:
            more = [f"[the first {LIMIT} files; there are more: narrow the pattern or send a path]"] if found.cut else []
            return "\n".join([*found.lines, *more])
        return f"No files fit {pattern!r}{inside(args)}."
