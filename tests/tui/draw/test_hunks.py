"""What differs between two texts."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.sandbox.approval import FileText
from kimicode.tui.draw.diff import diff_counts, draw_diff
from kimicode.tui.draw.hunks import compare, differing, lines_of
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for

LOOK = Look(80, theme_for("dark").palette)
TEXTS = st.lists(st.sampled_from(["a", "b", "c", "", "a\r", "long line of words"]), max_size=30).map("\n".join)


def texts(file, look=LOOK, **more):
    return [strip.text.rstrip() for strip in draw_diff([file], look, **more)]


@settings(max_examples=200)
@given(before=st.none() | TEXTS, after=st.none() | TEXTS, context=st.integers(0, 4))
def test_hunks_make_the_new_text_from_the_old_one(before, after, context):
    old, new = lines_of(before), lines_of(after)
    made, at = [], 0
    for hunk in compare(before, after, context):
        assert hunk.rows
        first = next(row for row in hunk.rows)
        begin = first.old if first.old is not None else next((row.old for row in hunk.rows if row.old is not None), None)
        if begin is not None:
            made += old[at:begin]
            at = begin
        elif first.new is not None:
            step = first.new - len(made)
            made += old[at : at + step]
            at += step
        for row in hunk.rows:
            if row.new is None:
                assert row.old == at
                at += 1
            elif row.old is None:
                assert row.new == len(made)
                made.append(new[row.new])
            else:
                assert (row.old, row.new) == (at, len(made))
                assert old[row.old] == new[row.new]
                made.append(old[row.old])
                at += 1
    assert made + old[at:] == new


def test_a_huge_change_is_taken_whole():
    before = "".join(f"old {at}\n" for at in range(30_000))
    after = "".join(f"new {at}\n" for at in range(30_000))
    assert diff_counts([FileText("x", before, after)]) == (30_000, 30_000)
    lines = texts(FileText("x", before, after), max_lines=20)
    assert len(lines) == 20
    assert lines[-1] == "… 59,983 more lines"


def test_one_line_in_a_huge_file_costs_nothing():
    before = "".join(f"line {at}\n" for at in range(50_000))
    assert diff_counts([FileText("x", before, before.replace("line 25000\n", "other\n"))]) == (1, 1)


def test_words_that_differ():
    assert differing("return a + b", "return a - b") == ([(9, 10)], [(9, 10)])
    assert differing("same start here", "nothing alike at all, really") is None
    assert differing("x" * 600, "x" * 601) is None


def test_line_ends_are_seen_where_they_change():
    assert texts(FileText("x", "a\nb\n", "a\r\nb\n")) == ["x  +1 -1", "1 - a", "1 + a␍", "2   b"]
    assert texts(FileText("x", "a\r\nb\r\n", "a\r\nc\r\n")) == ["x  +1 -1", "1   a", "2 - b", "2 + c"]
    assert texts(FileText("x", "a\nb", "a\nb\n")) == ["x  +1 -1", "1   a", "2 - b ⟨no line end⟩", "2 + b"]
    assert texts(FileText("x", "a\nb", "c\nb")) == ["x  +1 -1", "1 - a", "1 + c", "2   b"]


def test_new_deleted_binary_unchanged():
    assert texts(FileText("x", None, "a\n")) == ["x  new  +1 -0", "1 + a"]
    assert texts(FileText("x", "a\n", None)) == ["x  deleted  +0 -1", "1 - a"]
    assert texts(FileText("x", None, "")) == ["x  new"]
    assert texts(FileText("x", None, None, "binary")) == ["x", "  binary"]
    assert texts(FileText("x", "a", "a")) == ["x  unchanged"]


def test_side_by_side():
    look = Look(60, LOOK.palette, diff="split")
    lines = texts(FileText("x", "one\ntwo\n\tdrei\n", "one\n2\n\tdrei\n日本\n"), look)
    assert lines[0] == "x  +2 -1"
    assert [line.split(" │ ") for line in lines[1:]] == [
        ["1   one                     ", "1   one"],
        ["2 - two                     ", "2 + 2"],
        ["3       drei                ", "3       drei"],
        ["                            ", "4 + 日本"],
    ]
    assert texts(FileText("x", "a\n", "b\n"), Look(150, LOOK.palette))[1].count("│") == 1


def test_words_are_marked_in_their_own_style():
    [_, old, new] = draw_diff([FileText("x", "return a + b\n", "return a - b\n")], LOOK)
    word = LOOK.palette["added_word"].bgcolor
    assert "".join(segment.text for segment in new if segment.style is not None and segment.style.bgcolor == word) == "-"
    assert (
        "".join(
            segment.text for segment in old if segment.style is not None and segment.style.bgcolor == LOOK.palette["removed_word"].bgcolor
        )
        == "+"
    )
