"""How commands and the full-screen UI say numbers, times and texts: short, plain, on one line.

What this module does not do: make text harmless (whoever shows it does).
"""

from datetime import datetime
from typing import Final

_UNITS: Final = ((1_000_000, "M"), (1_000, "k"))


def one_line(text: str, most: int = 70) -> str:
    """The text on one line, at most `most` characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def time_of(at: str) -> str:
    """A time of a log in the user's own zone, to the minute; empty where it is none."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return ""


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


def switched(word: str) -> bool | None:
    """What `on` and `off` mean; None for anything else."""
    return {"on": True, "off": False}.get(word.lower())
