"""Hit rates: equal use, the published curve, what was counted here; more memory never hits less; what many tokens want together."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import hits, known
from engine.hits import CURVE, between, curve, estimate, from_counted, union
from engine.machine import Hit
from engine.measure import Remembered

K26 = known.find("kimi-k2.6")


def counted(*points: tuple[float, float]) -> tuple[Hit, ...]:
    return tuple(Hit(share, rate, "by the test") for share, rate in points)


def test_equal_use_hits_what_is_there() -> None:
    assert between(0.3, 0) == 0.3
    assert (estimate(0.3).low, estimate(0.3).basis) == (0.3, "assumed")


@pytest.mark.parametrize(("share", "rate"), [*CURVE, (0.09, 0.51), (0.36, 0.895)])
def test_the_curve_goes_through_the_published_points(share: float, rate: float) -> None:
    assert curve(share) == pytest.approx(rate)
    assert estimate(share).high == pytest.approx(rate)
    assert estimate(share).expected == pytest.approx((share + rate) / 2)


def test_what_was_counted_counts_for_more_than_what_others_did() -> None:
    found = estimate(0.5, counted((0.5, 0.6)))
    assert (found.expected, found.basis) == (pytest.approx(0.6), "measured")
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.68))
    assert found.how == "by the test, 50% of the experts in memory"


def test_one_count_says_how_equal_the_use_is_elsewhere() -> None:
    assert from_counted(0.8, counted((0.25, 0.25))) == pytest.approx(0.8), "equal use there is equal use everywhere"
    assert from_counted(0.75, counted((0.5, 0.75))) == pytest.approx(1 - 0.25**2)
    assert from_counted(1.0, counted((0.5, 0.75))) == 1.0
    assert from_counted(0.0, counted((0.5, 0.75))) == 0.0


def test_between_two_counts_lies_a_line() -> None:
    assert from_counted(0.3, counted((0.4, 0.8), (0.2, 0.5))) == pytest.approx(0.65)


def test_counts_that_say_nothing() -> None:
    assert from_counted(0.3, counted((1.0, 1.0), (0.0, 0.0))) == 0.3
    assert from_counted(0.9, counted((0.5, 1.0))) <= 1.0


@given(
    points=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), max_size=4),
    first=st.floats(0, 1),
    second=st.floats(0, 1),
)
def test_more_memory_never_hits_less(points: list[tuple[float, float]], first: float, second: float) -> None:
    less, more = sorted((first, second))
    worse, better = estimate(less, counted(*points)), estimate(more, counted(*points))
    for few, many in ((worse.low, better.low), (worse.expected, better.expected), (worse.high, better.high)):
        assert -1e-9 <= few <= many + 1e-9 <= 1 + 2e-9
    assert worse.low <= worse.expected + 1e-9
    assert worse.expected <= worse.high + 1e-9


def test_several_tokens_want_some_experts_twice() -> None:
    assert [round(union(384, 8, streams), 1) for streams in (1, 2, 4, 8, 32)] == [8, 15.8, 31.0, 59.5, 188.2]
    assert union(384, 8, 8) / 8 / 8 == pytest.approx(0.93, abs=0.01)
    assert union(0, 0, 4) == 0


def test_what_was_counted_is_kept_by_model_and_share(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    kept = hits.keep(Remembered(path), K26, 0.1234, 620, 380, "random tokens")
    assert kept == Hit(0.1234, 0.62, "1,000 uses, random tokens")
    assert hits.recall(Remembered(path), K26) == (Hit(0.123, 0.62, "1,000 uses, random tokens"),)
    hits.keep(Remembered(path), K26, 0.123, 500, 500, "again")
    hits.keep(Remembered(path), K26, 0.5, 900, 100, "more memory")
    assert [(hit.share, hit.rate) for hit in hits.recall(Remembered(path), K26)] == [(0.123, 0.5), (0.5, 0.9)]
    assert hits.recall(Remembered(path), known.find("kimi-k2.6:UD-Q2_K_XL")) == ()


@pytest.mark.parametrize(("share", "found", "missed"), [(0.5, 500, 499), (1.0, 5000, 0), (0.5, 0, 5000)])
def test_what_says_nothing_is_not_kept(tmp_path: Path, share: float, found: int, missed: int) -> None:
    known_rates = Remembered(tmp_path / "measured.json")
    assert hits.keep(known_rates, K26, share, found, missed, "a text") is None
    assert hits.recall(known_rates, K26) == ()


def test_a_damaged_memory_of_hits_is_none(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    hits.keep(Remembered(path), K26, 0.5, 900, 100, "a text")
    path.write_text(path.read_text().replace("‰ 500", "‰ half").replace("\\u2030 500", "\\u2030 half"))
    assert hits.recall(Remembered(path), K26) == ()
