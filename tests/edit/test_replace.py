"""Exact replacement, and what a model is told when its text does not fit."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.edit.replace import Replaced, is_crlf, replace
from kimicode.errors import ToolError


def refusal(text: str, old: str, new: str, *, replace_all: bool = False) -> str:
    with pytest.raises(ToolError) as caught:
        replace(text, old, new, replace_all=replace_all)
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "old", "new", "want"),
    [
        ("a\nb\nc\n", "b", "B", "a\nB\nc\n"),
        ("a\nb", "\nb", "", "a"),
        ("x = $1 \\1 {}", "$1 \\1", "\\g<0>", "x = \\g<0> {}"),
        ("a\r\nb\r\nc", "a\nb", "x\ny\nz", "x\r\ny\r\nz\r\nc"),
        ("a\r\nb\r\nc", "a\r\nb", "x\r\ny", "x\r\ny\r\nc"),
        ("a\r\nb\nc\n", "b\nc", "B\nC", "a\r\nB\nC\n"),
        ("a\r\nb\nc\n", "a\r\nb", "A\r\nB", "A\r\nB\nc\n"),
        ("a\rb\rc", "b\rc", "B\r", "a\rB\r"),
        ("\tif x:\n", "\tif x", "\tif y", "\tif y:\n"),
        ("e\u0301", "e\u0301", "é", "é"),
    ],
)
def test_one_place(text: str, old: str, new: str, want: str) -> None:
    assert replace(text, old, new) == Replaced(want, 1)


def test_all_places() -> None:
    assert replace("a.a.a", "a", "bb", replace_all=True) == Replaced("bb.bb.bb", 3)
    assert replace("a\r\na\r\n", "a\n", "b\n", replace_all=True) == Replaced("b\r\nb\r\n", 2)
    assert replace("aaa", "aa", "b", replace_all=True) == Replaced("ba", 1)


def test_mixed_newlines_are_never_matched_loosely() -> None:
    message = refusal("a\r\nb\nc\n", "a\nb", "x")
    assert "At line 1, column 2, the file has a carriage return, you sent the end of the line." in message
    assert "a␍" in message


def test_several_places_are_named_by_line() -> None:
    message = refusal("x\ny\nx\n\nx\n", "x", "z")
    assert "3 times, starting at lines 1, 3, 5." in message
    assert "replace_all" in message


def test_overlapping_places_are_several() -> None:
    # "}\n}\n" stands twice in three closing brackets; str.count would see one and edit the wrong one.
    assert "2 times, starting at lines 1, 2" in refusal("}\n}\n}\n", "}\n}\n", "}\n")


def test_very_many_places_are_not_all_listed() -> None:
    message = refusal("a\n" * 100_000, "a", "b")
    assert "more than 20 times" in message
    assert len(message) < 400


def test_same_and_empty() -> None:
    assert "the same" in refusal("a", "a", "a")
    assert "the same" in refusal("a\r\nb\r\n", "a\r\n", "a\n")
    assert "old_string is empty" in refusal("a", "", "b")
    assert "use write" in refusal("", "", "b")


def test_tabs_for_spaces_are_made_visible() -> None:
    message = refusal("def f(a):\n\treturn a\n", "def f(a):\n    return a\n", "def f(a):\n    return -a\n")
    assert "starts at line 1; 1 of 2 lines differ" in message
    assert "line 2 is   →return a" in message
    assert "you sent  ····return a" in message
    assert "At line 2, column 1, the file has a tab, you sent a space." in message


def test_trailing_space_is_made_visible() -> None:
    message = refusal("x = 1 \n", "x = 1\ny", "z")
    assert "line 1 is   x = 1·" in message


def test_typographic_characters_are_named() -> None:
    message = refusal("say(\u201chi\u201d)\n", 'say("hi")', "bye()")
    assert "the file has '\u201c' (U+201C), you sent '\"'" in message


def test_the_nearest_place_is_found_by_the_lines_that_fit() -> None:
    text = "".join(f"def f{n}(x):\n    y = x + {n}\n    return y\n\n" for n in range(300))
    message = refusal(text, "def f217(x):\n    y = x - 217\n    return y\n", "pass")
    assert f"starts at line {217 * 4 + 1}; 1 of 3 lines differ" in message
    assert "the file has '+', you sent '-'" in message


def test_a_misspelt_line_is_found_by_likeness() -> None:
    message = refusal("import os\n\nresult = compute_total(items)\n", "result = compute_totals(item)", "x")
    assert "starts at line 3" in message


def test_text_past_the_end() -> None:
    message = refusal("first line here\n", "first line here\nsecond", "x")
    assert "(past the end of the file)" in message or "line 2 is" in message


def test_extra_newlines_at_the_ends() -> None:
    message = refusal("alpha = 1\nbeta = 2\n", "\n\nalpha = 1\nbeta = 2", "x")
    assert "newlines at the ends of old_string" in message


def test_nothing_alike() -> None:
    assert "Nothing in the file is like it. Read the file again" in refusal("alpha\nbeta\n", "zzzzzzzz qqqq", "x")
    assert "Nothing in the file is like it" in refusal("", "x", "y")
    assert "Nothing in the file is like it" in refusal("a\nb", "   \n  ", "y")


def test_an_edit_made_before_is_recognised() -> None:
    message = refusal("a = 1\nb = compute(2)\n", "b = compute(1)", "b = compute(2)")
    assert "new_string is already there, at line 2" in message
    assert "already" not in refusal("x pass\n", "nope", "pass")


def test_huge_inputs_answer_quickly_and_shortly() -> None:
    text = "x" * 3_000_000 + "\n" + "y\n" * 200_000
    message = refusal(text, "z" * 100_000 + "\n" + "y \n" * 5_000, "q")
    assert len(message) < 3_000


def test_crlf_is_only_what_is_crlf_throughout() -> None:
    assert is_crlf("a\r\nb\r\n")
    assert not any(map(is_crlf, ["", "a", "a\n", "a\r", "a\r\nb\n", "a\r\r\n", "a\r\nb\rc"]))


TEXTS = st.text(alphabet="ab \t\r\n", max_size=30)


@settings(deadline=None)
@given(before=TEXTS, old=TEXTS.filter(bool), after=TEXTS, new=TEXTS)
def test_nothing_but_the_place_changes(before: str, old: str, after: str, new: str) -> None:
    text = before + old + after
    try:
        done = replace(text, old, new)
    except ToolError:
        return
    if is_crlf(text):
        lf = [part.replace("\r\n", "\n") for part in (text, old, new)]
        assert done.text.replace("\r\n", "\n") == lf[0].replace(lf[1], lf[2]).replace("\r\n", "\n")
    else:
        assert done.text == text.replace(old, new)
    assert done.count == 1


@settings(deadline=None)
@given(text=TEXTS, old=TEXTS, new=TEXTS, every=st.booleans())
def test_it_is_refused_exactly_when_it_is_not_there_or_changes_nothing_or_is_not_unique(text: str, old: str, new: str, every: bool) -> None:
    view, there, then = (part.replace("\r\n", "\n") if is_crlf(text) else part for part in (text, old, new))
    starts = sum(view.startswith(there, place) for place in range(len(view)))
    possible = bool(old) and there != then and (starts >= 1 if every else starts == 1)
    if possible:
        assert replace(text, old, new, replace_all=every).count >= 1
    else:
        assert refusal(text, old, new, replace_all=every)
