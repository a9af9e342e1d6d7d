"""The one way in which anything happens in a run: an event enters the context and is emitted.

Memory first: where the log refuses an event (disk full), the conversation in memory still has it, and the run can end in good
order. What could not be emitted is kept and comes first when the next run begins, so the log never has a gap. What this module does
not do: write the log (the `emit` it is given does, before it shows an event to anyone).
"""

from collections.abc import Callable
from typing import TypeAlias

from kimicode.agent.context import Context
from kimicode.errors import SessionError
from kimicode.events import Event

Emit: TypeAlias = Callable[[Event], None]
"""Writes an event to the session log and then shows it. Raises `SessionError` where it can't be written."""


class Recorder:
    """Records events, in order, in a context and outside."""

    def __init__(self, context: Context, emit: Emit) -> None:
        self.context = context
        self._emit = emit
        self._kept: list[Event] = []

    def record(self, event: Event) -> None:
        """Add `event` to the context and emit it. Raises `SessionError` the first time that emitting fails."""
        self.context.grow(event)
        if self._kept:
            self._kept.append(event)
            return
        try:
            self._emit(event)
        except SessionError:
            self._kept.append(event)
            raise

    def catch_up(self) -> None:
        """Emit what could not be emitted before. Raises `SessionError` where that is still impossible."""
        while self._kept:
            self._emit(self._kept[0])
            del self._kept[0]
