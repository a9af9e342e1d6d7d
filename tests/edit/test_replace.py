"""Replacement of one text or several, and what a model is told when its text does not fit. The ladder itself: test_ladder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.edit.replace import Edit, Replaced, is_crlf, replace, replace_many
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
    done = replace(text, old, new)
    assert (done.text, done.count, done.matched) == (want, 1, "exact")


def test_all_places() -> None:
    assert replace("a.\na.a", "a", "b\nb", replace_all=True) == Replaced("b\nb.\nb\nb.b\nb", 3, "exact", (1, 3, 4))
    assert replace("a\r\na\r\n", "a\n", "b\n", replace_all=True) == Replaced("b\r\nb\r\n", 2, "exact", (1, 2))
    assert replace("aaa", "aa", "b", replace_all=True) == Replaced("ba", 1, "exact", (1,))
    assert replace("x = 1 \nx = 1  \n", "x = 1\n", "y\n", replace_all=True) == Replaced("y\ny\n", 2, "trailing blanks ignored", (1, 2))


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


def test_what_differs_is_made_visible() -> None:
    message = refusal("def f(a):\n\treturn a\n\treturn b\n", "def f(a):\n    return a\n   return b\n", "pass\n")
    assert "starts at line 1; 2 of 3 lines differ" in message
    assert "line 2 is   →return a" in message
    assert "you sent  ····return a" in message
    assert "At line 2, column 1, the file has a tab, you sent a space." in message
    assert "line 1 is   x = 1·" in refusal("x = 1 \n", "x = 1\ny", "z")
    assert "the file has '\u201c' (U+201C), you sent '\"'" in refusal("say(\u201chi\u201d)\nx\n", 'say("hi")\ny\n', "bye()\n")


def test_a_second_place_is_named() -> None:
    block = "def {0}():\n    first = open_the_door()\n    second = close_the_door()\n\n"
    message = refusal(block.format("a") + block.format("b"), block.format("c"), "pass\n")
    assert "starts at line 1; 1 of 3 lines differ" in message
    assert "Another place like it starts at line 5; 1 of 3 lines differ." in message


def test_newlines_written_as_two_characters_are_recognised() -> None:
    assert "as two characters where the file has newlines" in refusal("a = 1\nb = 2\n", "a = 1\\nb = 2", "a = 2\\nb = 2")


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


def test_several_edits_in_turn() -> None:
    text = "a = 1\nb = 2\nc = 3\n"
    edits = [Edit("a = 1\n", "a = 1\nz = 0\n"), Edit("c = 3", "c = 4"), Edit("z = 0", "z = 9")]
    assert replace_many(text, edits) == Replaced("a = 1\nz = 9\nb = 2\nc = 4\n", 3, "exact", (1, 2, 4))
    assert replace_many("x\nx\ny  \nw\n", [Edit("x", "q", replace_all=True), Edit("y\nw", "v\nw")]) == Replaced(
        "q\nq\nv\nw\n", 3, "trailing blanks ignored", (1, 2, 3)
    )
    assert replace_many("a\n", [Edit("a", "b")]) == replace("a\n", "a", "b")


def refusal_of(text: str, *edits: Edit) -> str:
    with pytest.raises(ToolError) as caught:
        replace_many(text, edits)
    return caught.value.message


def test_several_edits_are_all_or_nothing_and_say_which_failed() -> None:
    message = refusal_of("a\nb\n", Edit("a", "c"), Edit("nowhere", "d"))
    assert message.startswith("edit 2 of 2: old_string is not in the file.")
    assert message.endswith("None of the 2 edits was made; send all of them again.")
    assert refusal_of("a\n", Edit("nowhere", "d")).startswith("old_string is not in the file.")
    assert "edits is empty" in refusal_of("a\n")
    # The first edit makes the second ambiguous: which of the two was meant, nobody knows.
    assert "edit 2 of 2: old_string is there 2 times" in refusal_of("a\nx\nb\n", Edit("a\n", "a\nb\n"), Edit("b\n", "c\n"))


def test_what_an_earlier_edit_wrote_is_edited_again_only_if_it_is_there_exactly() -> None:
    first = Edit("a = 1\nb = 2\n", "if a:\n    b = 2\n    c = 3\n")
    assert replace_many("a = 1\nb = 2\n", [first, Edit("    c = 3\n", "    c = 4\n")]).text == "if a:\n    b = 2\n    c = 4\n"
    assert "what an earlier edit of this call wrote" in refusal_of("a = 1\nb = 2\n", first, Edit("b = 2\nc = 3\n", "b = 2\n"))


@pytest.mark.parametrize(
    ("text", "old", "new", "reason"),
    [
        ("a\nb\nc\n", "b\n", "x", "line 3 would be joined"),
        ("a\nb\nc\n", "\nb", "x", "joined to line 1"),
        ("a\n\nb\nc\n", "\n\nb\n", "\nb", "line 4 would be joined"),
        ("f(a) # why\nb\n", "# why\n", "", "a part of line 1 would stay"),
        ("a(\n  b)\n", "a(\n  b", "", "a part of line 2 would stay"),
        ("    foo()\n", "foo()", "foo()\nbar()", "leaves out the indentation of line 1"),
        ("    def f():\n        x\n", "def f():\n", "def f():\n    y\n", "leaves out the indentation of line 1"),
        ("    foo()\n", "foo()", "    bar()", "leaves out indentation of line 1, and new_string starts with another"),
        ("    foo()\n", " foo()", "    foo()\n    bar()", "whether to shift it is not certain"),
        ("first = 1\nsecond = 2\n", "second = 2", "first = 1\nsecond = 3", "line 1, `first = 1`, would be there twice"),
        ("first = 1\nsecond = 2\n", "first = 1", "first = 3\nsecond = 2", "line 2, `second = 2`, would be there twice"),
        ("first = 1\nsecond = 2\n", "first = 1\n", "first = 3\nsecond = 2\n", "line 2, `second = 2`, would be there twice"),
        ("a\nstop()\nstop()\n", "a\nstop()\n", "b\nstop()\nstop()\n", "line 3, `stop()`, would be there twice"),
        (
            "  if a:\n    b\nx\n    if a:\n      c\n      b\n",
            "    if a:\n      b\n",
            "    if a:\n      d\n",
            "but each of its lines is also in the file as sent",
        ),
        ("call(one, two)\n", "call(one", "call(zero, two)", "the rest of line 1, `, two)`, would be there twice"),
        ("x = my_name\n", "name", "x = my_name_2", "the start of line 1, `x = my_`, would be there twice"),
        ("import shutil\nimport sysconfig\n", "import shutil\nimport sys", "import signal\nimport sys", "ends in the middle of line 2"),
        ("Long title\n----------\n", "Long title\n---------", "Title\n-----", "ends in the middle of line 2"),
        ("reformat(x)\ny\n", "format(x)\ny", "print(x)\ny", "starts in the middle of line 1"),
    ],
)
def test_what_is_doubtful_is_refused(text: str, old: str, new: str, reason: str) -> None:
    message = refusal(text, old, new)
    assert message.startswith("Refused, since it is doubtful: ")
    assert reason in message


@pytest.mark.parametrize(
    ("text", "old", "new", "want"),
    [
        ("    return x\n", "return x", "return y", "    return y\n"),
        ("    if a:\n", "if a:", "if a:\n        b()", "    if a:\n        b()\n"),
        ("foo(a)\n", "foo(a", "foo(bar(a)", "foo(bar(a))\n"),
        ("colours\n", "colour", "color", "colors\n"),
        ("call(\n  a\n});\n", "  a\n}", "  b\n}", "call(\n  b\n});\n"),
        ("a\nb\nc\n", "b\n", "", "a\nc\n"),
        ("a\nb\nc\n", "b\n", "b", "a\nbc\n"),
        ("a\nb\n", "b\n", "x", "a\nx\n"),
        ("        foo()\nx\n", "    foo()\n", "", "x\n"),
        ("    foo()\nx\n", "foo()", "", "\nx\n"),
        ("        foo()\n", "    foo()", "    foo()\n    bar()", "        foo()\n        bar()\n"),
    ],
)
def test_what_is_clear_is_done(text: str, old: str, new: str, want: str) -> None:
    assert replace(text, old, new).text == want


@pytest.mark.parametrize(
    "line",
    [
        "# ... existing code ...",
        "// ... rest of the code unchanged ...",
        "/* … rest of file … */",
        "    // ...rest of the methods...",
        "<!-- ... existing content ... -->",
        "... (rest of the function remains the same)",
        "(rest of methods ...)",
        "[... unchanged code ...]",
        "# … (unchanged)",
        "-- ... same as before",
        "{/* ... existing props ... */}",
    ],
)
def test_a_line_that_stands_for_omitted_code_is_refused(line: str) -> None:
    assert f"its line `{line.strip()}` would be written" in refusal("a = 1\nb = 2\n", "a = 1", f"a = 3\n{line}")
    # It is no omission where the file has such a line.
    assert replace(f"a = 1\n{line}\n", f"a = 1\n{line}", f"a = 2\n{line}").text == f"a = 2\n{line}\n"


@pytest.mark.parametrize(
    "line",
    [
        "...",
        "    ...",
        "# Loading the rest of the code",
        "print('... existing code ...')",
        "return value  # ... rest of the code ...",
        "# Wait for the remaining ones ...",
        "const [first, ...rest] = code",
        "# and so on ...",
        "// other options ...",
    ],
)
def test_other_lines_with_dots_are_not_taken_for_omissions(line: str) -> None:
    assert replace("a = 1\n", "a = 1", f"a = 2\n{line}").text == f"a = 2\n{line}\n"


PARTS = st.text(alphabet="ab \t\n", max_size=30)


@settings(deadline=None)
@given(before=PARTS, old=PARTS.filter(bool), after=PARTS, new=PARTS)
def test_a_text_that_is_there_once_is_what_is_replaced(before: str, old: str, after: str, new: str) -> None:
    text = before + old + after
    try:
        done = replace(text, old, new)
    except ToolError:
        return
    assert done.count == 1
    if done.matched == "exact":
        assert text.count(old) == 1
        assert done.text in (text.replace(old, new), text.replace(old, new + "\n"))


@settings(deadline=None)
@given(text=PARTS, old=PARTS.filter(bool), new=PARTS)
def test_nothing_is_replaced_that_is_there_twice(text: str, old: str, new: str) -> None:
    if sum(text.startswith(old, place) for place in range(len(text))) > 1:
        assert refusal(text, old, new)


def test_several_lines_cut_out_between_words_are_replaced_as_sent() -> None:
    assert replace("hello world\nfoo bar\n", "world\nfoo", "there\nbaz").text == "hello there\nbaz bar\n"
    with pytest.raises(ToolError, match="in the middle of line"):
        replace("hello world\nfoo bar\n", "rld\nfoo", "there\nbaz")
