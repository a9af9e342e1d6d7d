"""What a tool is: a specification, the paths a call would touch, and a function.

A tool's `run` returns text for the model or raises `ToolError` / `RefusedError`; it never prints and never asks.
What it touches is declared before `run`, so that it can be judged first (`gate`) and calls which do not conflict can run side by side.
What this module does not do: look tools up (`registry`) or schedule calls (`agent.schedule`).
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from kimicode.messages import JsonObject, ToolSpec
from kimicode.repo.codebase import Codebase
from kimicode.sandbox.approval import FileText
from kimicode.sandbox.policy import Policy
from kimicode.sandbox.run import Sandbox
from kimicode.tools.hands import Hands, States


class Accesses(msgspec.Struct, frozen=True):
    """The absolute paths a call reads and writes. `everything` means it can't say (a shell command) and conflicts with all."""

    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    everything: bool = False

    def conflicts(self, other: "Accesses") -> bool:
        """True when the two must not run at the same time: one writes what the other reads or writes, or a folder of it."""
        if self.everything or other.everything:
            return True
        ours, theirs = self.writes, other.writes
        return _overlap(ours, theirs + other.reads) or _overlap(theirs, self.reads)


class Touches(msgspec.Struct, frozen=True):
    """What a call would touch, in the model's own words: paths it reads and writes, or a shell command, which could touch anything."""

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    command: str | None = None


class ToolContext(msgspec.Struct, frozen=True):
    """What a call may use. `scratch` is a folder outside the workspace for results too large for the context.

    `hands` are those of a session, which remember what the model has read. `sandbox` holds commands; without one nothing does. `code` is
    the workspace seen through its index; without one, searches know files and lines only. `tell` takes what a running call has just
    printed, where somebody watches. `promised` is what a person allowed the call to do to files, and all that it may do.
    """

    workspace: Path
    policy: Policy
    scratch: Path
    hands: Hands | None = None
    sandbox: Sandbox | None = None
    code: Codebase | None = None
    tell: Callable[[str], None] | None = None
    promised: States | None = None

    @property
    def files(self) -> Hands:
        """Reads and changes files. Without `hands`, ones that remember nothing and keep locks and journal in `scratch`."""
        if self.hands is not None:
            return self.hands
        return Hands(self.policy, locks=self.scratch / "locks", journal=self.scratch / "journal", promised=self.promised)


class Tool(Protocol):
    """One tool. `args` have already been validated against `spec.parameters`."""

    @property
    def spec(self) -> ToolSpec:
        """Name, description and argument schema, as the model sees them; constant."""
        ...

    def touches(self, args: JsonObject) -> Touches:
        """What the call would touch. Pure. May raise `ToolError` where the call will fail for the same reason."""
        ...

    async def run(self, args: JsonObject, context: ToolContext) -> str:
        """Do it and return the text for the model. Raises `ToolError` or `RefusedError`; cancellation leaves nothing behind."""
        ...


class Foreseen(msgspec.Struct, frozen=True):
    """What a call would do to files: as texts for a person, and as states that the call can be held to (None where it can't)."""

    files: tuple[FileText, ...] = ()
    states: States | None = None


@runtime_checkable
class Foresees(Protocol):
    """A tool that tells by itself what a call would do; others are run with hands that only look."""

    async def foresee(self, args: JsonObject, context: ToolContext) -> Foreseen:
        """Look, and change nothing. Raises what the call itself would raise."""
        ...


class Keeper(Protocol):
    """What a session does around a call, so that nothing its tools change is lost."""

    def keeping(self, call_id: str, touches: Touches, context: ToolContext) -> AbstractAsyncContextManager[ToolContext]:
        """The context for one call, whose changes are recorded. Raises `SessionError` where that can't be done: then nothing may run."""
        ...

    def looking(self, policy: Policy) -> Hands:
        """Hands that know what the session knows, and only look (`Hands.for_look`)."""
        ...


def _overlap(left: tuple[Path, ...], right: tuple[Path, ...]) -> bool:
    return any(a == b or a in b.parents or b in a.parents for a in left for b in right)
