"""`grep {pattern, path?, glob?, limit?}`: lines that match a regular expression, as `path:line:text`, sorted by path.

Ignored and binary files are left out unless named. What this tool does not do: search across lines.
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

NAME: Final = "grep"
DEFAULT_LIMIT: Final = 200
MAX_LIMIT: Final = 5000
PROPERTIES: Final[dict[str, JsonObject]] = {
    "pattern": {"type": "string"},
    "path": {"type": "string"},
    "glob": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
}
REQUIRED: Final = ("pattern",)

_MAX_LINE_BYTES: Final = 500


class Grep(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It reads its path, or the workspace."""
        return Touches(reads=(cast(str, args.get("path", ".")),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Search, and return the matches or say that there are none."""
        pattern, name = cast(str, args["pattern"]), cast(str, args.get("path", "."))
        limit = cast(int, args.get("limit", DEFAULT_LIMIT))
        path = context.policy.readable(name).path
        require_exists(path, name)
        glob = cast("str | None", args.get("glob"))
        wanted = matcher(glob) if glob is not None else None
        open_to_us = may_show(path, context)
        top = "" if path.is_file() else f"{path}/"

        def keep(line: str) -> str | None:
            file, separator, rest = line.partition("\0")
            if not separator:
                return line
            if not open_to_us(file):
                return None
            if wanted is not None and not wanted(file.removeprefix(top) if top else path.name):
                return None
            return f"{shown(Path(file), context)}:{rest}"

        found = await ripgrep([*_OPTIONS, f"--regexp={pattern}", "--", str(path)], context.workspace, limit, keep)
        if found.lines:
            more = [f"[the first {limit} matches; there are more: narrow pattern, path or glob, or raise limit]"] if found.cut else []
            return "\n".join([*found.lines, *more])
        if found.error:
            raise ToolError(f"grep: {found.error}")
        return f"No matches for {pattern!r}{inside(args)}."


_OPTIONS: Final = (
    "--line-number",
    "--no-heading",
    "--with-filename",
    "--null",
    f"--max-columns={_MAX_LINE_BYTES}",
    "--max-columns-preview",
)
