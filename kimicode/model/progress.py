"""How far something long is, and how long it will still take: numbers in, `EngineProgress` out, few and never jumping.

    Rate     what was seen so far, as a value; each look makes the next one. Pure.
    Meter    a rate with a clock, that tells somebody at most four times a second and always says when it is over

There is no estimate before a second has passed and two hundredths of the work were seen to be done: what comes first (a cold disk, a short
batch) says little. What was done at the first look costs no time and does not count. What this module does not do: ask the engine.
"""

import time
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.events import EngineProgress

OnProgress: TypeAlias = Callable[[EngineProgress], None]

_SURE_SECONDS: Final = 1.0
_SURE_SHARE: Final = 0.02
_LEAST_GAP_SECONDS: Final = 0.25
_BELIEF: Final = 0.3
"""How far an estimate moves towards what the latest look says, beyond the time that has passed."""


class Rate(msgspec.Struct, frozen=True):
    """What was seen until `at` (seconds of any clock): `done` of `total` units, `first` of which were there at `begun`.

    `seconds_left` is None while there is no estimate.
    """

    begun: float
    first: int
    at: float
    done: int
    total: int
    seconds_left: float | None = None


def first_look(now: float, done: int, total: int) -> Rate:
    """The rate before anything was seen to happen."""
    return Rate(now, done, now, done, total)


def look(before: Rate, now: float, done: int, total: int) -> Rate:
    """The rate after one more look. Where less is done than before, or there is another total, it begins anew."""
    if total != before.total or done < before.done:
        return first_look(now, done, total)
    passed, gained = now - before.begun, done - before.first
    if passed < _SURE_SECONDS or gained < _SURE_SHARE * (total - before.first) or gained <= 0:
        return msgspec.structs.replace(before, at=now, done=done)
    seconds = (total - done) * passed / gained
    if before.seconds_left is not None and done < total:
        expected = max(before.seconds_left - (now - before.at), 0.0)
        seconds = expected + _BELIEF * (seconds - expected)
    return msgspec.structs.replace(before, at=now, done=done, seconds_left=seconds)


def nobody(_progress: EngineProgress) -> None:
    """An `OnProgress` for those who do not watch."""


class Meter:
    """Tells `on_progress` about one thing after another of a kind. Not thread-safe."""

    def __init__(
        self, what: Literal["load", "prefill"], on_progress: OnProgress = nobody, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._what: Literal["load", "prefill"] = what
        self._on_progress = on_progress
        self._clock = clock
        self._rate: Rate | None = None
        self._told: float | None = None

    def see(self, done: int, total: int) -> None:
        """`done` of `total` units are done. Nothing is told where the total is not known, and not the end: that is `end`'s."""
        if total <= 0:
            return
        now, done = self._clock(), min(max(done, 0), total)
        self._rate = first_look(now, done, total) if self._rate is None else look(self._rate, now, done, total)
        if done < total and (self._told is None or now - self._told >= _LEAST_GAP_SECONDS):
            self._told = now
            self._on_progress(EngineProgress(self._what, done, total, self._rate.seconds_left))

    def end(self) -> None:
        """It is over, well or not; whoever was told that it began is told. The next `see` begins anew."""
        rate, told = self._rate, self._told
        self._rate = self._told = None
        if rate is not None and told is not None:
            self._on_progress(EngineProgress(self._what, rate.total, rate.total, 0.0))
