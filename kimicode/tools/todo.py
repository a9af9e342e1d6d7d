"""`todo {items}`: the model's own plan, sent whole each time and given back as text.

What this tool does not do: keep it. The conversation does, and a face may show the last one.
"""

from typing import Final, cast

import msgspec

from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import ToolContext, Touches

NAME: Final = "todo"
MARKS: Final = {"pending": "[ ]", "in_progress": "[~]", "done": "[x]"}
PROPERTIES: Final[dict[str, JsonObject]] = {
    "items": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "status": {"type": "string", "enum": [*MARKS]}},
            "required": ["text", "status"],
        },
    }
}
REQUIRED: Final = ("items",)


class Todo(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:  # noqa: ARG002 - a protocol's method
        """Nothing."""
        return Touches()

    async def run(self, args: JsonObject, context: ToolContext) -> str:  # noqa: ARG002 - a protocol's method
        """The list, one item a line."""
        items = cast(list[dict[str, str]], args["items"])
        return "\n".join(f"{MARKS[item['status']]} {item['text']}" for item in items) or "The list is empty."
