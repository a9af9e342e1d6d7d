"""How commands say numbers, times and texts: short, plain, on one line.

What this module does not do: make text harmless (whoever shows it does).
"""

from datetime import datetime


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


def money(usd: float | None) -> str:
    """An amount, as exactly as it matters."""
    return "price unknown" if usd is None else f"${usd:.2f}" if usd >= 10 else f"${usd:.4f}"


def duration(seconds: float) -> str:
    """`0.8 s`, `42 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def percent(share: float) -> str:
    """A share of 1."""
    return f"{share:.0%}"


def switched(word: str) -> bool | None:
    """What `on` and `off` mean; None for anything else."""
    return {"on": True, "off": False}.get(word.lower())
