"""What must be heard although nobody asked: a question that waits, a run that ended, a change of the queue, of the model, of what is
allowed. And the bell.

What this module does not do: print.
"""

from collections.abc import Callable
from typing import Final

from kimicode.events import EngineProgress
from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Waiting
from kimicode.interactive.watcher import Attention
from kimicode.line.words import Line, count, duration, flat
from kimicode.settings import UiSettings

_EVERY_S: Final = 5.0
_EVERY_SHARE: Final = 0.1


def status_lines(before: Status, after: Status) -> tuple[Line, ...]:
    """What changed that a listener has to know. Nothing where there was no session before."""
    if not before.session_id or before.session_id != after.session_id:
        return ()
    lines: list[Line] = []
    if (before.model, before.endpoint) != (after.model, after.endpoint):
        lines.append(Line(f"the model is {flat(after.model)} at {flat(after.endpoint)} now.", "Notice:"))
    if before.permission != after.permission:
        lines.append(Line(f"permission is {flat(after.permission)} now.", "Notice:"))
    if before.sandbox != after.sandbox:
        lines.append(Line(f"commands are held by {flat(after.sandbox) or 'nothing'} now.", "Notice:"))
    if before.title != after.title and after.title:
        lines.append(Line(f"the session is named {flat(after.title)}.", "Notice:"))
    return tuple(lines)


def queue_words(waiting: Waiting) -> str:
    """How many prompts wait, and whether they are held."""
    if not waiting.prompts:
        return "Nothing waits."
    held = " They are held; /queue sends, changes or drops them." if waiting.paused else ""
    return f"{count(len(waiting.prompts), 'prompt')} waiting.{held}"


def queued_line(waiting: Waiting) -> Line:
    """What is said when a prompt was put behind others."""
    return Line(f"{len(waiting.prompts)} waiting.", "Queued:")


def held_line(waiting: Waiting) -> Line | None:
    """What is said when a run was interrupted and prompts wait."""
    return Line(queue_words(waiting), "Notice:") if waiting.paused and waiting.prompts else None


def rings(ui: UiSettings, why: Attention, *, terminal: bool) -> bool:
    """Whether the bell is rung. Somebody at a line knows no focus, so `auto` rings for what waits for them only."""
    match ui.notify:
        case "bell" | "desktop":
            return terminal
        case "auto":
            return terminal and why == "asked"
        case _:
            return False


class Progress:
    """How far the engine is, in words, seldom enough to listen to. `clock` is in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._what = ""
        self._last = 0.0
        self._share = 0.0

    def line(self, event: EngineProgress | None) -> Line | None:
        """The line for the present state; None where nothing needs to be said."""
        if event is None:
            self._what = ""
            return None
        now = self._clock()
        share = event.done / event.total if event.total else 0.0
        if event.what != self._what:
            self._what, self._last, self._share = event.what, now, share
        elif now - self._last < _EVERY_S or (event.total and share - self._share < _EVERY_SHARE):
            return None
        self._last, self._share = now, share
        doing = "loading the model" if event.what == "load" else "reading the prompt"
        far = f", {100 * share:.0f} percent" if event.total else ""
        left = "" if event.seconds_left is None else f", about {duration(event.seconds_left)} left"
        return Line(f"{doing}{far}{left}.", "Progress:")
