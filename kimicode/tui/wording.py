"""States in few characters, for panels and status lines. Pure; numbers are `kimicode.interactive.wording`'s.

What this module does not do: style or place anything.
"""

from typing import assert_never

from kimicode.events import EngineProgress
from kimicode.interactive.view.status import Phase, Status
from kimicode.interactive.wording import count, duration, percent, size


def phase(status: Status) -> str:
    """What is going on, in a word or three; empty while nothing is."""
    if status.progress is not None:
        return _progress(status.progress)
    return _phase(status.phase, status)


def _phase(now: Phase, status: Status) -> str:
    match now:
        case "idle":
            return ""
        case "waiting":
            return "Waiting for the model"
        case "thinking":
            return "Thinking"
        case "answering":
            return "Answering"
        case "working":
            names = ", ".join(dict.fromkeys(name for _, name in status.calls))
            return f"Running {names}" if names else "Working"
        case "asking":
            return "Waiting for you"
        case "stopping":
            return "Stopping"
        case _:
            assert_never(now)


def _progress(progress: EngineProgress) -> str:
    what = {"load": "Loading the model", "prefill": "Reading the prompt"}[progress.what]
    parts = [what]
    if progress.total:
        shown = size if progress.what == "load" else count
        parts.append(f"{percent(progress.done / progress.total)} of {shown(progress.total)}{'' if progress.what == 'load' else ' tokens'}")
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    return " · ".join(parts)


def fill(status: Status) -> str:
    """How full the context is: `12.3k of 262k (5 %)`."""
    if not status.context:
        return count(status.context_used) if status.context_used else "empty"
    return f"{count(status.context_used)} of {count(status.context)} ({percent(status.context_used / status.context)})"


def lines(added: int | None, removed: int | None) -> str:
    """`+3 -1`; empty where it is not known."""
    return "" if added is None or removed is None else f"+{added} -{removed}"


def where(status: Status) -> str:
    """Where the model runs, for people."""
    return "in the box" if status.endpoint == "embedded" else status.endpoint
