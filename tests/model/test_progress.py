"""Progress as it is told: how often, how it ends, and what is said about the time that is left."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.events import EngineProgress
from kimicode.model.progress import Meter, Rate, first_look, look


def looks(*seen: tuple[float, int], total: int = 1000) -> Rate:
    (now, done), *rest = seen
    rate = first_look(now, done, total)
    for now, done in rest:
        rate = look(rate, now, done, total)
    return rate


def test_a_steady_rate_is_told_exactly() -> None:
    assert looks((0.0, 0), (1.0, 100), (2.0, 200)).seconds_left == pytest.approx(8.0)


def test_what_was_there_at_first_took_no_time() -> None:
    assert looks((5.0, 800), (6.0, 900)).seconds_left == pytest.approx(1.0)


@pytest.mark.parametrize("seen", [((0.0, 0), (0.9, 500)), ((0.0, 0), (9.0, 19)), ((0.0, 0), (9.0, 0)), ((0.0, 0),)])
def test_too_little_seen_is_no_estimate(seen: tuple[tuple[float, int], ...]) -> None:
    assert looks(*seen).seconds_left is None


def test_a_burst_moves_an_estimate_only_in_part() -> None:
    before = looks((0.0, 0), (2.0, 100))
    assert before.seconds_left == pytest.approx(18.0)
    after = look(before, 2.5, 600, 1000)
    raw = 400 * 2.5 / 600
    assert after.seconds_left is not None
    assert raw < after.seconds_left < 17.5


def test_another_total_or_less_done_begins_anew() -> None:
    before = looks((0.0, 0), (2.0, 100))
    assert look(before, 3.0, 50, 1000) == first_look(3.0, 50, 1000)
    assert look(before, 3.0, 150, 2000) == first_look(3.0, 150, 2000)


@given(st.lists(st.tuples(st.floats(0.001, 50), st.integers(0, 300)), max_size=30))
def test_an_estimate_is_never_negative_and_never_falls_faster_than_it_should(steps: list[tuple[float, int]]) -> None:
    now, done = 0.0, 0
    rate = first_look(now, done, 1000)
    for passed, gained in steps:
        before = rate
        now, done = now + passed, min(done + gained, 1000)
        rate = look(before, now, done, 1000)
        if rate.seconds_left is not None:
            assert rate.seconds_left >= 0
            if before.seconds_left is not None and done < 1000:
                assert rate.seconds_left >= 0.7 * max(before.seconds_left - passed, 0) - 1e-6
    assert done < 1000 or not rate.seconds_left


def metered(seen: Iterable[tuple[float, int, int]]) -> list[EngineProgress]:
    told: list[EngineProgress] = []
    now = 0.0
    meter = Meter("load", told.append, clock=lambda: now)
    for now, done, total in seen:  # noqa: B007  the clock reads it
        meter.see(done, total)
    meter.end()
    return told


def test_it_tells_four_times_a_second_at_most_and_the_end_always() -> None:
    told = metered((n / 100, n, 1000) for n in range(300))
    assert 8 <= len(told) <= 14
    assert told[0] == EngineProgress("load", 0, 1000)
    assert told[-1] == EngineProgress("load", 1000, 1000, 0.0)
    assert [each.done for each in told] == sorted(each.done for each in told)


def test_nothing_is_told_of_what_is_over_at_once_or_has_no_total() -> None:
    assert metered([(0.0, 0, 0), (1.0, 0, 0)]) == []
    assert metered([(0.0, 50, 50)]) == []
    assert metered([]) == []


def test_the_end_is_left_to_the_end() -> None:
    assert metered([(0.0, 0, 10), (1.0, 10, 10), (2.0, 10, 10)]) == [EngineProgress("load", 0, 10), EngineProgress("load", 10, 10, 0.0)]


def test_a_meter_can_be_used_again() -> None:
    told: list[EngineProgress] = []
    meter = Meter("prefill", told.append, clock=lambda: 0.0)
    for _ in range(2):
        meter.see(1, 2)
        meter.end()
        meter.end()
    assert told == [EngineProgress("prefill", 1, 2), EngineProgress("prefill", 2, 2, 0.0)] * 2
