"""How many lines a change adds and removes."""

import pytest

from kimicode.interactive.looking import counts
from kimicode.sandbox.approval import FileText


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (None, "one\ntwo\n", (2, 0)),  # the end of the last line was taken for a line of its own
        (None, "one", (1, 0)),
        ("one\ntwo\n", None, (0, 2)),
        ("one\ntwo\n", "two\nthree\nfour\n", (2, 1)),
        ("one\n", "one\n\n", (1, 0)),
        (None, None, None),
    ],
)
def test_counts(before, after, found):
    assert counts(FileText("a", before, after)) == found
