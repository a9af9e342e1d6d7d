"""So many lines are kept and no more, and only what is still true of a block."""

from hypothesis import given
from hypothesis import strategies as st
from textual.strip import Strip

from kimicode.interactive.view.blocks import Answered, Block, Prompted, Thought
from kimicode.tui.draw.values import Drawn, Look
from kimicode.tui.transcript.cache import Cache
from tests.tui.transcript.host import LOOK

OTHER = Look(width=40, palette=LOOK.palette)


def drawn(count: int) -> Drawn:
    return Drawn((Strip([]),) * count)


def test_only_this_block_drawn_this_way() -> None:
    cache, block = Cache(), Answered("a")
    cache.put(0, block, LOOK, drawn(2), folded=False)
    assert cache.get(0, block, LOOK, folded=False) == drawn(2)
    assert cache.get(0, Answered("a"), LOOK, folded=False) is None
    assert cache.get(0, block, LOOK, folded=True) is None
    assert cache.get(0, block, OTHER, folded=False) is None
    assert cache.get(1, block, LOOK, folded=False) is None


def test_before_is_the_same_text_as_far_as_it_went() -> None:
    cache = Cache()
    cache.put(0, Answered("one ", done=False), LOOK, drawn(2), folded=False)
    assert cache.before(0, Answered("one two"), LOOK, folded=False) == drawn(2)
    # An answer that was asked for again begins anew: lines of the old one must not be kept.
    assert cache.before(0, Answered("other"), LOOK, folded=False) is None
    others: list[Block] = [Thought("one two"), Prompted("one two")]
    assert all(cache.before(0, block, LOOK, folded=False) is None for block in others)
    assert cache.before(0, Answered("one two"), OTHER, folded=False) is None


def test_what_is_on_the_screen_stays() -> None:
    cache, blocks = Cache(10), [Answered(str(index)) for index in range(3)]
    for index, block in enumerate(blocks):
        cache.put(index, block, LOOK, drawn(20), folded=False)
    cache.trim()
    assert all(cache.get(index, block, LOOK, folded=False) for index, block in enumerate(blocks))
    cache.trim()
    cache.get(1, blocks[1], LOOK, folded=False)
    cache.trim()
    assert cache.get(0, blocks[0], LOOK, folded=False) is None
    assert cache.get(1, blocks[1], LOOK, folded=False) is not None


def test_indexes_that_moved_are_forgotten() -> None:
    cache, blocks = Cache(), [Answered(str(index)) for index in range(3)]
    for index, block in enumerate(blocks):
        cache.put(index, block, LOOK, drawn(2), folded=False)
    cache.forget_from(1)
    assert cache.lines == 3
    assert cache.get(0, blocks[0], LOOK, folded=False) is not None
    assert cache.get(2, blocks[2], LOOK, folded=False) is None


@given(puts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60))
def test_never_more_lines_than_there_is_room_for(puts: list[tuple[int, int]]) -> None:
    cache = Cache(25)
    kept: dict[int, int] = {}
    for index, count in puts:
        cache.put(index, Answered(str(index)), LOOK, drawn(count), folded=False)
        kept[index] = count + 1
        cache.trim()
        assert cache.lines <= 25
        assert cache.lines <= sum(kept.values())
