"""Numbers and states in few characters, for panels and status lines. Pure.

What this module does not do: style or place anything.
"""

from typing import Final, assert_never

from kimicode.events import EngineProgress
from kimicode.interactive.view.status import Phase, Status

_UNITS: Final = ((1_000_000, "M"), (1_000, "k"))


def count(number: float) -> str:
    """`950`, `12.3k`, `262k`, `1.2M`."""
    for size, unit in _UNITS:
        if number >= size * 0.9995:
            value = number / size
            return f"{value:.0f}{unit}" if value >= 99.95 else f"{value:.1f}{unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """`4 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def money(usd: float | None) -> str:
    """`$0.0123`, `$1.20`; empty where it is not known."""
    if usd is None:
        return ""
    return f"${usd:.4f}" if usd < 0.1 else f"${usd:.2f}"


def percent(share: float) -> str:
    """`12 %`; what is not nothing is not shown as nothing."""
    return "<1 %" if 0 < share < 0.01 else f"{share * 100:.0f} %"


def size(number: float) -> str:
    """Bytes: `512 B`, `14 MB`, `571 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.0f} {unit}" if number >= 10 or unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


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


def shortened(path: str, width: int) -> str:
    """The end of a path, which says most, in so many characters."""
    return path if len(path) <= width else "…" + path[len(path) - width + 1 :] if width > 1 else path[:width]
