"""The widget in a small application: what is on the screen stays, and what is not is not drawn."""

import random

import msgspec
import pytest
from textual import events
from textual.geometry import Size
from textual.pilot import Pilot

from kimicode.interactive.view.blocks import Answered, Block, Prompted, Told
from kimicode.tui.draw.values import Look
from kimicode.tui.transcript.anchor import Place
from kimicode.tui.transcript.messages import NewBelow
from kimicode.tui.transcript.spacing import gap_before
from kimicode.tui.transcript.texts import text_of
from tests.tui.transcript.host import LOOK, Host, call, lines, run, talk
from tests.tui.waiting import until


def below(host: Host) -> int:
    message = host.last(NewBelow)
    return message.count if isinstance(message, NewBelow) else 0


def test_opens_at_the_end_and_draws_what_is_seen() -> None:
    host = Host(talk(10_000))

    async def body(pilot: Pilot[None]) -> None:
        assert host.shown()[-1] == "b9999.0"
        assert host.view.following
        assert host.drawing.times <= 16

    run(host, body)


def test_nothing_to_show() -> None:
    host = Host([])

    async def body(pilot: Pilot[None]) -> None:
        assert host.shown() == [""] * 16
        await pilot.press("pageup", "end", "up", "alt+up", "alt+down", "enter", "c", "home")
        host.view.find("x")
        host.view.find_next()
        host.blocks.append(Told("hello"))
        host.view.changed(range(1))
        assert host.shown()[0] == "hello"

    run(host, body)


def test_blocks_that_draw_to_nothing() -> None:
    host = Host([Told("<nothing>") for _ in range(100)])

    async def body(pilot: Pilot[None]) -> None:
        assert host.shown() == [""] * 16
        await pilot.press("pageup", "alt+up")
        assert host.view.virtual_size.height == 0
        host.blocks[50] = Told("something")
        host.view.changed(range(50, 51))
        assert host.shown()[0] == "something"

    run(host, body)


def test_a_stream_at_the_end_is_followed() -> None:
    host = Host([*talk(50), Answered("start", done=False)])

    async def body(pilot: Pilot[None]) -> None:
        for index in range(20):
            host.blocks[-1] = Answered(lines("stream", index + 1), done=False)
            host.view.changed(range(50, 51))
            await pilot.pause()
            assert host.shown()[-1] == f"stream.{index}"
        assert host.view.following
        assert below(host) == 0
        assert host.view.scroll_y == host.view.max_scroll_y

    run(host, body)


def test_a_stream_hands_back_what_is_drawn() -> None:
    host = Host([Answered("one\n", done=False)])

    async def body(pilot: Pilot[None]) -> None:
        before = host.view.sheet.drawn(0)
        host.drawing.on.clear()
        host.blocks[0] = Answered("one\ntwo", done=False)
        host.view.changed(range(1))
        assert [drawn for drawn, _ in host.drawing.on] == [before]
        host.blocks[0] = Answered("other", done=False)
        host.view.changed(range(1))
        assert host.drawing.on[-1][0] is None

    run(host, body)


def test_a_stream_repaints_the_lines_that_changed() -> None:
    host = Host([Answered("one\ntwo\nthree", done=False)])

    async def body(pilot: Pilot[None]) -> None:
        painted: list[int] = []
        host.view.repaint = lambda ys: painted.extend(ys)  # type: ignore[method-assign]
        host.blocks[0] = Answered("one\ntwo\nthree and more\nfour", done=False)
        host.view.changed(range(1))
        assert painted == [2, 3]

    run(host, body)


def test_a_stream_does_not_move_who_has_scrolled_up() -> None:
    host = Host([*talk(50), Answered("start", done=False)])

    async def body(pilot: Pilot[None]) -> None:
        await pilot.press("pageup", "pageup")
        was, drawn = host.shown(), host.drawing.times
        for index in range(40):
            host.blocks[50] = Answered(lines("stream", index + 1), done=False)
            host.view.changed(range(50, 51))
        host.blocks.append(Told("more"))
        host.view.changed(range(51, 52))
        await until(pilot, lambda: below(host) == 2)
        assert host.shown() == was
        assert host.drawing.times == drawn
        assert not host.view.following
        await pilot.press("end")
        await until(pilot, lambda: below(host) == 0)
        assert host.shown()[-1] == "more"

    run(host, body)


def test_what_grows_above_does_not_move_the_view() -> None:
    host = Host(talk(200))

    async def body(pilot: Pilot[None]) -> None:
        host.view.scroll_to_block(100, 1)
        was, scrolled = host.shown(), host.view.scroll_y
        for index in range(0, 100, 3):
            host.blocks[index] = Told(lines("grown", 30))
        host.view.changed(range(100))
        await pilot.pause()
        assert host.shown() == was
        assert host.view.scroll_y > scrolled

    run(host, body)


