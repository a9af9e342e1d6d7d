"""The choice of the next token against its definition."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sampling import Sampler, Sampling, nucleus

WEIGHTS = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=60).map(np.array)


def test_temperature_zero_takes_the_best_and_the_lowest_id_of_equals() -> None:
    sampler = Sampler(Sampling(temperature=0))
    assert sampler.choose(np.array([0, 3, 1, 3], np.float32)) == 1


def test_banned_tokens_are_never_chosen() -> None:
    logits = np.array([0, 9, 1], np.float32)
    assert Sampler(Sampling(temperature=0), banned=[1]).choose(logits) == 2
    chosen = {Sampler(Sampling(top_p=1, seed=seed), banned=[1]).choose(logits) for seed in range(50)}
    assert chosen == {0, 2}


def test_a_seed_repeats_its_choices_and_others_differ() -> None:
    logits = np.zeros(1000, np.float32)

    def run(seed: int) -> list[int]:
        sampler = Sampler(Sampling(top_p=1, seed=seed))
        return [sampler.choose(logits) for _ in range(8)]

    assert run(1) == run(1) != run(2)


def test_frequencies_follow_the_temperature() -> None:
    logits = np.log(np.array([0.1, 0.6, 0.3], np.float32))
    for temperature in (0.5, 1.0, 2.0):
        sampler = Sampler(Sampling(temperature=temperature, top_p=1, seed=7))
        counts = np.bincount([sampler.choose(logits) for _ in range(4000)], minlength=3) / 4000
        wanted = np.array([0.1, 0.6, 0.3]) ** (1 / temperature)
        np.testing.assert_allclose(counts, wanted / wanted.sum(), atol=0.03)


@given(WEIGHTS, st.floats(0.01, 1.0))
@settings(deadline=None)
def test_the_nucleus_is_the_smallest_set_of_likeliest_tokens_that_reaches_top_p(weights: np.ndarray, top_p: float) -> None:
    ids, kept = nucleus(weights, Sampling(top_p=top_p))
    total = weights.sum()
    assert list(ids) == sorted(ids)
    assert kept.sum() >= top_p * total * (1 - 1e-9)
    assert kept.sum() - kept.min() < top_p * total * (1 + 1e-9)
    others = np.delete(weights, ids)
    assert not len(others) or others.max() <= kept.min()


@given(WEIGHTS, st.floats(0.0, 0.99))
@settings(deadline=None)
def test_min_p_is_relative_to_the_likeliest(weights: np.ndarray, min_p: float) -> None:
    ids, _ = nucleus(weights, Sampling(top_p=1.0, min_p=min_p))
    assert set(ids) == set(np.flatnonzero(weights >= min_p * weights.max()))
