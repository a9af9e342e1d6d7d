"""How often an expert that a token wants is in memory already: the share of its experts that a store answers without reading.

It follows from the share of all experts that memory holds. Used equally, that share itself; used as others have measured it of another
model, far more. What a store has counted here, with this model, counts for more than either: `keep` remembers it and `estimate` uses it.
Several answers written together want some experts twice: `union` says how many different ones there are.
What this module does not do: count (the store does), or know bytes and seconds.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.machine import Basis, Hit, Rate
from engine.measure import Remembered
from engine.shapes import ModelShape

CURVE: Final = ((0.0, 0.0), (0.03, 0.13), (0.06, 0.40), (0.12, 0.62), (0.24, 0.85), (0.48, 0.94), (1.0, 1.0))
"""Share of the experts in memory, share of a token's uses that memory answers: measured by others on Kimi-Linear with a cache that keeps
what is used often. Nobody has published K2's."""

SKEW: Final = (0.0, 0.5, 1.0)
"""Between equal use, 0, and `CURVE`, 1: the worst case, what is expected and the best case where nothing was counted."""

SPREAD: Final = 1.25
"""Another text may miss so many times as often as the one that was counted, or as rarely. Assumed."""

LEAST_USES: Final = 1000
"""Fewer uses than this say too little to be remembered."""


@dataclass(frozen=True)
class Hits:
    """Hit rates, 0 to 1: what is expected, between a worst and a best case, and where they come from."""

    low: float
    expected: float
    high: float
    basis: Basis
    how: str


def estimate(share: float, counted: Sequence[Hit] = ()) -> Hits:
    """The hit rate of a memory that holds this share, 0 to 1, of the experts."""
    if not counted:
        low, expected, high = (between(share, skew) for skew in SKEW)
        return Hits(low, expected, high, "assumed", "nobody has published K2's; equal use to another model's curve")
    missed = 1 - from_counted(share, counted)
    nearest = min(counted, key=lambda hit: abs(hit.share - share))
    how = f"{nearest.how}, {nearest.share:.0%} of the experts in memory"
    return Hits(max(0.0, 1 - missed * SPREAD), 1 - missed, 1 - missed / SPREAD, "measured", how)


def between(share: float, skew: float) -> float:
    """The hit rate between equal use, where `skew` is 0, and `CURVE`, where it is 1."""
    return share + skew * (max(share, curve(share)) - share)


def curve(share: float) -> float:
    """`CURVE` at this share."""
    return _line(share, CURVE)


def from_counted(share: float, counted: Sequence[Hit]) -> float:
    """The hit rate that follows from what was counted at other shares.

    Between two of them, on the line; beyond, by 1 − (1 − share)ᵃ, which is equal use for a = 1, and where `a` is what makes it go through
    the nearest point. More memory never hits less.
    """
    points = sorted({hit.share: hit.rate for hit in counted if 0 < hit.share < 1}.items())
    if not points:
        return share
    rates = itertools.accumulate((rate for _, rate in points), max)
    points = [(place, min(rate, _MOST)) for (place, _), rate in zip(points, rates, strict=True)]
    if share <= points[0][0]:
        return _power(share, *points[0])
    return _power(share, *points[-1]) if share >= points[-1][0] else _line(share, points)


def union(experts: int, used: int, streams: int) -> float:
    """How many different experts of a layer `streams` tokens want together that choose independently: 8, 15.8, 31, 59.5 of 384 for 1, 2, 4
    and 8 tokens. Tokens of one text choose more alike, so this is the worst case."""
    return experts * (1 - (1 - used / experts) ** streams) if experts else 0.0


def recall(known: Remembered, model: ModelShape) -> tuple[Hit, ...]:
    """What was counted of this model here."""
    prefix = _prefix(model)
    rows = ((key.removeprefix(prefix), rate) for key, rate in known.starting(prefix).items())
    return tuple(Hit(int(share) / 1000, rate.value, rate.how) for share, rate in rows if share.isdecimal())


def keep(known: Remembered, model: ModelShape, share: float, hits: int, misses: int, what: str) -> Hit | None:
    """Remember what a store has counted with this share of the model's experts in memory, in a text that `what` names; what came of it, or
    None where that says nothing: too few uses, or all experts in memory."""
    uses = hits + misses
    if uses < LEAST_USES or not hits or not 0 < share < 1:
        return None
    hit = Hit(share, hits / uses, f"{uses:,} uses, {what}")
    known.put({f"{_prefix(model)}{round(share * 1000)}": Rate(hit.rate, "measured", hit.how)})
    return hit


_MOST: Final = 1 - 1e-9


def _prefix(model: ModelShape) -> str:
    return f"hits of {model.name}, {model.routed.bytes} bytes of experts, ‰ "


def _power(share: float, place: float, rate: float) -> float:
    return 1 - (1 - share) ** (math.log1p(-rate) / math.log1p(-place)) if share < 1 else 1.0


def _line(share: float, points: Sequence[tuple[float, float]]) -> float:
    for (left, low), (right, high) in itertools.pairwise(points):
        if share <= right:
            return low + (high - low) * (share - left) / (right - left)
    return points[-1][1]