def test_scrolls_up_through_everything_line_by_line() -> None:
    blocks = talk(300)
    host = Host(blocks)

    async def body(pilot: Pilot[None]) -> None:
        host.view.fold_all(False)
        above: list[Block | None] = [None, *blocks]
        pairs = zip(blocks, above, strict=False)
        whole = [line for block, before in pairs for line in [""] * gap_before(block, before) + text_of(block).split("\n")]
        top = len(whole) - 16
        steps = random.Random(1)
        while top > 0:
            up = steps.choice([1, 3, 15])
            top = max(0, top - up)
            host.view.move(-up)
            assert host.shown() == whole[top : top + 16]
        assert host.view.scroll_y == 0
        assert host.view.virtual_size.height == len(whole)

    run(host, body)


def test_the_scroll_bar_goes_where_it_is_dragged() -> None:
    host = Host(talk(1000))

    async def body(pilot: Pilot[None]) -> None:
        drawn = host.drawing.times
        host.view.scroll_y = host.view.max_scroll_y // 2
        await pilot.pause()
        assert 400 < host.view.place.block < 600
        assert host.drawing.times - drawn <= 20
        host.view.scroll_y = 0
        assert host.view.place == Place(0, 0)
        host.view.scroll_y = host.view.max_scroll_y
        assert host.view.following

    run(host, body)


def test_parts_of_a_line_add_up() -> None:
    """A selection that is dragged out of the view scrolls by a fraction of a line at a time."""
    host = Host(talk(100))

    async def body(pilot: Pilot[None]) -> None:
        for index in range(100):
            host.view.sheet.exact(index)
        host.view.scroll_to_block(50)
        start = host.view.scroll_y
        for _ in range(20):
            host.view.scroll_y -= 0.3
        assert round(host.view.scroll_y) == start - 6
        assert host.view.sheet.heights.top_of(host.view.place.block) + host.view.place.line == start - 6

    run(host, body)


def test_wheel_and_keys() -> None:
    host = Host(talk(100))

    async def body(pilot: Pilot[None]) -> None:
        end = host.view.scroll_y
        await pilot._post_mouse_events([events.MouseScrollUp], host.view, offset=(5, 5))
        await until(pilot, lambda: host.view.scroll_y < end)
        await pilot.press("home")
        assert host.shown()[0] == "b0.0"
        await pilot.press("down")
        assert host.view.place != Place(0, 0)
        await pilot.press("end")
        assert host.view.following

    run(host, body)


def test_folding_keeps_the_first_line_where_it_is() -> None:
    host = Host([*talk(80), call(99, lines("inside", 100))])

    async def body(pilot: Pilot[None]) -> None:
        head = next(y for y, line in enumerate(host.shown()) if "tool78" in line)
        assert host.view.toggle(78)
        assert "tool78" in host.shown()[head]
        assert host.shown()[head + 1] == "inside78.0"
        host.view.toggle(78)
        assert "tool78" in host.shown()[head]
        assert host.view.following
        # The last block: unfolding shows its beginning, not its end.
        assert host.shown()[-1] == "tool99 {}"
        host.view.toggle(80)
        assert host.shown()[-1] == "tool99 {}"
        assert not host.view.following
        host.view.move(10)
        host.view.toggle(80)
        assert "tool99 {}" in host.shown()

    run(host, body)


def test_folding_from_inside_goes_to_the_first_line() -> None:
    host = Host([*talk(20), call(99, lines("inside", 100)), *talk(20)])

    async def body(pilot: Pilot[None]) -> None:
        host.view.toggle(20)
        host.view.scroll_to_block(20, 50)
        host.view.toggle(20)
        assert host.shown()[0] == "tool99 {}"

    run(host, body)


def test_what_cannot_be_folded_is_not() -> None:
    host = Host([Prompted("hello")])

    async def body(pilot: Pilot[None]) -> None:
        assert not host.view.toggle(0)

    run(host, body)


def test_all_at_once() -> None:
    host = Host([call(index, lines(f"inside{index}", 3)) for index in range(50)])

    async def body(pilot: Pilot[None]) -> None:
        host.view.scroll_to_block(20)
        host.view.fold_all(False)
        assert host.shown()[:2] == ["tool20 {}", "inside20.0"]
        host.view.fold_all(True)
        assert host.shown()[:2] == ["tool20 {}", "tool21 {}"]

    run(host, body)


