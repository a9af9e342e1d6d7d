"""`map {budget?, focus?}`: the most important files of the workspace with their most used definitions, in a budget of tokens.

While nothing changes the same question gets the same text, and every answer is a new message: what a model was told stays as it is. What
this tool does not do: rank (`repo.map`), or show what the policy hides.
"""

import asyncio
from typing import Final, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.repo.map import render
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.paths import may_show
from kimicode.tools.schemas import DEFAULT_BUDGET, MAP, MAP_REQUIRED

NAME: Final = "map"
PROPERTIES: Final = MAP
REQUIRED: Final = MAP_REQUIRED

_READ_S: Final = 20.0
"""A workspace that was never read gets so long; what is not read by then is without definitions, and the map says so."""


class Map(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:  # noqa: ARG002 - a protocol's method
        """It reads the workspace."""
        return Touches(reads=(".",))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """The map. Raises `ToolError` where there is no index, or nothing that the focus names."""
        code = context.code
        if code is None:
            raise ToolError("there is no symbol index here. Use glob and grep.")
        budget, focus = cast(int, args.get("budget", DEFAULT_BUDGET)), cast("list[str]", args.get("focus", []))
        root = context.workspace.resolve()
        open_to_us = may_show(root, context)

        def show(path: str) -> bool:
            return open_to_us(f"{root}/{path}")

        return await asyncio.to_thread(render, code, budget=budget, focus=focus, show=show, seconds=_READ_S)
