"""`symbols {query, kind?}`: what a name, a file or a place in a file is, and what uses it.

A name may be qualified (`Toolbox.run`, `pkg.module.f`); a path gives the outline of the file, `path:line` what encloses the line.
Lines come from the disk as it is now, what they are from the index. What this tool does not do: search for text, or infer types.
"""

import re
from pathlib import Path
from typing import Final, cast

import msgspec

from kimicode.errors import RefusedError, ToolError
from kimicode.messages import JsonObject, ToolSpec
from kimicode.repo.codebase import Codebase
from kimicode.repo.neighbours import Neighbours, Target
from kimicode.repo.uses import Use, judged
from kimicode.tools.base import ToolContext, Touches
from kimicode.tools.importers import importers
from kimicode.tools.outline import linked, outlined
from kimicode.tools.schemas import SYMBOL_KINDS, SYMBOLS, SYMBOLS_REQUIRED
from kimicode.tools.search import Lines, find_lines, neighbours_of, tree_of
from kimicode.tools.symbol_answer import answered, listed, unknown

NAME: Final = "symbols"
KINDS: Final = SYMBOL_KINDS
PROPERTIES: Final = SYMBOLS
REQUIRED: Final = SYMBOLS_REQUIRED

_PARSE_S: Final = 3.0
"""The model waits for an answer about names, so files that are not indexed yet get more time than in a search for text."""

_PLACE: Final = re.compile(r"(.+?):(\d+)(?:[-:]\d+)?$")
_SEPARATORS: Final = re.compile(r"\.|::|->|#|/")
_NAME: Final = re.compile(r"[^\W\d][\w$]*[?!=]?$|[~$@][\w]+$")


class Symbols(msgspec.Struct, frozen=True):
    """The tool."""

    spec: ToolSpec

    def touches(self, args: JsonObject) -> Touches:  # noqa: ARG002 - a protocol's method
        """It reads the workspace."""
        return Touches(reads=(".",))

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Look it up. Raises `ToolError` where there is no index, or nothing of that name."""
        query, kind = cast(str, args["query"]).strip(), cast("str | None", args.get("kind"))
        tree = await tree_of(context)
        if context.code is None or tree is None:
            raise ToolError("there is no symbol index here. Use grep.")
        about = _About(context.code, context, query, kind)
        found = _PLACE.match(query)
        if found is not None and (path := _file(found[1], context)) is not None:
            return await about.place(path, int(found[2]))
        if (path := _file(query, context)) is not None:
            return await about.file(path)
        return await about.name()


class _About(msgspec.Struct, frozen=True):
    """One query."""

    code: Codebase
    context: ToolContext
    query: str
    kind: str | None

    async def name(self) -> str:
        """What has this name."""
        *qualifiers, name = [part for part in _SEPARATORS.split(self.query.rstrip("()")) if part] or [""]
        if not _NAME.match(name):
            raise ToolError(f"{self.query[:60]!r} is neither a name nor a file of the workspace. Use grep for text.")
        lines = await self._lines(name)
        known = await self._known(lines)
        targets = known.definitions(name, tuple(qualifiers))
        if not targets and qualifiers and (others := known.definitions(name)):
            return listed(others, f"No {self.query!r}; what is called {name!r}:")
        if not targets:
            return unknown(self.code.index.names(known.tree, name, limit=8), name, judged(lines.matches, known.view, (name,)))
        if self.kind == "outline":
            return "\n".join(outlined(known, targets[0].path, targets[0].number))
        return answered(known, targets, judged(lines.matches, known.view, (name,)), self.kind, cut=lines.cut)

    async def place(self, path: str, line: int) -> str:
        """What encloses a line."""
        known = await self._known_file(path)
        view = known.view(path)
        target = known.target(path, view.within(line)) if view is not None else None
        if target is None:
            raise ToolError(f"no definition encloses line {line} of {path}. Use read, or symbols with the path alone for its outline.")
        if self.kind == "outline":
            return "\n".join(outlined(known, path, target.number))
        lines = await self._lines(target.definition.name)
        known = await self._known(lines, path)
        return answered(known, [target], _uses(known, lines, target), self.kind, cut=lines.cut)

    async def file(self, path: str) -> str:
        """The outline of a file, and its imports both ways."""
        known = await self._known_file(path)
        if known.view(path) is None:
            raise ToolError(f"{path} has no symbols that can be read. Use read or grep.")
        known, users = await importers(known, path, self.code, self.context, _PARSE_S)
        whole = self.kind in ("references", "callers")
        return "\n".join([*([] if whole else outlined(known, path)), *linked(known, path, users, whole=whole)])

    async def _lines(self, name: str) -> Lines:
        whole = ("--word-regexp",) if re.fullmatch(r"\w+", name) else ()
        return await find_lines((*whole, "--fixed-strings", f"--regexp={name}"), self.context.workspace.resolve(), self.context)

    async def _known(self, lines: Lines, *more: str) -> Neighbours:
        tree = await tree_of(self.context)
        known = await neighbours_of(self.code, tree, lines.matches, self.context, seconds=_PARSE_S, more=more) if tree is not None else None
        if known is None:
            raise ToolError("the symbol index can't be used. Use grep.")
        return known

    async def _known_file(self, path: str) -> Neighbours:
        return await self._known(Lines(()), path)


def _uses(known: Neighbours, lines: Lines, target: Target) -> list[Use]:
    return judged(lines.matches, known.view, (target.definition.name,))


def _file(name: str, context: ToolContext) -> str | None:
    """The path in the workspace that `name` is, if it is a file there that may be shown."""
    try:
        real = context.policy.readable(name).path
    except (RefusedError, ToolError):
        return None
    root = context.workspace.resolve()
    return str(real.relative_to(root)) if Path(real).is_file() and real.is_relative_to(root) else None