@pytest.mark.parametrize("width", [20, 40, 119, 300])
def test_a_new_width_keeps_the_block_at_the_top(width: int) -> None:
    host = Host([Answered(f"b{index} " + "word " * 60) for index in range(100)])

    async def body(pilot: Pilot[None]) -> None:
        host.view.scroll_to_block(50, 0)
        await pilot.resize_terminal(width, 16)
        await until(pilot, lambda: host.view._column.screen == width - 1)
        assert host.view.place == Place(50, 1)
        assert host.shown()[0].startswith("b50")
        assert all(len(line) <= width for line in host.shown())
        host.view.follow_end()
        await pilot.resize_terminal(60, 20)
        await until(pilot, lambda: host.view._laid_size == Size(60, 20))
        assert host.view.following

    run(host, body)


def test_a_narrow_moment_loses_no_place() -> None:
    host = Host([Answered("word " * 600) for _ in range(20)])

    async def body(pilot: Pilot[None]) -> None:
        host.view.scroll_to_block(10, 33)
        for width in (37, 21, 90, 60):
            await pilot.resize_terminal(width, 16)
            await until(pilot, lambda width=width: host.view._column.screen == width - 1)
        assert abs(host.view.place.line - 33) <= 1

    run(host, body)


def test_a_storm_of_sizes_draws_once() -> None:
    host = Host(talk(1000))

    async def body(pilot: Pilot[None]) -> None:
        drawn = host.drawing.times
        for width in range(61, 100):
            size = Size(width, 16)
            host.post_message(events.Resize(size, size))
        await until(pilot, lambda: host.view._column.screen == 98)
        assert host.drawing.times - drawn <= 3 * 16

    run(host, body)


def test_a_column_in_the_middle() -> None:
    host = Host([Answered("x" * 200)], max_width=40)

    async def body(pilot: Pilot[None]) -> None:
        assert host.view.render_line(0).text.rstrip() == " " * 9 + "▌ " + "x" * 38
        host.view.set_max_width(0)
        assert host.view.render_line(0).text.rstrip() == " ▌ " + "x" * 55

    run(host, body)


def test_another_look_keeps_the_place() -> None:
    host = Host(talk(100))

    async def body(pilot: Pilot[None]) -> None:
        host.view.scroll_to_block(50)
        was, drawn = host.shown(), host.drawing.times
        host.view.set_look(msgspec.structs.replace(LOOK, width=7))
        assert host.drawing.times == drawn
        host.view.set_look(Look(width=7, palette=LOOK.palette, diff="split"))
        assert host.shown() == was
        assert 0 < host.drawing.times - drawn <= 16

    run(host, body)


def test_changes_that_come_before_there_is_a_size() -> None:
    host = Host(talk(5))
    host.view.show(host.blocks)
    host.view.set_look(Look(width=7, palette=LOOK.palette, diff="split"))
    host.blocks.append(Told("more"))
    host.view.changed(range(5, 6))

    async def body(pilot: Pilot[None]) -> None:
        assert "more" in host.shown()

    run(host, body)


def test_other_blocks_altogether() -> None:
    host = Host(talk(100))

    async def body(pilot: Pilot[None]) -> None:
        await pilot.press("home")
        host.view.show([Told("other")])
        assert host.shown() == ["other", *[""] * 15]
        assert host.view.following

    run(host, body)


def test_memory_is_bounded() -> None:
    host = Host(talk(10_000), most_lines=500)

    async def body(pilot: Pilot[None]) -> None:
        for index in range(0, 10_000, 10):
            host.view.scroll_to_block(index)
            assert host.view.cached_lines <= 500 + 2 * 16

    run(host, body)


def test_nothing_happens_when_nothing_does() -> None:
    host = Host(talk(100))

    async def body(pilot: Pilot[None]) -> None:
        assert not host.view.auto_refresh
        assert not list(host.view._timers)
        drawn = host.drawing.times
        for _ in range(5):
            await pilot.pause()
        assert host.drawing.times == drawn

    run(host, body)


def test_a_flush_lays_out_nothing() -> None:
    """Textual's own way to tell a height lays out the whole screen."""
    host = Host([Answered("start", done=False)])

    async def body(pilot: Pilot[None]) -> None:
        layouts = host.view._layout_updates
        for index in range(30):
            host.blocks[0] = Answered(lines("stream", index + 1), done=False)
            host.view.changed(range(1))
            await pilot.pause()
        assert host.view._layout_updates == layouts
        assert host.view.virtual_size.height == 30
        assert host.view.vertical_scrollbar.window_virtual_size == 30
        assert host.view.vertical_scrollbar.position == 14

    run(host, body)
