"""How much two sets of scores for the same positions differ, and whether that can be told from chance.

What this module does not do: run a model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

RESAMPLES: Final = 4000
"""Of the bootstrap: enough for the second digit of an interval's width."""


@dataclass(frozen=True)
class Scores:
    """Raw scores and their log-probabilities, shape (rows, vocabulary)."""

    raw: NDArray[np.float32]
    logs: Values

    @classmethod
    def of(cls, raw: NDArray[np.float32]) -> "Scores":
        """Log-probabilities in double precision."""
        high = raw.astype(np.float64)
        high -= high.max(1, keepdims=True)
        return cls(raw, high - np.log(np.exp(high).sum(1, keepdims=True)))

    @cached_property
    def probabilities(self) -> Values:
        """Shape (rows, vocabulary)."""
        return np.exp(self.logs)

    @cached_property
    def best(self) -> NDArray[np.intp]:
        """Each row's likeliest token."""
        return np.asarray(self.raw.argmax(1))

    def first(self, count: int) -> "Scores":
        """The first `count` rows."""
        return Scores(self.raw[:count], self.logs[:count])

    def losses(self, targets: Sequence[int]) -> Values:
        """Minus the log-probability of each row's target; rows without one are left out. Nats, shape (targets,)."""
        return -self.logs[np.arange(len(targets)), targets]


@dataclass(frozen=True)
class Rows:
    """Two models row by row. `same`: the likeliest token is the same; `kl`: the divergence of the second from the first, nats; `relative`:
    the distance of the scores over the first ones' length; `largest`: of the scores' differences; `lead`: by how much probability the
    first model's likeliest token leads the second's likeliest."""

    same: NDArray[np.bool_]
    kl: Values
    relative: Values
    largest: Values
    lead: Values

    @classmethod
    def of(cls, first: Scores, second: Scores) -> "Rows":
        """Compare each row."""
        apart, each = first.raw - second.raw, np.arange(len(first.raw))
        lengths = [np.sqrt(np.einsum("ij,ij->i", values, values, dtype=np.float64)) for values in (apart, first.raw)]
        return cls(
            first.best == second.best,
            np.einsum("ij,ij->i", first.probabilities, first.logs - second.logs),
            lengths[0] / lengths[1],
            np.abs(apart).max(1).astype(np.float64),
            first.probabilities[each, first.best] - first.probabilities[each, second.best],
        )

    @classmethod
    def all(cls, parts: Sequence["Rows"]) -> "Rows":
        """The parts one after the other."""
        return cls(
            np.concatenate([part.same for part in parts]),
            np.concatenate([part.kl for part in parts]),
            np.concatenate([part.relative for part in parts]),
            np.concatenate([part.largest for part in parts]),
            np.concatenate([part.lead for part in parts]),
        )

    def first(self, count: int) -> "Rows":
        """The first `count` rows."""
        return Rows(self.same[:count], self.kl[:count], self.relative[:count], self.largest[:count], self.lead[:count])

    def text(self) -> str:
        """The columns of `HEADINGS`."""
        lead = self.lead.max()
        figures = (
            f"{self.kl.mean():9.1e}{self.kl.max():9.1e}{np.median(self.relative):9.1e}{self.relative.max():9.1e}{self.largest.max():8.2f}"
        )
        return f"{len(self.same):8}{100 * self.same.mean():9.3f}{figures}{lead:7.3f}"


HEADINGS: Final = f"{'rows':>8}{'same, %':>9}{'KL mean':>9}{'KL max':>9}{'rel med.':>9}{'rel max':>9}{'largest':>8}{'lead':>7}"
"""Over the columns of `Rows.text`. Lead: the largest of any row whose likeliest token is another."""


@dataclass(frozen=True)
class Ratio:
    """The second perplexity over the first, and where 95 of 100 repetitions with other texts would find it."""

    value: float
    low: float
    high: float

    def within(self, share: float) -> bool:
        """Whether all of the interval is within `share` of 1."""
        return 1 - share <= self.low and self.high <= 1 + share

    def text(self) -> str:
        """With its interval."""
        return f"{self.value:.5f} [{self.low:.5f}, {self.high:.5f}]"


def ratio(first: Sequence[Values], second: Sequence[Values]) -> Ratio:
    """Of perplexities over texts, from the losses of each text's tokens. Bootstrap over whole texts: tokens of one depend on each other."""
    counts = np.array([len(losses) for losses in first])
    more = np.array([(after - before).sum() for before, after in zip(first, second, strict=True)])
    drawn = np.random.default_rng(7).integers(0, len(counts), (RESAMPLES, len(counts)))
    low, high = np.quantile(np.exp(more[drawn].sum(1) / counts[drawn].sum(1)), (0.025, 0.975))
    return Ratio(float(np.exp(more.sum() / counts.sum())), float(low), float(high))


def perplexity(losses: Sequence[Values]) -> float:
    """e to the mean loss."""
    return float(np.exp(np.concatenate(losses).mean()))


def no_worse(measured: Rows, yardstick: Rows) -> bool:
    """Whether neither the divergence nor the share of other likeliest tokens is above the yardstick's, by more than chance explains: two
    standard errors of the difference."""
    pairs = ((measured.kl, yardstick.kl), (1.0 - measured.same, 1.0 - yardstick.same))
    return all(bool(a.mean() - b.mean() <= 2 * np.sqrt(a.var() / len(a) + b.var() / len(b))) for a, b in pairs)
