"""`shell {command, timeout_s?}`: run a command in the workspace and return what it printed and how it ended.

What this tool does not do: give the command a terminal, input, or the user's secrets; or keep it running in the background.
"""

import os
from typing import Final, cast

import msgspec

from kimicode.messages import JsonObject, ToolSpec
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.run import Finished, run_command
from kimicode.tools.base import Accesses, ToolContext
from kimicode.tools.overflow import MAX_RESULT_CHARS, PREVIEW_CHARS, preview

NAME: Final = "shell"
DEFAULT_TIMEOUT_S: Final = 120
MAX_TIMEOUT_S: Final = 600
PROPERTIES: Final[dict[str, JsonObject]] = {
    "command": {"type": "string"},
    "timeout_s": {"type": "number", "minimum": 0.1, "maximum": MAX_TIMEOUT_S},
}
REQUIRED: Final = ("command",)

_LAST_LINE_CHARS: Final = 100


class Shell(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def accesses(self, args: JsonObject, context: ToolContext) -> Accesses:  # noqa: ARG002 - a protocol's method
        """A command can touch anything."""
        return Accesses(everything=True)

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Run, and return output and exit code."""
        command = cast(str, args["command"])
        context.policy.check_command(command)
        timeout_s = cast(float, args.get("timeout_s", DEFAULT_TIMEOUT_S))
        limit = MAX_RESULT_CHARS - _LAST_LINE_CHARS
        capture = Capture(context.scratch, NAME, limit=limit, head=PREVIEW_CHARS, tail=PREVIEW_CHARS)
        finished = await run_command(command, cwd=context.workspace, timeout_s=timeout_s, capture=capture, environ=os.environ)
        return result_text(finished, timeout_s)


def result_text(finished: Finished, timeout_s: float) -> str:
    """Output and ending as the model reads them. Pure."""
    output = preview(finished.output).rstrip()
    ending = f"[timed out after {timeout_s:g} s]" if finished.exit_code is None else f"[exit {finished.exit_code}]"
    return f"{output}\n{ending}" if output else ending
