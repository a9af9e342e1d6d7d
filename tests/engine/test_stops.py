"""Stop strings against plain `str.find` on the whole text."""

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.stops import StopText

LETTERS = st.text("ab", max_size=6)


@given(st.lists(LETTERS, max_size=10), st.lists(st.text("ab", min_size=1, max_size=3), max_size=3))
@settings(deadline=None)
def test_the_text_ends_before_the_first_stop_string_however_it_is_cut(pieces: list[str], stops: list[str]) -> None:
    stop = StopText(stops)
    shown = "".join(map(stop.feed, pieces)) + stop.flush()
    ends = [_whole_prefix_with_stop("".join(pieces), text) for text in stops]
    first = min((end for end in ends if end is not None), default=None)
    assert stop.stopped == (first is not None)
    if first is None:
        assert shown == "".join(pieces)
    else:
        assert "".join(pieces).startswith(shown)
        assert not any(text in shown for text in stops)


def _whole_prefix_with_stop(text: str, stop: str) -> int | None:
    place = text.find(stop)
    return None if place < 0 else place + len(stop)


def test_nothing_is_held_back_without_reason() -> None:
    stop = StopText(["STOP"])
    assert [stop.feed(text) for text in ("one S", "T", "ART", " STO", "P more", "x")] == ["one ", "", "START", " ", "", ""]
    assert stop.stopped
