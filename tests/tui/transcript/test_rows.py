"""Lines of the screen have its width exactly, and marks lie where they should."""

from hypothesis import given
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Offset
from textual.selection import Selection
from textual.strip import Strip

from kimicode.tui.transcript.picking import line_number, picked
from kimicode.tui.transcript.rows import Mark, column, compose, occurrences, pattern, with_offsets

BASE, BOLD, BAR = Style(bgcolor="black"), Style(bold=True), Style(color="red")
TEXT = st.text(st.sampled_from("ab é漢🙂"), max_size=30)


@given(screen=st.integers(-1, 300), most=st.integers(0, 200))
def test_a_column_fits(screen: int, most: int) -> None:
    place = column(screen, most)
    assert place.width >= 1
    assert place.left >= 0
    assert place.left + place.width <= max(screen, 1)
    assert most == 0 or place.width <= most
    if screen > 2:
        assert place.left >= 1
        assert abs(place.left - (screen - place.left - place.width)) <= 1


@given(text=TEXT, screen=st.integers(1, 60), most=st.integers(0, 40), bar=st.booleans(), cuts=st.lists(st.integers(0, 30), max_size=4))
def test_as_wide_as_the_screen(text: str, screen: int, most: int, bar: bool, cuts: list[int]) -> None:
    place = column(screen, most)
    marks = [Mark(cut, None if cut % 2 else cut + 3, BOLD) for cut in cuts]
    row = compose(Strip([Segment(text)]), place, BASE, BAR if bar else None, marks)
    assert sum(segment.cell_length for segment in row) == row.cell_length == screen
    assert with_offsets(row, place, 7).text.replace("▌", " ") == row.text.replace("▌", " ")


@given(text=st.text("abc", min_size=1, max_size=20), start=st.integers(0, 20), length=st.integers(0, 9))
def test_marks_lie_on_their_characters(text: str, start: int, length: int) -> None:
    place = column(40, 0)
    row = compose(Strip([Segment(text[:4]), Segment(text[4:])]), place, BASE, None, [Mark(start, start + length, BOLD)])
    bold = "".join(segment.text for segment in row if segment.style and segment.style.bold)
    assert bold == text[start : start + length]


def test_occurrences() -> None:
    lines = [Strip([Segment("One and o"), Segment("ne")]), Strip([Segment("none")]), Strip([Segment("x")])]
    wanted = pattern("one")
    assert wanted is not None
    assert occurrences(lines, wanted) == [(0, 0), (0, 1), (1, 0)]
    assert pattern("") is None
    exact = pattern("a.c")
    assert exact is not None
    assert occurrences([Strip([Segment("abc a.c")])], exact) == [(0, 0)]


def test_picked_text_has_no_margins() -> None:
    blocks = [
        [Strip([Segment("▌ "), Segment("one  ")]), Strip([Segment("▌ "), Segment("two")])],
        [],
        [Strip([Segment("three")])],
    ]

    def pick(start: Offset | None, end: Offset | None) -> str:
        return picked(Selection(start, end), len(blocks), blocks.__getitem__, str)

    assert pick(None, None) == "one\ntwo\nthree"
    assert pick(Offset(3, line_number(0, 0)), Offset(3, line_number(0, 1))) == "ne\nt"
    assert pick(Offset(3, line_number(0, 1)), Offset(2, line_number(2, 0))) == "wo\nth"
    assert pick(Offset(1, line_number(2, 0)), Offset(9, line_number(3, 0))) == "hree"
    assert pick(Offset(0, line_number(2, 0)), Offset(0, line_number(2, 0))) == ""
    assert picked(Selection(None, None), 0, blocks.__getitem__, str) == ""


def test_only_a_margin_that_all_lines_have_is_one() -> None:
    answer = [Strip([]), Strip([Segment("  text")]), Strip([]), Strip([Segment("    code")])]
    called = [Strip([Segment("* head")]), Strip([Segment("    inside")])]
    assert picked(Selection(None, None), 1, [answer].__getitem__, str) == "\ntext\n\n  code"
    assert picked(Selection(None, None), 1, [called].__getitem__, str) == "* head\n    inside"
