"""Policies against slow caches that do what the policies say."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.native.library import Library
from engine.native.store import Policy, simulate

LAYERS, EXPERTS, USED, TOKENS = 4, 12, 3, 120
HALF = {Policy.LFU: 256, Policy.LFRU: 16}
"""Tokens after which a use counts half."""


def trace(seed: int, tokens: int = TOKENS) -> NDArray[np.int32]:
    """Tokens that go through all layers and use some experts more than others, some of them for a while."""
    random = np.random.default_rng(seed)
    liking = random.normal(size=(LAYERS, EXPERTS))
    steps = []
    for token in range(tokens):
        if token % 40 == 0:
            liking = random.normal(size=(LAYERS, EXPERTS))
        scores = liking + random.normal(size=liking.shape)
        steps += [layer * EXPERTS + np.argsort(-row)[:USED] for layer, row in enumerate(scores)]
    return np.array(steps, np.int32)


def slow(steps: NDArray[np.int32], places: int, worth: Callable[[list[int], int], float]) -> int:
    """Hits of a cache that drops the expert of the least `worth`, which is told at which steps it was used, and the step now."""
    there: set[int] = set()
    uses: dict[int, list[int]] = {}
    hits = 0
    for now, step in enumerate(steps.tolist()):
        hits += len(there & set(step))
        for expert in step:
            uses.setdefault(expert, []).append(now)
        for expert in [wanted for wanted in step if wanted not in there]:
            if len(there) == places:
                there.remove(min(there - set(step), key=lambda other: (worth(uses[other], now), other)))
            there.add(expert)
    return hits


def lately(uses: list[int], _: int) -> float:
    return uses[-1]


def often(half: int) -> Callable[[list[int], int], float]:
    return lambda uses, now: sum(2.0 ** ((use // LAYERS - now // LAYERS) / half) for use in uses)


@pytest.mark.parametrize("places", [USED, 7, 12, 20, 30])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("policy", Policy)
def test_it_drops_what_it_says(policy: Policy, seed: int, places: int, library: Library) -> None:
    steps = trace(seed)
    worth = lately if policy is Policy.LRU else often(HALF[policy])
    assert simulate(policy, LAYERS * EXPERTS, places, steps) == slow(steps, places, worth)


@pytest.mark.parametrize("policy", Policy)
def test_a_layer_in_several_computations_is_the_same_as_in_one(policy: Policy, library: Library) -> None:
    steps, places = trace(1), LAYERS * USED + USED
    missed = steps.size - simulate(policy, LAYERS * EXPERTS, places, steps)
    # The gate, the up and the down projection, each by itself: the second and third time all are there.
    assert 3 * steps.size - simulate(policy, LAYERS * EXPERTS, places, np.repeat(steps, 3, axis=0)) == missed


@pytest.mark.parametrize("policy", Policy)
def test_with_room_for_all_each_expert_is_missed_once(policy: Policy, library: Library) -> None:
    steps = trace(1)
    assert simulate(policy, LAYERS * EXPERTS, LAYERS * EXPERTS, steps) == steps.size - len(np.unique(steps))


def test_with_less_than_a_token_needs_lru_finds_nothing_and_lfru_does(library: Library) -> None:
    # What a token used first is gone when the next one wants it.
    steps, places = trace(1), LAYERS * USED - USED
    assert simulate(Policy.LRU, LAYERS * EXPERTS, places, steps) == 0
    assert simulate(Policy.LFRU, LAYERS * EXPERTS, places, steps) > 0.1 * steps.size


def test_lfru_follows_a_working_set_that_changes(library: Library) -> None:
    steps = trace(1, tokens=10 * TOKENS)
    found = {policy: simulate(policy, LAYERS * EXPERTS, LAYERS * USED + USED, steps) / steps.size for policy in Policy}
    assert found[Policy.LFRU] > found[Policy.LFU] + 0.05
    assert found[Policy.LFRU] > found[Policy.LRU] + 0.02


@pytest.mark.parametrize("policy", Policy)
def test_fewer_places_than_a_computation_uses_are_enough(policy: Policy, library: Library) -> None:
    assert simulate(policy, LAYERS * EXPERTS, 1, trace(2)) < USED * LAYERS * TOKENS
