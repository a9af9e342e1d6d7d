"""Which token comes next: temperature, nucleus (`top_p`), `min_p` and a seed over one vector of logits.

Filters see the distribution after the temperature, `min_p` first, as llama.cpp's server orders them. A temperature of 0 is greedy; ties
go to the lowest id. What this module does not do: penalties, grammars, or anything that must remember earlier tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampling:
    """How to choose. `temperature` ≥ 0; `top_p` in (0, 1]; `min_p` in [0, 1), relative to the likeliest token; no `seed`: by chance."""

    temperature: float = 1.0
    top_p: float = 0.95
    min_p: float = 0.0
    seed: int | None = None


class Sampler:
    """One answer's choices. `banned` ids are never chosen: a model's padding rows have scores too, but mean nothing."""

    def __init__(self, sampling: Sampling, banned: Sequence[int] = ()) -> None:
        self._sampling = sampling
        self._random = np.random.default_rng(sampling.seed)
        self._banned = np.asarray(banned, dtype=np.intp)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token's id. `logits` has shape (vocabulary,) and is not changed."""
        scores = logits.astype(np.float64)
        scores[self._banned] = -np.inf
        if self._sampling.temperature <= 0:
            return int(scores.argmax())
        scores -= scores.max()
        ids, weights = nucleus(np.exp(scores / self._sampling.temperature), self._sampling)
        edges = weights.cumsum()
        return int(ids[edges.searchsorted(self._random.random() * edges[-1], side="right").clip(max=len(ids) - 1)])


def nucleus(weights: NDArray[np.float64], sampling: Sampling) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The ids that may be chosen, likeliest first, and their weights (not normalised)."""
    floor = max(sampling.min_p * weights.max(), np.finfo(np.float64).tiny)
    ids = np.flatnonzero(weights >= floor)
    weights = weights[ids]
    # Tokens below (1 - top_p) / n hold less than 1 - top_p together, so none is needed: sorting the rest is cheap.
    likely = weights >= weights.sum() * (1 - sampling.top_p) / len(weights)
    total = weights.sum()
    ids, weights = ids[likely], weights[likely]
    order = np.argsort(-weights, kind="stable")
    ids, weights = ids[order], weights[order]
    needed = int(weights.cumsum().searchsorted(sampling.top_p * total, side="left")) + 1
    return ids[:needed], weights[:needed]
