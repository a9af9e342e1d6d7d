"""The widget in a small application: its cursor, its search, its selection, and what it asks for."""

import msgspec
import pytest
from textual.pilot import Pilot

from kimicode.events import FileChange
from kimicode.files.state import MISSING
from kimicode.interactive.view.blocks import Answered, Block, Called, Thought, Told
from kimicode.tui.transcript.messages import CopyRequested, Found, OpenRequested, QuoteRequested, WantDiffs
from tests.tui.transcript.host import Host, call, lines, run, talk
from tests.tui.waiting import until


def found(host: Host) -> tuple[int, int, bool]:
    message = host.last(Found)
    assert isinstance(message, Found)
    return message.number, message.count, message.done


def test_search_finds_what_is_folded_and_never_drawn() -> None:
    blocks = talk(400)
    blocks[42] = call(42, lines("inside", 20) + "\nThe Needle is here")
    blocks[300] = Thought("a needle that was thought\nNEEDLE", 1.0)
    host = Host(blocks)

    async def body(pilot: Pilot[None]) -> None:
        host.view.find("needle")
        await until(pilot, lambda: host.last(Found) and found(host)[2])
        assert found(host) == (1, 3, True)
        assert "The Needle is here" in host.shown()
        host.view.find_next(1)
        await until(pilot, lambda: found(host)[0] == 2)
        assert "a needle that was thought" in host.shown()
        host.view.find_next(-1)
        await until(pilot, lambda: found(host)[0] == 1)
        assert "The Needle is here" in host.shown()
        host.blocks.append(Told("needle"))
        host.view.changed(range(400, 401))
        await until(pilot, lambda: found(host)[1] == 4)
        host.view.find("")
        await until(pilot, lambda: found(host) == (0, 0, True))

    run(host, body)


def test_a_search_that_another_one_ends() -> None:
    host = Host([Told("one " * 2_000 + "two") for _ in range(200)])

    async def body(pilot: Pilot[None]) -> None:
        host.view.find("one")
        host.view.find("two")
        await until(pilot, lambda: host.last(Found) and found(host)[2])
        assert found(host)[1:] == (200, True)
        assert not any(isinstance(message, Found) and message.done and message.count != 200 for message in host.told)

    run(host, body)


def test_the_current_match_stands_out() -> None:
    host = Host([Told("one needle, another needle"), Told("needle")])

    async def body(pilot: Pilot[None]) -> None:
        host.view.find("needle")
        await until(pilot, lambda: host.last(Found))

        def colours(y: int) -> list[object]:
            return [segment.style.bgcolor for segment in host.view.render_line(y) if segment.text == "needle" and segment.style]

        first = colours(0)
        assert len(set(first)) == 2
        assert colours(1) == first[1:]
        host.view.find_next()
        assert colours(0) == first[::-1]

    run(host, body)


