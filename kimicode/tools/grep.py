"""`grep {pattern, path?, glob?, limit?}`: lines that match a regular expression, with what is around them and what is connected.

Where an index is there, lines carry the definition that encloses them and are ranked; where none is, or the file is no source, they
come by path and line. Ignored and binary files are left out unless named. What this tool does not do: search across lines.
"""

import asyncio
from typing import Final, cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.repo.neighbours import Neighbours
from kimicode.repo.pattern import names_in
from kimicode.repo.uses import Use, judged
from kimicode.tools.around import connected
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.globs import matcher
from kimicode.tools.layout import Laid, laid_out
from kimicode.tools.paths import inside, require_exists
from kimicode.tools.schemas import GREP, GREP_REQUIRED
from kimicode.tools.search import MAX_MATCHES, Lines, find_lines, neighbours_of, tree_of

NAME: Final = "grep"
PROPERTIES: Final = GREP
REQUIRED: Final = GREP_REQUIRED

BUDGET: Final = 1_000
"""Tokens of the matches of an answer without a limit; what is connected has 200 more (`around`)."""


class Grep(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:
        """It reads its path, or the workspace."""
        return Touches(reads=(cast(str, args.get("path", ".")),))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Search, and return the matches or say that there are none."""
        pattern, name = cast(str, args["pattern"]), cast(str, args.get("path", "."))
        path = context.policy.readable(name).path
        require_exists(path, name)
        glob = cast("str | None", args.get("glob"))
        wanted = None if glob is None else matcher(glob)
        found, tree = await asyncio.gather(find_lines((f"--regexp={pattern}",), path, context, wanted=wanted), tree_of(context))
        if not found.matches:
            if found.error:
                raise ToolError(f"grep: {found.error}")
            return f"No matches for {pattern!r}{inside(args)}."
        names = names_in(pattern)
        known = None
        if context.code is not None and tree is not None:
            known = await neighbours_of(context.code, tree, found.matches, context)
        uses = judged(found.matches, known.view if known is not None else _nothing, names)
        limit = cast("int | None", args.get("limit"))
        laid = laid_out(uses, budget=BUDGET, limit=limit, names=names)
        more = await _connected(known, uses, laid, names, context)
        return "\n".join([laid.text, *more, *_said(found, laid)])


async def _connected(known: Neighbours | None, uses: list[Use], laid: Laid, names: tuple[str, ...], context: ToolContext) -> list[str]:
    return [] if known is None else await connected(known, uses, laid.whole, names, context)


def _nothing(_: str) -> None:
    return None


def _said(found: Lines, laid: Laid) -> list[str]:
    """What is missing from the answer, and how to see it."""
    whole = len(laid.whole)
    total = whole + laid.numbered + laid.counted
    if found.cut:
        return [f"[more than {MAX_MATCHES} matches, the rest was not looked at: narrow pattern, path or glob]"]
    if total == whole:
        return []
    numbered = f", {laid.numbered} as line numbers" if laid.numbered else ""
    return [f"[{whole} of {total} matches with text{numbered}; for more raise limit, or narrow pattern, path or glob]"]
