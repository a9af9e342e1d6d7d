"""Which experts a token uses: biases for a router whose choices a cache finds as often as in published models, and what they lead to.

The published curve is Kimi-Linear's, as the WASTE project measured it: the share of uses that a cache finds, by the share of experts that
it holds. A router of random weights has logits that are normal with a standard deviation of 1, chooses the greatest sums of their logistic
function and a bias, and so each expert's bias follows from how often it shall be used. With fewest experts in memory the published curve
(3 %: 13 %) is below what frequency alone gives, because there a token's own experts fill the cache: that point isn't aimed at.
What this module does not do: know files, or caches that forget.
"""

import math
from collections.abc import Sequence
from enum import Enum
from statistics import NormalDist
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

PUBLISHED: Final = ((0.03, 0.13), (0.06, 0.40), (0.12, 0.62), (0.24, 0.85), (0.48, 0.94))
"""The share of experts in memory, and the share of uses that are found there."""

_AIMED_AT: Final = ((0.0, 0.0), *PUBLISHED[1:], (1.0, 1.0))
_STEEPEST: Final = 0.9
"""No expert is used by more than this share of tokens."""

_FINE, _TRIES = 10_000, 30

Floats = NDArray[np.float32]


class Routing(Enum):
    """How uses are spread over experts."""

    UNIFORM = "uniform"
    """All are used alike."""

    SKEWED = "skewed"
    """As often as `PUBLISHED` says."""


def biases(routing: Routing, experts: int, used: int, seed: int) -> Floats:
    """What is added to an expert's score, shape (experts,), in an order of its own for each `seed`."""
    match routing:
        case Routing.UNIFORM:
            return np.zeros(experts, np.float32)
        case Routing.SKEWED:
            ordered = [-_logistic(NormalDist().inv_cdf(1 - often)) for often in frequencies(experts, used)]
            return np.random.default_rng(seed).permutation(np.array(ordered, np.float32))
        case _:
            assert_never(routing)


def frequencies(experts: int, used: int) -> list[float]:
    """By what share of tokens each expert is used, the most used first, so that the first ones' part is the published curve's. Between the
    middles of its pieces the logarithm of the share changes evenly; how high it is there is found by trying."""
    ends, wanted = (np.array(values) for values in zip(*_AIMED_AT, strict=True))
    fine = (np.arange(_FINE) + 0.5) / _FINE
    piece = np.searchsorted(ends, fine) - 1
    middles, heights = (ends[1:] + ends[:-1]) / 2, np.log(np.diff(wanted) / np.diff(ends))
    for _ in range(_TRIES):
        shares = np.exp(np.interp(fine, middles, heights))
        heights += np.log(np.diff(wanted)) - np.log(np.bincount(piece, shares) / shares.sum())
    often = np.exp(np.interp((np.arange(experts) + 0.5) / experts, middles, heights))
    return [min(_STEEPEST, float(share)) for share in often / often.sum() * used]


def curve(routing: Routing, experts: int, used: int, tokens: int = 4000) -> list[tuple[float, float]]:
    """What the best choice of experts to hold finds of a simulated router's uses, at the published curve's shares."""
    rng = np.random.default_rng(1)
    scores = 1 / (1 + np.exp(-rng.standard_normal((tokens, experts), np.float32))) + biases(routing, experts, used, 0)
    chosen = np.argpartition(-scores, used, axis=1)[:, :used]
    return found(np.bincount(chosen.ravel(), minlength=experts))


def found(uses: NDArray[np.int64]) -> list[tuple[float, float]]:
    """The same for how often each expert was used."""
    ordered = np.sort(uses)[::-1]
    return [(share, float(ordered[: round(share * len(uses))].sum() / uses.sum())) for share, _ in PUBLISHED]


def text(points: Sequence[tuple[float, float]]) -> str:
    """A curve as a line of text."""
    return ", ".join(f"{share:.0%}: {hits:.0%}" for share, hits in points)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))
