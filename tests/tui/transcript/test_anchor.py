"""What is seen is what a plain list of all lines has there."""

from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.transcript.anchor import Laid, Place, lay_out

HEIGHTS = st.lists(st.integers(0, 7), max_size=12)


def seen(laid: Laid) -> list[tuple[int, int]]:
    return [(span.block, span.first + at) for span in laid.spans for at in range(span.count)]


def lay(heights: list[int], place: Place | None, rows: int) -> Laid:
    return lay_out(place, rows, len(heights), heights.__getitem__, heights.__getitem__)


@given(heights=HEIGHTS, block=st.integers(0, 12), line=st.integers(-40, 40), rows=st.integers(1, 12))
def test_a_window_on_all_lines(heights: list[int], block: int, line: int, rows: int) -> None:
    whole = [(index, offset) for index, height in enumerate(heights) for offset in range(height)]
    wanted = sum(heights[:block]) + line
    top = max(0, min(wanted, len(whole) - rows))
    laid = lay(heights, Place(block, line), rows)
    assert seen(laid) == whole[top : top + rows]
    assert laid.at_end == (top + rows >= len(whole))
    if whole:
        assert (laid.place.block, laid.place.line) == whole[top]


@given(heights=HEIGHTS, rows=st.integers(1, 12))
def test_at_the_end(heights: list[int], rows: int) -> None:
    whole = [(index, offset) for index, height in enumerate(heights) for offset in range(height)]
    laid = lay(heights, None, rows)
    assert seen(laid) == whole[-rows:]
    assert laid.at_end


@given(heights=st.lists(st.integers(0, 7), min_size=30, max_size=60), block=st.integers(0, 29), rows=st.integers(1, 12))
def test_draws_what_is_seen_and_no_more(heights: list[int], block: int, rows: int) -> None:
    drawn: set[int] = set()

    def exact(index: int) -> int:
        drawn.add(index)
        return heights[index]

    laid = lay_out(Place(block), rows, len(heights), exact, heights.__getitem__)
    visible = {span.block for span in laid.spans}
    assert all(heights[index] == 0 or index in visible or index >= max(visible, default=0) for index in drawn if index >= block)
    if not laid.at_end:
        assert drawn <= set(range(block, max(visible) + 1))


@given(
    heights=st.lists(st.integers(0, 7), min_size=1, max_size=30), rows=st.integers(1, 9), steps=st.lists(st.integers(-9, 9), max_size=40)
)
def test_moves_are_exact_lines_whatever_was_guessed(heights: list[int], rows: int, steps: list[int]) -> None:
    whole = [(index, offset) for index, height in enumerate(heights) for offset in range(height)]
    top = max(0, len(whole) - rows)
    laid = lay(heights, None, rows)
    for step in steps:
        top = max(0, min(top + step, len(whole) - rows))
        laid = lay(heights, laid.place.moved(step), rows)
        assert seen(laid) == whole[top : top + rows]
