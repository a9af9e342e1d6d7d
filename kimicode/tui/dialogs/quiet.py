"""When a key may count as an answer: whoever types when a dialog opens does not mean the dialog. Pure; times are seconds of any one clock.

    quiet = begin(now)
    quiet = quiet.key(now)            # a key that came too early
    quiet.over(now), quiet.until      # may the next one count? if nobody types: when?

`typing_left` is how long to wait before a dialog may open at all. What this module does not do: read a clock, set a timer, know a key.
"""

from typing import Final

import msgspec

QUIET_S: Final = 0.425
"""Silence after which a key is meant for what is on the screen: longer than the pause between keys of somebody who types on, shorter than
the time it takes to see that there is a question and to read it."""

TYPING_S: Final = 1.0
"""Whoever typed within this time is still typing."""


class Quiet(msgspec.Struct, frozen=True):
    """A dialog that opened at `latest`, or absorbed a key then. There is no end to it but silence: a key that is held down repeats."""

    latest: float

    @property
    def until(self) -> float:
        """When keys count, if none comes before."""
        return self.latest + QUIET_S

    def over(self, now: float) -> bool:
        """True where a key counts."""
        return now >= self.until

    def key(self, now: float) -> "Quiet":
        """A key was absorbed: the silence starts anew."""
        return msgspec.structs.replace(self, latest=max(now, self.latest))


def begin(now: float) -> Quiet:
    """A dialog opens."""
    return Quiet(now)


def typing_left(now: float, typed: float) -> float:
    """How much longer nobody may have typed before a dialog may open; nothing or less: it may."""
    return typed + TYPING_S - now
