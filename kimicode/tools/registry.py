"""The tools a model is offered, and the one place where a call becomes a result.

Whatever a model sends, it gets exactly one `ToolResult`: `Error: …` or `Refused: …` says what to do instead. Only cancellation passes
through. What this module does not do: schedule calls, judge them (`gate`) or ask a person.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from kimicode.errors import KimicodeError, RefusedError, ToolError
from kimicode.messages import JsonObject, ToolCall, ToolResult, ToolSpec
from kimicode.sandbox.approval import Turns
from kimicode.sandbox.policy import Policy
from kimicode.tools import ask, edit, glob, patch, read, schemas, shell, todo, write
from kimicode.tools.arguments import parse_arguments
from kimicode.tools.base import Accesses, Foresees, Keeper, Tool, ToolContext
from kimicode.tools.foresight import Foresight
from kimicode.tools.gate import Gate
from kimicode.tools.hands import Hands
from kimicode.tools.late import Late
from kimicode.tools.overflow import bounded
from kimicode.tools.spec import full_spec, lean_spec

_FULL: Final = ("read", "write", "edit", "patch", "grep", "symbols", "map", "glob", "git", "shell", "todo")
_LEAN: Final = ("read", "edit", "shell")


class _Kind(msgspec.Struct, frozen=True):
    make: Callable[[ToolSpec], Tool]
    properties: Mapping[str, JsonObject]
    required: tuple[str, ...]


def _late(place: str) -> Callable[[ToolSpec], Tool]:
    return lambda spec: Late(spec, place)


_KINDS: Final[Mapping[str, _Kind]] = {
    read.NAME: _Kind(read.Read, read.PROPERTIES, read.REQUIRED),
    write.NAME: _Kind(write.Write, write.PROPERTIES, write.REQUIRED),
    edit.NAME: _Kind(edit.Edit, edit.PROPERTIES, edit.REQUIRED),
    patch.NAME: _Kind(patch.Patch, patch.PROPERTIES, patch.REQUIRED),
    "grep": _Kind(_late("grep:Grep"), schemas.GREP, schemas.GREP_REQUIRED),
    "symbols": _Kind(_late("symbols:Symbols"), schemas.SYMBOLS, schemas.SYMBOLS_REQUIRED),
    "map": _Kind(_late("map:Map"), schemas.MAP, schemas.MAP_REQUIRED),
    glob.NAME: _Kind(glob.Glob, glob.PROPERTIES, glob.REQUIRED),
    "git": _Kind(_late("git:Git"), schemas.GIT, schemas.GIT_REQUIRED),
    shell.NAME: _Kind(shell.Shell, shell.PROPERTIES, shell.REQUIRED),
    todo.NAME: _Kind(todo.Todo, todo.PROPERTIES, todo.REQUIRED),
}


def default_tools(profile: str = "default", *, asker: ask.Asker | None = None, turns: Turns | None = None) -> tuple[Tool, ...]:
    """The tools for a model's profile, in an order that never changes: `lean` for small local models, everything for all others.

    With an `asker` the last one is `ask`, but for small models, who would only ask; its questions take their turn among `turns`.
    """
    lean = profile == "lean"
    specify = lean_spec if lean else full_spec
    kinds = ((name, _KINDS[name]) for name in (_LEAN if lean else _FULL))
    tools: tuple[Tool, ...] = tuple(kind.make(specify(name, kind.properties, kind.required)) for name, kind in kinds)
    if asker is None or lean:
        return tools
    return (*tools, ask.Ask(full_spec(ask.NAME, ask.PROPERTIES, ask.REQUIRED), asker, turns or Turns()))


class Toolbox:
    """Some tools and what their calls may use. `gate` judges calls first; `keeper` records what they change. Without them nobody does."""

    def __init__(self, tools: tuple[Tool, ...], context: ToolContext, *, gate: Gate | None = None, keeper: Keeper | None = None) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}
        self._context = context
        self._gate = gate
        self._keeper = keeper

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What a model is told, in order; constant."""
        return tuple(tool.spec for tool in self._tools.values())

    def accesses(self, call: ToolCall) -> Accesses:
        """The paths the call would touch; none where it will fail before it touches any. Never raises."""
        try:
            tool = self._find(call.name)
            touches = tool.touches(parse_arguments(tool.spec, call.arguments))
            real = self._context.policy.real
            everything = touches.command is not None
            return Accesses(tuple(map(real, touches.reads)), tuple(map(real, touches.writes)), everything)
        except (RefusedError, ToolError):
            return Accesses()

    async def run(self, call: ToolCall) -> ToolResult:
        """Run one call. Never raises but when cancelled."""
        try:
            content, ok = await self.execute(call), True
        except RefusedError as error:
            content, ok = f"Refused: {_in_words(error)}", False
        except KimicodeError as error:
            content, ok = f"Error: {_in_words(error)}", False
        except OSError as error:
            content, ok = f"Error: {call.name}: {error}", False
        except Exception as error:  # noqa: BLE001 - the boundary: a fault in a tool is reported to the model, not the end of the run
            content, ok = f"Error: {call.name} failed in an unexpected way ({type(error).__name__}: {error}). Try another way.", False
        # No tool may break the conversation's encoding or size, whatever file names it met.
        content = bounded(content.encode("utf-8", "replace").decode("utf-8"), self._context.scratch, call.name)
        return ToolResult(call.id, call.name, content, ok)

    async def execute(self, call: ToolCall) -> str:
        """The call's answer, of any size. Raises `ArgumentsError`, `ToolError`, `RefusedError`, `SessionError`, or `OSError`."""
        tool = self._find(call.name)
        args = parse_arguments(tool.spec, call.arguments)
        touches = tool.touches(args)
        context = self._context
        if self._gate is not None:
            foresight = Foresight(tool, args, context, self._looking)
            changes = touches.writes or (touches.command is not None and isinstance(tool, Foresees))
            policy = await self._gate.admit(call.name, touches, context.policy, foresight.look if changes else None)
            context = msgspec.structs.replace(context, policy=policy, promised=foresight.promised)
        if self._keeper is None:
            return await tool.run(args, context)
        async with self._keeper.keeping(call.id, touches, context) as kept:
            return await tool.run(args, kept)

    def _looking(self, policy: Policy) -> Hands:
        if self._keeper is not None:
            return self._keeper.looking(policy)
        return self._context.files.for_look(policy)

    def _find(self, name: str) -> Tool:
        try:
            return self._tools[name]
        except KeyError:
            raise ToolError(f"there is no tool {name[:60]!r}. The tools are: {', '.join(self._tools)}.") from None


def _in_words(error: KimicodeError) -> str:
    return f"{error.message} {error.hint}".rstrip()
