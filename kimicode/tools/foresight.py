"""What a call would change, before anybody has allowed it: the tool's own code, with hands that only look.

Nothing is written, locked or remembered for that. What this module does not do: decide what may be looked at (`gate` gives the policy).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from kimicode.messages import JsonObject
from kimicode.sandbox.approval import FileText
from kimicode.sandbox.policy import Policy
from kimicode.tools.base import Foresees, Tool, ToolContext
from kimicode.tools.hands import Hands, Plan, Planned, States, Step

MOST_CHARS: Final = 1_000_000
"""A text that is longer before or after is not shown: nobody reads it, and everybody would wait for it."""


def file_text(path: str, before: str | None, after: str | None, *notes: str) -> FileText:
    """A change for a person, without its texts where they are too large."""
    if max(len(before or ""), len(after or "")) <= MOST_CHARS:
        return FileText(path, before, after, "; ".join(notes))
    what = "new" if before is None else "deleted" if after is None else "changed"
    large = f"{what}, too large to be shown: {_size(before)} before, {_size(after)} after"
    return FileText(path, None, None, "; ".join((large, *notes)))


class Foresight:
    """One call, looked at. `promised` is what it would do to files, once that was asked for."""

    def __init__(self, tool: Tool, args: JsonObject, context: ToolContext, hands: Callable[[Policy], Hands]) -> None:
        self.promised: States | None = None
        self._tool = tool
        self._args = args
        self._context = context
        self._hands = hands

    async def look(self, policy: Policy) -> tuple[FileText, ...]:
        """The whole change under `policy`. Raises what the call itself would raise, with nothing done."""
        context = msgspec.structs.replace(self._context, policy=policy, hands=self._hands(policy))
        if isinstance(self._tool, Foresees):
            foreseen = await self._tool.foresee(self._args, context)
            self.promised = foreseen.states
            return foreseen.files
        try:
            await self._tool.run(self._args, context)
        except Planned as planned:
            self.promised = planned.plan.states
            return file_texts(planned.plan, context.workspace.resolve())
        return ()


def file_texts(plan: Plan, root: Path) -> tuple[FileText, ...]:
    """The change as texts. A file that moves is one of them, under its new name. Paths are relative where they are below `root`."""
    moved = {step.source for step in plan.steps if step.source is not None and plan.texts[step.name] is None}
    return tuple(_text(step, plan, root) for step in plan.steps if step.name not in moved)


def _text(step: Step, plan: Plan, root: Path) -> FileText:
    path = step.place.path
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    before, notes = plan.texts[step.name], [step.note] * bool(step.note)
    if step.source is not None:
        notes.append(f"moved from {step.source}")
        before = plan.texts[step.source] if before is None else before
    return file_text(name, before, step.text, *notes)


def _size(text: str | None) -> str:
    return "nothing" if text is None else f"{len(text):,} characters"
