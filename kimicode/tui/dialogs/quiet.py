"""When a key may count as an answer: whoever types when a dialog opens does not mean the dialog. Pure; times are seconds of any one clock.

    quiet = begin(now, closed=…, typed=…)
    quiet = quiet.key(now)            # a key that came too early
    quiet.over(now), quiet.until      # may the next one count? if nobody types: when?

`typing_left` is how long to wait before a dialog may open at all. What this module does not do: read a clock, set a timer, know a key.
"""

from typing import Final

import msgspec

QUIET_S: Final = 0.425
"""Silence after which a key is meant for what is on the screen: longer than the pause between keys of somebody who types on, shorter than
the time it takes to see that there is a question and to read it."""

CEILING_S: Final = 1.5
"""After so long on the screen the dialog has been seen, whatever is typed."""

FOLLOW_UP_S: Final = 0.5
"""A question that comes so soon after an answer belongs to the same row: who answers it is looking at it."""

TYPING_S: Final = 1.0
"""Whoever typed within this time is still typing."""


class Quiet(msgspec.Struct, frozen=True):
    """A dialog that opened at `opened` and has absorbed keys up to `latest`. `follows`: it need not be quiet at all."""

    opened: float
    latest: float
    follows: bool = False

    @property
    def until(self) -> float:
        """When keys count, if none comes before."""
        return self.opened if self.follows else min(self.latest + QUIET_S, self.opened + CEILING_S)

    def over(self, now: float) -> bool:
        """True where a key counts."""
        return now >= self.until

    def key(self, now: float) -> "Quiet":
        """A key was absorbed: the silence starts anew."""
        return msgspec.structs.replace(self, latest=max(now, self.latest))


def begin(now: float, closed: float = float("-inf"), typed: float = float("-inf")) -> Quiet:
    """A dialog opens. `closed` is when the one before it was answered, `typed` when the last key came that answered nothing."""
    return Quiet(now, now, follows=now - closed < FOLLOW_UP_S and typed <= closed)


def typing_left(now: float, typed: float) -> float:
    """How much longer nobody may have typed before a dialog may open; nothing or less: it may."""
    return typed + TYPING_S - now
