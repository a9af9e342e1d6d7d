"""Guesses are at least a line and near the truth; exact heights take their place."""

import pytest

from kimicode.interactive.view.blocks import Answered, Block, Called, Prompted, Ran, Thought, Told
from kimicode.messages import ToolCall
from kimicode.tui.transcript.heights import Heights, guess_height
from tests.tui.transcript.host import LOOK, lines


def test_guess_then_exact() -> None:
    heights = Heights([2, 3])
    heights.append(4)
    heights.insert(1, 1)
    assert [heights[index] for index in range(4)] == [2, 1, 3, 4]
    assert not any(heights.is_exact(index) for index in range(4))
    heights.set(2, 0)
    assert heights.is_exact(2)
    assert heights.total == 7
    assert heights.top_of(3) == 3
    assert heights.block_at(3) == (3, 0)
    heights.set(2, 5, exact=False)
    assert not heights.is_exact(2)


@pytest.mark.parametrize(
    ("block", "folded", "least", "most"),
    [
        (Prompted(lines("a", 50)), True, 30, 30),
        (Answered(""), True, 0, 0),
        (Thought(" \n"), True, 0, 0),
        (Answered(lines("a", 50)), True, 50, 52),
        (Answered("x" * 800), False, 10, 12),
        (Thought(lines("a", 50), 3.0), True, 1, 2),
        (Thought(lines("a", 50), 3.0), False, 50, 52),
        (Called(ToolCall("1", "shell", "{}"), result=lines("a", 50)), True, 8, 10),
        (Called(ToolCall("1", "shell", "{}"), result=lines("a", 50)), False, 50, 52),
        (Ran("ls", lines("a", 50)), True, 8, 10),
        (Told("hello"), False, 1, 2),
    ],
)
def test_guess(block: Block, folded: bool, least: int, most: int) -> None:
    assert least <= guess_height(block, LOOK, folded=folded) <= most
