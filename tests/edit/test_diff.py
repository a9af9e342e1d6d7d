"""A diff for a tool's answer: right line numbers, few lines, quick."""

import time

from hypothesis import given
from hypothesis import strategies as st

from kimicode.edit.diff import changes


def test_changes() -> None:
    assert changes("a\nb\nc\nd\ne\nf\n", "a\nB\nc\nd\ne\nF\n") == "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n@@ -5,3 +5,3 @@\n e\n-f\n+F\n "
    assert changes("a\r\nb\r\n", "a\nb\n") == changes("a", "a") == ""
    assert changes("", "new\n", context=0) == "@@ -1,0 +1,1 @@\n+new"


def test_long_changes_are_cut() -> None:
    shown = changes("", "line\n" * 100, max_lines=5).split("\n")
    assert len(shown) == 6
    assert shown[-1] == "… 97 more lines"
    assert len(changes("a", "b" * 10_000)) < 300


def test_a_small_change_in_a_large_file_is_found_at_once() -> None:
    text = "".join(f"line {n}\n" for n in range(100_000))
    started = time.perf_counter()
    assert changes(text, text.replace("line 50000\n", "")) == "@@ -50000,3 +50000,2 @@\n line 49999\n-line 50000\n line 50001"
    assert "more lines" in changes(text, text.replace("7", "8"))
    assert time.perf_counter() - started < 5


@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")))
def test_what_is_added_and_taken_away_adds_up(a: list[str], b: list[str]) -> None:
    lines = changes("\n".join(a), "\n".join(b), max_lines=1000).split("\n")
    added, removed = (sorted(line[1:] for line in lines if line[:1] == sign) for sign in "+-")
    assert sorted([*("\n".join(a).split("\n")), *added]) == sorted([*("\n".join(b).split("\n")), *removed])
