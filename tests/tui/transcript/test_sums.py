"""A naive list says what every sum is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.tui.transcript.sums import Sums

COUNTS = st.lists(st.integers(0, 9), max_size=40)
CHANGES = st.lists(st.tuples(st.sampled_from(["set", "append", "insert"]), st.integers(0, 60), st.integers(0, 9)), max_size=40)


def check(sums: Sums, counts: list[int]) -> None:
    assert len(sums) == len(counts)
    assert sums.total == sum(counts)
    assert [sums[index] for index in range(len(counts))] == counts
    assert [sums.before(index) for index in range(len(counts) + 1)] == [sum(counts[:index]) for index in range(len(counts) + 1)]
    owners = [(index, offset) for index, count in enumerate(counts) for offset in range(count)]
    assert [sums.at(position) for position in range(sums.total)] == owners
    assert sums.at(sums.total + 3) == (len(counts), 3)


@given(counts=COUNTS, changes=CHANGES)
def test_as_a_plain_list(counts: list[int], changes: list[tuple[str, int, int]]) -> None:
    sums = Sums(counts)
    check(sums, counts)
    for what, where, count in changes:
        if what == "append":
            sums.append(count)
            counts.append(count)
        elif what == "insert":
            at = where % (len(counts) + 1)
            sums.insert(at, count)
            counts.insert(at, count)
        elif counts:
            sums.set(where % len(counts), count)
            counts[where % len(counts)] = count
    check(sums, counts)


def test_a_hundred_thousand() -> None:
    sums = Sums([3] * 100_000)
    for index in range(0, 100_000, 7):
        sums.set(index, 0)
    sums.insert(99_990, 5)
    assert sums.total == 3 * 100_000 - 3 * len(range(0, 100_000, 7)) + 5
    index, offset = sums.at(sums.total - 1)
    assert (index, offset) == (100_000, 2)


def test_nothing() -> None:
    assert Sums().at(0) == (0, 0)
    with pytest.raises(IndexError):
        Sums()[0]
