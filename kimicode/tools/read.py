"""`read {path, offset?, limit?}`: a file's text as it is.

A part ends with a line that says which lines it has and how to go on. No line numbers: what is read can be sent to `edit` unchanged.
What this tool does not do: look into binary files.
"""

from typing import Final, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.overflow import MAX_RESULT_CHARS
from kimicode.tools.paths import refuse_folder, require_exists

NAME: Final = "read"
PROPERTIES: Final[dict[str, JsonObject]] = {
    "path": {"type": "string"},
    "offset": {"type": "integer", "minimum": 1},
    "limit": {"type": "integer", "minimum": 1},
}
REQUIRED: Final = ("path",)

DEFAULT_LINES: Final = 2000
_MAX_CHARS: Final = MAX_RESULT_CHARS - 200


class Read(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It reads its path."""
        return Touches(reads=(cast(str, args["path"]),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """The text, or the part of it that was asked for and fits."""
        name = cast(str, args["path"])
        path = context.policy.readable(name).path
        require_exists(path, name)
        refuse_folder(path, name)
        text = context.files.read(name).text
        return part(text, name, cast(int, args.get("offset", 1)), cast(int, args.get("limit", DEFAULT_LINES)))


def part(text: str, name: str, offset: int, limit: int) -> str:
    """At most `limit` lines of `text` from line `offset` (from 1) on, whole lines as far as a result has room. Pure."""
    if not text:
        return f"[{name} is empty]"
    # Only "\n" ends a line: str.splitlines would also cut at form feeds and U+2028.
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    if not lines[-1]:
        lines.pop()
    if offset > len(lines):
        raise ToolError(f"{name} has {len(lines)} lines: offset {offset} is past its end.")
    taken, chars = 0, 0
    for line in lines[offset - 1 : offset - 1 + limit]:
        chars += len(line)
        if chars > _MAX_CHARS:
            break
        taken += 1
    if not taken:
        return _long_line(lines, offset)
    last = offset - 1 + taken
    chosen = "".join(lines[offset - 1 : last])
    return chosen if last == len(lines) else f"{chosen}[lines {offset}-{last} of {len(lines)}; continue with offset {last + 1}]"


def _long_line(lines: list[str], offset: int) -> str:
    line = lines[offset - 1].removesuffix("\n")
    going_on = f"; continue with offset {offset + 1}" if offset < len(lines) else ""
    cut = f"only the first {_MAX_CHARS} of its {len(line)} characters; cut -c shows others"
    return f"{line[:_MAX_CHARS]}\n[lines {offset}-{offset} of {len(lines)}, {cut}{going_on}]"
