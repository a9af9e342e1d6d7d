"""A tool that is loaded when it is first called: what it needs would keep a session's first event waiting.

What this module does not do: declare its arguments (`schemas` does).
"""

import importlib
from collections.abc import Callable
from typing import cast

import msgspec

from kimicode.messages import JsonObject, ToolSpec
from kimicode.tools.base import Foreseen, Foresees, Tool, ToolContext, Touches


class Late(msgspec.Struct, frozen=True):
    """The tool `module:class` of `kimicode.tools`, made from its `spec`."""

    spec: ToolSpec
    place: str

    def touches(self, args: JsonObject) -> Touches:
        """The tool's own answer."""
        return self._tool().touches(args)

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """The tool's own answer."""
        return await self._tool().run(args, context)

    async def foresee(self, args: JsonObject, context: ToolContext) -> Foreseen:
        """The tool's own answer, if it has one."""
        tool = self._tool()
        return await tool.foresee(args, context) if isinstance(tool, Foresees) else Foreseen()

    def _tool(self) -> Tool:
        module, _, name = self.place.partition(":")
        make = cast("Callable[[ToolSpec], Tool]", getattr(importlib.import_module(f"kimicode.tools.{module}"), name))
        return make(self.spec)
