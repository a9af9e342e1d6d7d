"""Numbers and small texts as a person says them, and the one kind of line that this mode prints.

What this module does not do: know events or write anything.
"""

from typing import Final

import msgspec

from kimicode.text import Untrusted, render_safe

_LONGEST: Final = 2_000
"""Characters of a line that is read out; what is cut is said to be."""


class Line(msgspec.Struct, frozen=True):
    """One line. `role` says who speaks (`Assistant:`) and may be empty; `text` is harmless already and holds no line end."""

    text: str
    role: str = ""

    def plain(self) -> str:
        """As it is printed."""
        return f"{self.role} {self.text}".rstrip() if self.role else self.text.rstrip()


def safe(text: str) -> str:
    """Text from outside, harmless, on as many lines as it had."""
    return render_safe(Untrusted(text))


def flat(text: str, longest: int = _LONGEST) -> str:
    """Text from outside, harmless and on one line, at most so long."""
    line = " ".join(safe(text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def spoken(role: str, text: str) -> tuple[Line, ...]:
    """Text from outside as lines of which the first has the role."""
    first, *rest = safe(text).expandtabs(4).split("\n")
    return (Line(first, role), *map(Line, rest))


def blank(text: str) -> bool:
    """True where there is nothing to say. Separators that hide in a text are something: they are shown."""
    return not text.strip(" \t\r\n")


def heading(title: str) -> Line:
    """A title from outside, as what follows is announced."""
    line = flat(title)
    return Line(line if line.endswith(("?", ":", ".", "!", "…")) else f"{line}:")


def number(count: int) -> str:
    """`4,512`."""
    return f"{count:,}"


def count(many: int, one: str, more: str = "") -> str:
    """`1 file`, `3 files`."""
    return f"{number(many)} {one if many == 1 else more or one + 's'}"


def duration(seconds: float) -> str:
    """`12 seconds`, `3 minutes 5 seconds`, `2 hours 10 minutes`; `less than a second`."""
    whole = int(seconds + 0.5)
    if whole < 1:
        return "less than a second"
    if whole < 60:
        return count(whole, "second")
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return count(minutes, "minute") + (f" {count(rest, 'second')}" if rest else "")
    hours, rest = divmod(whole // 60, 60)
    return count(hours, "hour") + (f" {count(rest, 'minute')}" if rest else "")


def percent(part: float, whole: float) -> str:
    """`12 percent`; `less than 1 percent`."""
    if whole <= 0:
        return "0 percent"
    share = 100 * part / whole
    return "less than 1 percent" if 0 < share < 1 else f"{share:.0f} percent"
