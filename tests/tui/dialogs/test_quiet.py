from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.dialogs.quiet import QUIET_S, TYPING_S, begin, typing_left


def test_keys_count_after_a_silence():
    quiet = begin(10.0)
    assert not quiet.over(10.0)
    assert not quiet.over(10.0 + QUIET_S - 0.001)
    assert quiet.over(10.0 + QUIET_S)


def test_a_key_begins_the_silence_anew():
    quiet = begin(10.0).key(10.4)
    assert not quiet.over(10.0 + QUIET_S)
    assert quiet.until == 10.4 + QUIET_S


def test_a_key_that_is_held_down_never_counts():
    quiet = begin(10.0)
    for step in range(1, 400):
        now = 10.0 + step * 0.03
        assert not quiet.over(now)
        quiet = quiet.key(now)


def test_how_long_to_wait_for_somebody_who_types():
    assert typing_left(10.0, 9.75) == TYPING_S - 0.25
    assert typing_left(10.0, 10.0 - TYPING_S) <= 0
    assert typing_left(10.0, float("-inf")) <= 0


@given(st.lists(st.floats(0, 5), max_size=30))
def test_a_key_counts_exactly_after_the_silence(times: list[float]):
    quiet = begin(0.0)
    latest = 0.0
    for now in sorted(times):
        assert quiet.over(now) == (now >= latest + QUIET_S)
        quiet = quiet.key(now)
        latest = now
