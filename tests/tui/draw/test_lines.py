"""Lines that fit, by cells and by clusters."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from kimicode.tui.draw.folding import folded, lines_in
from kimicode.tui.draw.lines import expanded, length, shortened, source_lines, wrapped
from kimicode.tui.draw.sgr import colored, final

NONE = Style.null()
FAMILY = "👩\u200d👩\u200d👧"
TEXT = st.lists(st.sampled_from(["a", "b", " ", "é", "e\u0301", "日", "、", FAMILY, "1\ufe0f", "\u200d", "ש"]), max_size=60).map("".join)


def words(text, width, **more):
    return ["".join(part for part, _ in line) for line in wrapped([(text, NONE)], width, **more)]


def test_words_stay_whole_where_they_can():
    assert words("the quick brown fox", 9) == ["the quick", "brown fox"]
    assert words("incomprehensibilities of it", 10) == ["incomprehe", "nsibilitie", "s of it"]
    assert words("a  b", 2, words=False) == ["a ", " b"]
    assert words("日本語、テスト", 6) == ["日本", "語、テ", "スト"]
    assert words(FAMILY * 3, 4) == [FAMILY * 2, FAMILY]
    assert words("e\u0301" * 5, 3) == ["e\u0301" * 3, "e\u0301" * 2]


@given(text=TEXT, width=st.integers(2, 30), whole=st.booleans())
def test_wrapping_fits_and_loses_only_spaces(text, width, whole):
    lines = words(text, width, words=whole)
    assert all(cell_len(line) <= width for line in lines)
    kept, text = "".join(lines), text.lstrip("\u200d\ufe0f")
    assert kept == text if not whole else kept.replace(" ", "") == text.replace(" ", "")


@given(parts=st.lists(TEXT, max_size=5), width=st.integers(2, 30))
def test_many_pieces_wrap_like_one(parts, width):
    styles = [Style(bold=True), Style(italic=True)]
    lines = wrapped([(part, styles[at % 2]) for at, part in enumerate(parts)], width)
    assert ["".join(text for text, _ in line) for line in lines] == words("".join(parts), width)
    assert all(length(line) <= width for line in lines)


@given(text=TEXT, width=st.integers(1, 30))
def test_shortened_says_so(text, width):
    line = shortened([(text, NONE)], width)
    assert length(line) <= width
    assert "".join(part for part, _ in line) == text.lstrip("\u200d\ufe0f") or line[-1][0] == "…"


def test_tabs_by_cells():
    assert expanded("a\tb") == "a   b"
    assert expanded("日\tb\t") == "日  b   "


def test_source_lines_are_clipped_and_harmless():
    assert source_lines("a\x1b[2J\r\nb\n") == ["a␛[2J", "b"]
    assert source_lines("x" * 3_000)[0].endswith("… 1,000 more characters")
    assert source_lines("") == [""]


def test_folding_keeps_both_ends():
    text = "\n".join(map(str, range(100)))
    part = folded(text, 2, 3)
    assert (part.head, part.tail, part.hidden) == ("0\n1", "97\n98\n99", 95)
    assert folded("a\nb\nc", 1, 1).hidden == 0
    assert folded(text, 3, 0).tail == ""
    assert lines_in("a\n") == lines_in("a") == 1
    assert lines_in("") == 0


@given(text=st.text(alphabet="a\n", max_size=40), head=st.integers(1, 5), tail=st.integers(0, 5))
def test_folding_loses_no_line(text, head, tail):
    part = folded(text, head, tail)
    shown = part.head.count("\n") + 1 + (part.tail.count("\n") + 1 if part.hidden and tail else 0)
    assert shown + part.hidden == text.removesuffix("\n").count("\n") + 1


def test_colours_go_on_and_everything_else_is_inert():
    [first, second] = colored("\x1b[1;31mred\nstill\x1b[0m not\x1b[2K", NONE)
    assert first[0][1].color is not None
    assert (first[0][1].color.name, first[0][1].bold) == ("color(1)", True) or first[0][1].color.number == 1
    assert second[0] == ("still", first[0][1])
    assert second[1] == (" not␛[2K", NONE)
    [line] = colored("\x1b[38;5;208ma\x1b[48;2;1;2;3mb\x1b[39;49mc\x1b[22;38mz", NONE)
    assert line[0][1].color is not None
    assert line[0][1].color.number == 208
    assert line[1][1].bgcolor is not None
    assert tuple(line[1][1].bgcolor.triplet) == (1, 2, 3)
    assert all(style.color is None for text, style in colored("\x1b[31ma", NONE, colors=False)[0])


@given(st.text(alphabet="\x1b[0123456789;:m\r\nax", max_size=40))
def test_any_escape(text):
    for line in colored(text, NONE):
        assert all(part.isprintable() for part, _ in line)


def test_a_progress_bar_is_its_last_state():
    assert final("10 %\r20 %\r") == "20 %"
    assert final("plain\r") == "plain"
    assert final("plain") == "plain"