def test_the_cursor_and_what_is_asked_for() -> None:
    host = Host(talk(30))

    async def body(pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert host.last(CopyRequested) is None
        await pilot.press("alt+up")
        assert host.view.cursor == 29
        assert [host.view._line(y, host.view.rich_style).text[:7] for y in (8, 9, 10, 15)] == [" ▌ b28.", " " * 7, "▌▌ b29.", "▌▌ b29."]
        host.screen.set_focus(None)
        await pilot.pause()
        assert host.view._line(15, host.view.rich_style).text.startswith(" ▌ b29.")
        host.view.focus()
        await pilot.press("alt+up", "enter")
        assert host.view.cursor == 28
        await pilot.press("c", "y", "o")
        await until(pilot, lambda: host.last(OpenRequested))
        copied, quoted, opened = host.last(CopyRequested), host.last(QuoteRequested), host.last(OpenRequested)
        assert isinstance(copied, CopyRequested)
        assert isinstance(quoted, QuoteRequested)
        assert isinstance(opened, OpenRequested)
        assert copied.text == quoted.text == host.view.text_of(28)
        assert (opened.index, opened.block) == (28, host.blocks[28])
        for _ in range(28):
            host.view.move_cursor(-1)
        assert host.view.cursor == 0
        assert host.shown()[0] == "b0.0"
        await pilot.press("alt+up")
        assert host.view.cursor == 0
        for _ in range(30):
            host.view.move_cursor(1)
        assert host.view.following

    run(host, body)


def test_letters_are_for_whoever_wants_them_unless_there_is_a_cursor() -> None:
    host = Host(talk(30))

    async def body(pilot: Pilot[None]) -> None:
        await pilot.press("c", "o")
        assert host.keys == ["c", "o"]
        host.view.set_cursor(26)
        await pilot.press("enter", "c")
        await until(pilot, lambda: host.last(CopyRequested))
        assert not host.view.sheet.folded(26)
        assert host.keys == ["c", "o"]
        await pilot.press("x", "c", "enter")
        assert host.view.cursor is None
        assert host.keys == ["c", "o", "x", "c", "enter"]
        host.view.set_cursor(26)
        await pilot.press("escape", "escape")
        assert host.view.cursor is None
        assert host.keys[5:] == ["escape"]

    run(host, body)


def test_a_click_on_the_first_line_unfolds() -> None:
    host = Host([call(1, lines("inside", 3)), Told("after")])

    async def body(pilot: Pilot[None]) -> None:
        await pilot.click(host.view, offset=(5, 0))
        await until(pilot, lambda: host.shown()[1] == "inside.0")
        await pilot.click(host.view, offset=(5, 1))
        await pilot.pause()
        assert host.shown()[1] == "inside.0"
        await pilot.click(host.view, offset=(5, 0))
        await until(pilot, lambda: host.shown()[1:3] == ["", "after"])
        assert host.view.cursor is None
        host.view.set_cursor(0)
        await pilot.click(host.view, offset=(5, 9))
        assert host.view.cursor == 0
        await pilot.click(host.view, offset=(5, 2))
        assert host.view.cursor == 1

    run(host, body)


def test_a_selection_copies_text_without_gutters() -> None:
    host = Host([Told("first line\nsecond line"), Answered("third\nfourth"), *talk(2)])

    async def body(pilot: Pilot[None]) -> None:
        await pilot.mouse_down(host.view, offset=(9, 0))
        await pilot.hover(host.view, offset=(7, 3))
        await pilot.mouse_up(host.view, offset=(7, 3))
        await until(pilot, lambda: host.screen.get_selected_text())
        assert host.screen.get_selected_text() == "line\nsecond line\n\nthird"
        # What grows above doesn't move the selection.
        host.blocks[0] = Told("zero\nfirst line\nsecond line")
        host.view.changed(range(1))
        assert str(host.screen.get_selected_text()).endswith("third")
        host.view.show([Told("other")])
        assert host.screen.get_selected_text() is None

    run(host, body)


@pytest.mark.parametrize("end", [(0, 1), (58, 15)])
def test_a_selection_that_ends_beside_the_text(end: tuple[int, int]) -> None:
    host = Host([Told("first\nsecond"), Told("third")], max_width=20)

    async def body(pilot: Pilot[None]) -> None:
        left = host.view._column.left
        await pilot.mouse_down(host.view, offset=(left + 2, 0))
        await pilot.hover(host.view, offset=end)
        await pilot.mouse_up(host.view, offset=end)
        await until(pilot, lambda: host.screen.get_selected_text())
        assert host.screen.get_selected_text() == ("first" if end[1] == 1 else "first\nsecond\nthird")

    run(host, body)


def test_everything_can_be_selected() -> None:
    blocks: list[Block] = [Told(f"line {index}") for index in range(200)]
    host = Host(blocks)

    async def body(pilot: Pilot[None]) -> None:
        host.view.text_select_all()
        await until(pilot, lambda: host.screen.get_selected_text())
        assert host.screen.get_selected_text() == "\n".join(f"line {index}" for index in range(200))

    run(host, body)


def test_everything_of_a_long_session_is_copied_as_it_was_written() -> None:
    host = Host([Told(f"line {index}") for index in range(10_000)])

    async def body(pilot: Pilot[None]) -> None:
        drawn = host.drawing.times
        host.view.text_select_all()
        await until(pilot, lambda: host.screen.get_selected_text())
        assert host.screen.get_selected_text() == "\n".join(f"line {index}" for index in range(10_000))
        assert host.drawing.times - drawn <= 2

    run(host, body)


def test_a_second_click_selects_the_block() -> None:
    host = Host([Told("first\nsecond"), Told("third")])

    async def body(pilot: Pilot[None]) -> None:
        await pilot.click(host.view, offset=(5, 1), times=2)
        await until(pilot, lambda: host.screen.get_selected_text())
        assert host.screen.get_selected_text() == "first\nsecond"

    run(host, body)


def test_calls_on_the_screen_want_their_diffs_once() -> None:
    changed = msgspec.structs.replace(call(1, "x"), changes=(_change("a.py"),))
    host = Host([changed, *talk(60), msgspec.structs.replace(changed, call=call(2, "").call)])

    async def body(pilot: Pilot[None]) -> None:
        def wanted() -> list[str]:
            return [message.call_id for message in host.told if isinstance(message, WantDiffs)]

        await until(pilot, lambda: wanted() == ["call2"])
        await pilot.press("pageup", "pageup", "end", "home")
        await until(pilot, lambda: wanted() == ["call2", "call1"])
        assert isinstance(host.blocks[0], Called)
        host.blocks[0] = msgspec.structs.replace(host.blocks[0], changes=(_change("a.py"), _change("b.py")))
        host.view.changed(range(1))
        await until(pilot, lambda: wanted() == ["call2", "call1", "call1"])

    run(host, body)


def test_a_block_that_comes_in_before_others() -> None:
    """A thought that did not stream is put before the answer that did."""
    host = Host([*talk(40), Answered("answer", done=False), call(1, lines("inside", 5))])

    async def body(pilot: Pilot[None]) -> None:
        host.view.toggle(41)
        host.view.follow_end()
        host.view.set_cursor(41)
        host.blocks[40:41] = [Thought("thought", 1.0), Answered("answer")]
        host.view.changed(range(40, 43))
        assert host.view.cursor == 42
        assert "thought" in host.shown()
        assert "inside.4" in host.shown()
        host.view.scroll_to_block(41)
        was = host.shown()
        host.blocks.insert(41, Thought("another", 1.0))
        host.view.changed(range(41, 44))
        assert host.shown() == was or host.view.following

    run(host, body)


def _change(path: str) -> FileChange:
    return FileChange(path, MISSING, MISSING)
