"""A search in slices ends where a search at once would."""

from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.transcript.search import Match, Search

TEXTS = st.lists(st.text("abAB ", max_size=12), min_size=1, max_size=12)


def whole(search: Search, texts: list[str], slice_chars: int = 1_000_000) -> Search:
    while not search.done:
        search.advance(texts.__getitem__, slice_chars)
    return search


@given(texts=TEXTS, needle=st.text("abAB", min_size=1, max_size=3), start=st.integers(0, 15), slice_chars=st.integers(1, 20))
def test_all_matches_in_order(texts: list[str], needle: str, start: int, slice_chars: int) -> None:
    search = whole(Search(needle, len(texts), start), texts, slice_chars)
    expected = [Match(block, nth) for block, text in enumerate(texts) for nth in range(text.lower().count(needle.lower()))]
    assert search.count == len(expected)
    if not expected:
        assert search.current is None
        assert search.go(1) is None
        return
    begin = start if start < len(texts) else 0
    first = next((match for match in expected if match.block >= begin), expected[0])
    assert search.current == first
    at = expected.index(first)
    assert search.number == at + 1
    for step in (1, 1, -1, -1, -1, len(expected) + 1):
        at = (at + step) % len(expected)
        assert search.go(step) == expected[at]
        assert search.number == at + 1


def test_a_slice_is_a_slice() -> None:
    texts = ["x" * 100] * 50
    looked: list[int] = []

    def text_of(index: int) -> str:
        looked.append(index)
        return texts[index]

    search = Search("y", 50)
    search.advance(text_of, 250)
    assert looked == [0, 1, 2]
    assert not search.done


def test_blocks_that_change_and_come() -> None:
    texts = ["one", "two one", "three"]
    search = whole(Search("one", 3, 1), texts)
    assert (search.count, search.current) == (2, Match(1, 0))
    search.changed(1, "two one one")
    assert search.count == 3
    search.go(1)
    assert search.current == Match(1, 1)
    search.inserted(3, "last ONE")
    assert search.count == 4
    search.inserted(1, "one in between")
    assert (search.count, search.current, search.number) == (5, Match(2, 1), 4)
    search.changed(2, "two")
    assert (search.count, search.current, search.number) == (3, None, 0)
    assert search.go(-1) == Match(4, 0)


def test_a_block_that_comes_while_the_search_is_on() -> None:
    texts = ["a", "a", "a"]
    search = Search("a", 3, 2)
    search.advance(texts.__getitem__, 1)
    texts.append("a")
    search.inserted(3, "a")
    texts.insert(0, "a")
    search.inserted(0, "a")
    assert whole(search, texts).count == 5


def test_no_blocks() -> None:
    assert whole(Search("a", 0), []).go(1) is None
