"""What is known of blocks follows them through changes, and stays near the truth."""

from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.interactive.view.blocks import Answered, Block, Prompted, Thought, Told
from kimicode.tui.transcript.sheet import Sheet
from kimicode.tui.transcript.spacing import gap_before
from kimicode.tui.transcript.texts import text_of
from tests.tui.transcript.host import LOOK, Drawing, call, lines, talk

KINDS = st.sampled_from([Prompted("a\nb"), Answered("c"), Thought("d\ne\nf", 1.0), Told("g"), Told("<nothing>"), call(1, "h\ni")])


def test_a_gap_between_kinds() -> None:
    said, did, noted = Prompted("a"), call(1, "b"), Told("c")
    assert gap_before(said, None) == 0
    assert gap_before(did, said) == gap_before(said, did) == gap_before(noted, did) == gap_before(Answered("x"), Answered("y")) == 1
    assert gap_before(did, Thought("x")) == gap_before(did, did) == gap_before(noted, noted) == 0


def test_draws_when_asked_and_once() -> None:
    drawing = Drawing()
    sheet = Sheet(drawing, LOOK)
    sheet.show(talk(100))
    assert drawing.times == 0
    assert sheet.exact(7) == sheet.exact(7) == len(sheet.lines(7)) == sheet.known(7)
    assert drawing.times == 1
    sheet.changed(range(100))
    sheet.exact(7)
    assert drawing.times == 1


@settings(max_examples=60)
@given(
    start=st.lists(KINDS, max_size=8),
    changes=st.lists(st.tuples(st.sampled_from(["append", "replace", "think"]), st.integers(0, 20), KINDS), max_size=12),
)
def test_heights_are_those_of_what_is_there(start: list[Block], changes: list[tuple[str, int, Block]]) -> None:
    blocks = list(start)
    sheet = Sheet(Drawing(), LOOK)
    sheet.show(blocks)
    for what, where, block in changes:
        at = where % (len(blocks) + 1)
        if what == "append":
            blocks.append(block)
            sheet.changed(range(len(blocks) - 1, len(blocks)))
        elif what == "replace" and at < len(blocks):
            blocks[at] = Answered(text_of(blocks[at]) + "\nmore") if isinstance(blocks[at], Answered) else blocks[at]
            sheet.changed(range(at, at + 1))
        elif what == "think" and at < len(blocks) and isinstance(blocks[at], Answered):
            blocks.insert(at, Thought("thought", 1.0))
            assert sheet.changed(range(at, len(blocks))).inserted == (at,)
        sheet.exact(0) if blocks else None
    assert [sheet[index] for index in range(len(sheet))] == blocks
    for index in range(len(blocks)):
        shown = [strip.text for strip in sheet.lines(index)]
        fresh = Drawing()(blocks[index], LOOK, folded=True, before=None)
        gap = gap_before(blocks[index], blocks[index - 1] if index else None) if fresh.lines else 0
        assert shown == [""] * gap + [strip.text for strip in fresh.lines]
        assert sheet.exact(index) == len(shown)
    assert sheet.heights.total == sum(sheet.exact(index) for index in range(len(blocks)))


def test_a_fold_goes_with_its_block() -> None:
    blocks: list[Block] = [Told("a"), Answered("b"), call(1, lines("c", 5))]
    sheet = Sheet(Drawing(), LOOK)
    sheet.show(blocks)
    sheet.fold(2, False)
    blocks.insert(1, Thought("t", 1.0))
    sheet.changed(range(1, 4))
    assert [sheet.folded(index) for index in range(4)] == [True, True, True, False]
    assert sheet.exact(3) == 6 + 1
    sheet.fold_all(False)
    assert not any(sheet.folded(index) for index in range(4))


def test_a_search_text_of_every_kind() -> None:
    assert text_of(call(3, "result")) == "tool3 {}\nresult"
    assert [text_of(block) for block in (Prompted("p"), Answered("a"), Thought("t"), Told("n"))] == ["p", "a", "t", "n"]
