import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.agent.budget import Ledger, Limits
from kimicode.messages import Usage


def test_the_default_is_two_hundred_steps():
    assert Limits() == Limits(200, None, None, None)


@pytest.mark.parametrize(
    ("limits", "reached"),
    [
        (Limits(steps=2), "the limit of 2 steps is reached"),
        (Limits(tokens=30), "the limit of 30 tokens is reached (30 used)"),
        (Limits(usd=0.5), "the limit of $0.5 is reached ($0.5000 spent)"),
        (Limits(seconds=9), "the limit of 9 seconds is reached"),
        (Limits(None), ""),
        (Limits(3, 31, 9.1, 0.51), ""),
    ],
)
def test_limits(limits, reached):
    ledger = Ledger(limits).charge(Usage(10, 5, 3, 2), 0.25).charge(Usage(10, 5), 0.25)
    assert ledger.reached(9.0) == reached


def test_a_limit_of_nothing_is_reached_at_once():
    assert Ledger(Limits(steps=0)).reached(0.0)


def test_unknown_prices_stay_unknown():
    assert Ledger(Limits(usd=0.0)).charge(Usage(), None).reached(0.0) == ""
    assert Ledger().charge(Usage(), None).charge(Usage(), 0.5).usd == 0.5


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99))), st.integers(1, 500))
def test_the_token_limit_is_reached_exactly_when_the_sum_is(steps, limit):
    ledger = Ledger(Limits(None, limit))
    for prompt, completion in steps:
        ledger = ledger.charge(Usage(prompt, completion), None)
    assert bool(ledger.reached(0.0)) == (sum(map(sum, steps)) >= limit)
