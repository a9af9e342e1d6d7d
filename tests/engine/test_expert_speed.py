"""Layers of a store, by hand: products that hide reads, reads that hide products, and the last one that hides behind nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import known
from engine.expert_speed import Beside, Rates, bytes_read, pace_for, seconds_of_layers
from engine.machine import EXPERT_ROWS, ExpertPace, Rate

LAYERS = Beside(layers=10, expert_bytes=1e6, experts=8, used=2)


def pace(*rates: float) -> ExpertPace:
    return ExpertPace("Q4_0", tuple(Rate(rate, "told", "by the test") for rate in rates))


FLAT = pace(1e9, 1e9, 1e9, 1e9)
"""A product takes a millisecond, however many rows."""


def test_a_pace_lies_on_the_line_between_what_was_measured() -> None:
    assert EXPERT_ROWS == (1, 8, 32, 128)
    found = pace(10e9, 5e9, 2.5e9, 1e9)
    assert [found.seconds(10e9, rows) for rows in (1, 8, 32, 128)] == pytest.approx([1, 2, 4, 10])
    assert found.seconds(10e9, 4.5) == pytest.approx(1.5)
    assert found.seconds(10e9, 20) == pytest.approx(3)
    assert found.seconds(10e9, 256) == pytest.approx(20), "as many operations a second as at the last"
    assert found.seconds(10e9, 0.5) == pytest.approx(1)


def test_other_memory_changes_what_one_row_takes_and_bounds_the_others() -> None:
    found = pace(10e9, 5e9, 2.5e9, 1e9)
    assert [rate.value for rate in found.with_memory(4, "told").rates] == [40e9, 5e9, 2.5e9, 1e9]
    assert [rate.value for rate in found.with_memory(0.2, "told").rates] == [2e9, 2e9, 2e9, 1e9]
    assert {rate.basis for rate in found.with_memory(4, "told").rates} == {"told"}


def test_weights_of_another_type_take_as_long_as_those_that_were_measured() -> None:
    measured = pace(10e9, 5e9, 2.5e9, 1e9)
    assert pace_for(known.find("kimi-k2.6"), measured) == measured
    small = known.find("kimi-k2.6:UD-Q2_K_XL")
    found, weights = pace_for(small, measured), small.routed.weights
    assert found.seconds(small.routed.bytes, 1) == pytest.approx(measured.seconds(weights * 0.5625, 1))
    assumed = replace(measured, kind="")
    assert pace_for(small, assumed) == assumed


def test_all_in_memory_takes_the_products() -> None:
    assert seconds_of_layers(LAYERS, 1, 1.0, Rates(FLAT, 1.0, 1e6)) == pytest.approx(10 * 2 * 1e-3)
    assert seconds_of_layers(LAYERS, 1, 1.0, Rates(FLAT, 0.5, 1e6)) == pytest.approx(10 * 2 * 2e-3)


def test_all_on_a_slow_disk_takes_the_reads_and_one_product() -> None:
    assert seconds_of_layers(LAYERS, 1, 0.0, Rates(FLAT, 1.0, 100e6)) == pytest.approx(10 * (2 * 10e-3 + 1e-3))


def test_a_fast_disk_hides_behind_the_products() -> None:
    assert seconds_of_layers(LAYERS, 1, 0.0, Rates(FLAT, 1.0, 1e12)) == pytest.approx(10 * 2e-3, rel=1e-3)


def test_in_between_the_mean_over_how_many_are_missing_counts() -> None:
    # Of two experts none, one or two are missing, in 1/4, 1/2, 1/4 of all layers: 2, 10 + 1 and 20 + 1 ms.
    assert seconds_of_layers(LAYERS, 1, 0.5, Rates(FLAT, 1.0, 100e6)) == pytest.approx(10 * (0.25 * 2e-3 + 0.5 * 11e-3 + 0.25 * 21e-3))


def test_a_prompt_reads_each_expert_once_and_multiplies_by_rows() -> None:
    steep = pace(1e9, 1e9 / 8, 1e9 / 32, 1e9 / 128)
    seconds = seconds_of_layers(LAYERS, 128, 1.0, Rates(steep, 1.0, 1e6))
    assert seconds == pytest.approx(10 * 8 * 32e-3), "256 uses of 8 experts are 32 rows each"
    assert bytes_read(LAYERS, 1000, 0.5) == pytest.approx(10 * 8 * 0.5 * 1e6 / 1000)


def test_bytes_of_a_token() -> None:
    assert bytes_read(LAYERS, 1, 0.75) == pytest.approx(10 * 2 * 0.25 * 1e6)
    assert bytes_read(LAYERS, 2, 0.0) == pytest.approx(10 * 8 * (1 - 0.75**2) * 1e6 / 2)


def test_no_layers_take_no_time() -> None:
    assert seconds_of_layers(replace(LAYERS, layers=0), 1, 0.0, Rates(FLAT, 1.0, 1.0)) == 0


@given(hit=st.floats(0, 1), more=st.floats(0, 1), tokens=st.integers(1, 300), disk=st.floats(1e6, 1e12), faster=st.floats(1, 10))
def test_more_hits_and_a_faster_disk_are_never_slower(hit: float, more: float, tokens: int, disk: float, faster: float) -> None:
    seconds = seconds_of_layers(LAYERS, tokens, hit, Rates(FLAT, 1.0, disk))
    assert seconds_of_layers(LAYERS, tokens, max(hit, more), Rates(FLAT, 1.0, disk)) <= seconds * 1.0001
    assert seconds_of_layers(LAYERS, tokens, hit, Rates(FLAT, 1.0, disk * faster)) <= seconds * 1.0001
    least = seconds_of_layers(LAYERS, tokens, 1.0, Rates(FLAT, 1.0, disk))
    assert least * 0.9999 <= seconds
