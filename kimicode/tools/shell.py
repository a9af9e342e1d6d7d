"""`shell {command, timeout_s?}`: run a command in the workspace and return what it printed and how it ended.

Where a command failed at the sandbox, or changed what it may not, one line says so, for the model can't see the walls.
What this tool does not do: give the command a terminal, input, or the user's secrets; or keep it running in the background.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import msgspec

from kimicode.errors import RefusedError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.sandbox.boundary import Tier
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.live import Live
from kimicode.sandbox.policy import Permission
from kimicode.sandbox.run import Finished, Sandbox, run_command
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.overflow import MAX_RESULT_CHARS, PREVIEW_CHARS, preview

NAME: Final = "shell"
DEFAULT_TIMEOUT_S: Final = 120
MAX_TIMEOUT_S: Final = 600
PROPERTIES: Final[dict[str, JsonObject]] = {
    "command": {"type": "string"},
    "timeout_s": {"type": "number", "minimum": 0.1, "maximum": MAX_TIMEOUT_S},
}
REQUIRED: Final = ("command",)

_LAST_LINES_CHARS: Final = 1000
"""Room for how it ended, and for what the sandbox has to say."""

_DENIED: Final = re.compile(
    r"Permission denied|Read-only file system|Operation not permitted|Network is unreachable|Could not resolve|EACCES|EPERM|EROFS"
    r"|Temporary failure in name resolution|Name or service not known|Device or resource busy",
    re.IGNORECASE,
)
_MOST_PATHS: Final = 8


class Shell(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """A command can touch anything."""
        return Touches(command=cast(str, args["command"]))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Run, and return output and exit code."""
        command = cast(str, args["command"])
        if context.sandbox is None and context.policy.permission is Permission.READ_ONLY:
            raise RefusedError("shell: permission is read-only, and nothing holds the command to that")
        timeout_s = cast(float, args.get("timeout_s", DEFAULT_TIMEOUT_S))
        limit = MAX_RESULT_CHARS - _LAST_LINES_CHARS
        live = None if context.tell is None else Live(context.tell)
        tee = None if live is None else live.feed
        capture = Capture(context.scratch, NAME, limit=limit, head=PREVIEW_CHARS, tail=PREVIEW_CHARS, tee=tee)
        box, cwd = context.sandbox, context.workspace
        try:
            finished = await run_command(command, cwd=cwd, timeout_s=timeout_s, capture=capture, environ=os.environ, sandbox=box)
        finally:
            if live is not None:
                live.close()
        return result_text(finished, timeout_s, box)


def result_text(finished: Finished, timeout_s: float, sandbox: Sandbox | None = None) -> str:
    """Output and ending as the model reads them. Pure."""
    output = preview(finished.output).rstrip()
    ending = f"[timed out after {timeout_s:g} s]" if finished.exit_code is None else f"[exit {finished.exit_code}]"
    lines = (output, *_put_back(finished), *(() if sandbox is None else _walls(finished, sandbox)), ending)
    return "\n".join(line for line in lines if line)


def _put_back(finished: Finished) -> Iterator[str]:
    if finished.put_back:
        yield f"[protected: commands may not change {_listed(finished.put_back)}. It is as it was, and what was added is set aside.]"
    if finished.changed:
        yield f"[protected: commands may not change {_listed(finished.changed)}, and it could not be put back: tell the user at once.]"


def _listed(paths: tuple[Path, ...]) -> str:
    more = f" and {len(paths) - _MOST_PATHS} more" if len(paths) > _MOST_PATHS else ""
    return ", ".join(f"{str(path)!r}" for path in paths[:_MOST_PATHS]) + more


def _walls(finished: Finished, sandbox: Sandbox) -> Iterator[str]:
    """What the sandbox forbids, where the command seems to have met it."""
    if finished.exit_code == 0 or sandbox.tier is Tier.NONE or not _DENIED.search(finished.output.head + finished.output.tail):
        return
    network = {"none": "; no network", "hosts": "; of the network only allowed hosts", "all": ""}[sandbox.boundary.network.access]
    folders = ", ".join(map(str, sandbox.boundary.writable[:_MOST_PATHS]))
    writable = (
        f"commands can write in {folders} (not to protected files there) and $TMPDIR" if folders else "commands can write in $TMPDIR only"
    )
    yield f"[sandbox: {writable}{network}. Do not work around it: say what is needed, so that the user can do or allow it.]"
