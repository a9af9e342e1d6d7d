"""Long text → its beginning and its end, with how much is left out between. Costs what is shown, not what there is.

What this module does not do: wrap or style.
"""

from typing import Final

import msgspec

MOST_LINES: Final = 5_000
"""What a block shows at most, however far it is unfolded."""

_MOST_CHARS: Final = 4_000_000


class Folded(msgspec.Struct, frozen=True):
    """`hidden` lines are left out between the texts `head` and `tail`; where that is 0, `head` is everything."""

    head: str
    tail: str = ""
    hidden: int = 0


def folded(text: str, head: int, tail: int) -> Folded:
    """At most `head` lines from the beginning and `tail` from the end. One line more is shown rather than counted."""
    body = text[:-1] if text.endswith("\n") else text
    total = body.count("\n") + 1
    if total <= head + tail + 1:
        return Folded(body)
    first, last = 0, len(body)
    for _ in range(head):
        first = body.index("\n", first) + 1
    for _ in range(tail):
        last = body.rindex("\n", 0, last)
    return Folded(body[: max(0, first - 1)], body[last + 1 :] if tail else "", total - head - tail)


def lines_in(text: str) -> int:
    """How many lines the text has; a line end at its end begins none."""
    return text.count("\n") + (0 if text.endswith("\n") or not text else 1)


def unfolded(text: str) -> Folded:
    """All of it, as far as somebody can read it."""
    return folded(text, MOST_LINES // 2, MOST_LINES // 2)
