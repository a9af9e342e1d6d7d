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
        """The next token's id. `logits` has shape (vocabulary,); the banned ones are set to minus infinity in it."""
        logits[self._banned] = -np.inf
        if self._sampling.temperature <= 0:
            return int(logits.argmax())
        # A temperature near 0 would overflow single precision; the maximum becomes 0 first, so only ever towards minus infinity.
        scores = (logits - logits.max()) * np.float32(1 / max(self._sampling.temperature, 1e-6))
        ids, weights = nucleus(np.exp(scores), self._sampling)
        edges = weights.cumsum(dtype=np.float64)
        return int(ids[edges.searchsorted(self._random.random() * edges[-1], side="right").clip(max=len(ids) - 1)])


def nucleus(weights: NDArray[np.floating], sampling: Sampling) -> tuple[NDArray[np.intp], NDArray[np.floating]]:
    """The ids that may be chosen, in ascending order, and their weights (not normalised): of equal ones the lowest ids."""
    floor = max(sampling.min_p * float(weights.max()), float(np.finfo(weights.dtype).tiny))
    ids = np.flatnonzero(weights >= floor)
    kept = weights[ids]
    total = float(kept.sum(dtype=np.float64))
    # Tokens below (1 - top_p) / n hold less than 1 - top_p together, so none is needed: sorting the rest is cheap.
    likely = kept >= total * (1 - sampling.top_p) / len(kept)
    ids, kept = ids[likely], kept[likely]
    # Values are sorted several times as fast as their places.
    falling = np.sort(kept)[::-1]
    needed = int(falling.cumsum(dtype=np.float64).searchsorted(sampling.top_p * total, side="left")) + 1
    last = falling[min(needed, len(falling)) - 1]
    chosen = kept > last
    chosen[np.flatnonzero(kept == last)[: needed - int(chosen.sum())]] = True
    return ids[chosen], kept[chosen]
