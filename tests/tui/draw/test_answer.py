"""Answers that stream in: cut where nothing can change any more, and drawn in pieces as they are drawn whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.tui.draw.answer import draw_answer, mended
from kimicode.tui.draw.block import plain
from kimicode.tui.draw.markdown import find_boundary, markdown
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for
from tests.tui.draw.samples import MARKDOWN

PALETTE = theme_for("dark").palette
LOOK = Look(60, PALETTE)
LINES = st.sampled_from(
    [
        *("para", "- item", "  - sub", "1. one", "2. two", "   inside", "    code", "> quote", "```", "```py", "~~~", "# head", "---"),
        *("===", "| a | b |", "|---|---|", "", "", "", "**bold", "`code", "\tx", "a\\", "[r]: http://x", "<div>", "x = 1", "  ```", "-"),
        *("1.", "#", "   ```", "````", "*", "+ p", "\x1b[1m```", "x\r", "&amp;", "  ", "> - q", "- > r", "- ```", "10) ten"),
    ]
)
DOCUMENTS = st.lists(LINES, max_size=30).map("\n".join)


def streamed(text, cuts, done=True):
    before = None
    for cut in sorted(cuts):
        before = draw_answer(text[:cut], False, LOOK, before)
    return draw_answer(text, done, LOOK, before)


@settings(max_examples=150, deadline=None)
@given(text=DOCUMENTS, cuts=st.lists(st.integers(0, 200), max_size=8))
def test_pieces_are_the_whole(text, cuts):
    assert streamed(text, cuts).lines == draw_answer(text, True, LOOK).lines


@settings(max_examples=100, deadline=None)
@given(text=DOCUMENTS, cut=st.integers(0, 200))
def test_a_boundary_stays_one_whatever_follows(text, cut):
    at = find_boundary(text[:cut], 0)
    assert 0 <= at <= len(text[:cut])
    head, tail = markdown(text[:at], 60, PALETTE), markdown(text[at:], 60, PALETTE)
    assert head + ([[]] if head and tail else []) + tail == markdown(text, 60, PALETTE)


def test_every_length_of_a_real_answer():
    before = None
    whole = draw_answer(MARKDOWN, True, LOOK)
    for end in range(len(MARKDOWN) + 1):
        drawn = draw_answer(MARKDOWN[:end], False, LOOK, before)
        assert before is None or drawn.lines[: before.sealed_lines] == before.lines[: before.sealed_lines]
        assert before is None or drawn.sealed >= before.sealed
        before = drawn
    assert before is not None
    assert before.sealed > len(MARKDOWN) * 0.9
    assert draw_answer(MARKDOWN, True, LOOK, before).lines == whole.lines


def test_an_open_fence_is_kept_in_pieces_and_coloured_when_it_closes():
    text = "Look:\n\n```python\n" + "x = 'a'  # why\n" * 500
    before = draw_answer(text[: len(text) // 2], False, LOOK)
    drawn = draw_answer(text, False, LOOK, before)
    assert drawn.sealed == len("Look:\n\n")
    assert drawn.loose > len(text) * 0.9
    assert len(drawn.lines) == 502
    late = {segment.style for segment in drawn.lines[450]}
    closed = draw_answer(text + "```\nAnd more", False, LOOK, drawn)
    assert {segment.style for segment in closed.lines[450]} > late
    assert closed.loose == 0
    assert plain(closed).endswith("\n\n  And more")
    assert closed.lines == draw_answer(text + "```\nAnd more", False, LOOK).lines


def test_what_is_sealed_is_not_drawn_again():
    """The work of a flush must not depend on what came before: a long answer got slower and slower elsewhere."""
    part = "A paragraph of *some* words.\n\n- a\n- b\n\n```py\nx = 1\n```\n\n"
    drawn = draw_answer(part * 200, False, LOOK)
    grown = draw_answer(part * 200 + "end", False, LOOK, drawn)
    assert all(one is other for one, other in zip(drawn.lines[: drawn.sealed_lines], grown.lines, strict=False))
    assert len(part * 200) - drawn.sealed < len(part)


def test_open_marks_look_closed():
    assert mended("so **bold te") == "so **bold te**"
    assert mended("so `co") == "so `co`"
    assert mended("a\n\n``x") == "a\n\n``x``"
    assert mended("done **b** and `c`") == "done **b** and `c`"
    assert "**" not in plain(draw_answer("so **bold te", False, LOOK))
    assert "**" in plain(draw_answer("so **bold te", True, LOOK))


def test_links_tell_where_they_lead():
    drawn = draw_answer("[your bank](http://evil.example) [x](javascript:alert) <https://a.b/c>", True, Look(100, PALETTE))
    assert plain(drawn) == "  your bank (http://evil.example) [x](javascript:alert) https://a.b/c"
    links = {segment.style.link for strip in drawn.lines for segment in strip if segment.style is not None and segment.style.link}
    assert links == {"http://evil.example", "https://a.b/c"}


def test_a_very_long_paragraph_is_plain_text():
    drawn = draw_answer("*word* " * 20_000, True, LOOK)
    assert "*word*" in plain(drawn)
    assert "… 138,000 more" in plain(drawn)


def test_an_open_list_is_kept_in_pieces_and_drawn_whole_when_it_ends():
    text = "".join(f"{at}. item number {at} with some words\n     - and one below\n" for at in range(1, 300))
    before = None
    for end in range(0, len(text), 500):
        before = draw_answer(text[:end], False, LOOK, before)
    assert before is not None
    assert before.sealed == 0
    assert before.loose > len(text) - 4_000
    assert "  150. item" in plain(before)
    ended = draw_answer(text + "\nAfter.\n\nEnd", False, LOOK, before)
    assert ended.loose == 0
    assert ended.lines == draw_answer(text + "\nAfter.\n\nEnd", False, LOOK).lines
    assert draw_answer(text, True, LOOK, before).lines == draw_answer(text, True, LOOK).lines


@settings(max_examples=15, deadline=None)
@given(text=DOCUMENTS, cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_pieces_of_long_texts_are_the_whole(text, cuts):
    long = "".join(f"- item {at} of a list\n" for at in range(200)) + text + "\n" + "1. one\n\n" * 300 + text
    assert streamed(long, cuts).lines == draw_answer(long, True, LOOK).lines


def test_an_answer_that_begins_otherwise_is_drawn_anew():
    before = draw_answer("One.\n\nTwo.\n\nThree", False, LOOK)
    assert before.sealed > 0
    assert draw_answer("Uno.\n\nDos.\n\nTres", True, LOOK, before).lines == draw_answer("Uno.\n\nDos.\n\nTres", True, LOOK).lines
    assert draw_answer("", False, LOOK, before).lines == ()


def test_a_very_long_list_is_still_one():
    text = "".join(f"- **item** {at}\n" for at in range(6_000))
    drawn = draw_answer(text, True, LOOK)
    assert "  • item 5999" in plain(drawn)
    assert "**" not in plain(drawn)
