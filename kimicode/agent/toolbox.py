"""What the agent needs of tools: their specifications, what a call would touch, and a way to run it.

What this module does not do: implement it (`kimicode.tools` does; tests bring their own).
"""

from typing import Protocol

from kimicode.messages import ToolCall, ToolResult, ToolSpec
from kimicode.tools.base import Accesses


class Toolbox(Protocol):
    """The tools of one session. The list never changes while the session lives: that would break the prefix."""

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the model is told, in a constant order."""
        ...

    def accesses(self, call: ToolCall) -> Accesses:
        """What the call would touch; nothing where it can't run at all (unknown tool, bad arguments). Never raises."""
        ...

    async def run(self, call: ToolCall) -> ToolResult:
        """Run the call. What goes wrong is a result with `ok` false, not an exception; cancelling it leaves nothing behind."""
        ...
