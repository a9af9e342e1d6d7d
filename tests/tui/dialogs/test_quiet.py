from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.dialogs.quiet import CEILING_S, FOLLOW_UP_S, QUIET_S, TYPING_S, begin, typing_left


def test_keys_count_after_a_silence():
    quiet = begin(10.0)
    assert not quiet.over(10.0)
    assert not quiet.over(10.0 + QUIET_S - 0.001)
    assert quiet.over(10.0 + QUIET_S)


def test_a_key_begins_the_silence_anew():
    quiet = begin(10.0).key(10.4)
    assert not quiet.over(10.0 + QUIET_S)
    assert quiet.until == 10.4 + QUIET_S


def test_somebody_who_types_on_is_heard_at_the_ceiling():
    quiet = begin(10.0)
    for step in range(1, 40):
        quiet = quiet.key(10.0 + step * 0.05)
    assert quiet.until == 10.0 + CEILING_S


def test_a_question_that_follows_an_answer_at_once_is_not_held():
    assert begin(10.0, closed=10.0 - FOLLOW_UP_S / 2).over(10.0)


def test_a_question_that_follows_later_is():
    assert not begin(10.0, closed=10.0 - FOLLOW_UP_S).over(10.0)


def test_a_key_since_the_answer_holds_it_as_well():
    assert not begin(10.0, closed=9.8, typed=9.9).over(10.0)
    assert begin(10.0, closed=9.8, typed=9.8).over(10.0), "the key that answered is not another key"


def test_how_long_to_wait_for_somebody_who_types():
    assert typing_left(10.0, 9.75) == TYPING_S - 0.25
    assert typing_left(10.0, 10.0 - TYPING_S) <= 0
    assert typing_left(10.0, float("-inf")) <= 0


@given(st.lists(st.floats(0, 5), max_size=30))
def test_no_key_counts_within_the_silence_and_every_key_counts_after_the_ceiling(times: list[float]):
    quiet = begin(0.0)
    latest = 0.0
    for now in sorted(times):
        if quiet.over(now):
            assert now - latest >= QUIET_S - 1e-9 or now >= CEILING_S
            return
        assert now < CEILING_S
        assert now - latest < QUIET_S + 1e-9
        quiet = quiet.key(now)
        latest = now
