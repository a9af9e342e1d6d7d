import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.dialogs.matching import folded_case, matching

OPTIONS = [
    folded_case(*option) for option in [("kimi-nano", "in the box"), ("gpt-oss", "endpoint"), ("old nano", ""), ("Nano two", "in the box")]
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("", [0, 1, 2, 3]),
        ("  ", [0, 1, 2, 3]),
        ("nano", [3, 0, 2]),
        ("NANO two", [3]),
        ("box", [0, 3]),
        ("end gpt", [1]),
        ("kmn", [0]),
        ("zzz", []),
    ],
)
def test_what_fits_best_first(wanted: str, found: list[int]):
    assert matching(wanted, OPTIONS) == found


@given(st.text(max_size=8), st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8))
def test_every_option_is_found_at_most_once_and_by_its_own_words(wanted: str, options: list[tuple[str, str]]):
    folded = [folded_case(*option) for option in options]
    found = matching(wanted, folded)
    assert len(found) == len(set(found))
    assert set(found) <= set(range(len(options)))
    for index, (label, _) in enumerate(options):
        assert index in matching(label, folded)
