"""Whatever happens, in any order: the screen shows a stretch of the whole, and only who moves the view moves it."""

import random

import msgspec
import pytest
from textual.pilot import Pilot

from kimicode.interactive.view.blocks import Answered, Block, Prompted, Thought, Told
from kimicode.tui.transcript.sheet import Sheet
from tests.tui.transcript.host import Drawing, Host, call, lines, run, talk
from tests.tui.waiting import until


def whole_of(host: Host) -> list[str]:
    """All lines there are, drawn by somebody else."""
    sheet = Sheet(Drawing(), host.view.sheet.look)
    sheet.show(host.blocks)
    for index in range(len(sheet)):
        sheet.fold(index, host.view.sheet.folded(index))
    return [strip.text.rstrip() for index in range(len(sheet)) for strip in sheet.lines(index)]


def check(host: Host) -> None:
    view, whole = host.view, whole_of(host)
    shown = [row.strip.text.rstrip() for row in view.rows]
    for index in range(view.place.block):
        view.sheet.exact(index)
    top = view.sheet.heights.top_of(view.place.block) + view.place.line
    assert shown == whole[top : top + view.size.height]
    assert len(shown) == min(view.size.height, len(whole))
    assert view.following == (top + len(shown) >= len(whole))


def new_block(number: int, dice: random.Random) -> Block:
    text = lines(f"new{number}", dice.randint(1, 30))
    return dice.choice([Prompted(text), Answered(text, done=False), call(number, text), Told(text), Answered(""), Thought(text)])


def change(host: Host, number: int, dice: random.Random) -> None:
    """What an agent does."""
    at = dice.randrange(len(host.blocks))
    match dice.randrange(4), host.blocks[at]:
        case 0, _:
            host.blocks.append(new_block(number, dice))
            host.view.changed(range(len(host.blocks) - 1, len(host.blocks)))
        case 1, Answered(text=text):
            host.blocks.insert(at, Thought(f"thought {number}", 1.0))
            host.view.changed(range(at, len(host.blocks)))
        case _, Answered(text=text):
            host.blocks[at] = Answered(text + "\n" + lines(f"more{number}", dice.randint(1, 20)), done=False)
            host.view.changed(range(at, at + 1))
        case _:
            host.view.changed(range(at, len(host.blocks)))


def move(host: Host, dice: random.Random) -> None:
    """What a person does."""
    view = host.view
    match dice.randrange(8):
        case 0:
            view.follow_end()
        case 1:
            view.scroll_to_block(dice.randrange(len(host.blocks)), dice.randint(0, 5))
        case 2:
            view.scroll_y = dice.uniform(0, view.max_scroll_y)
        case 3:
            view.toggle(dice.randrange(len(host.blocks)))
        case 4:
            view.move_cursor(dice.choice([-1, 1]))
        case 5:
            view.fold_all(dice.random() < 0.5)
        case _:
            view.move(dice.randint(-40, 40))


@pytest.mark.parametrize("seed", range(4))
def test_a_stretch_of_the_whole(seed: int) -> None:
    dice = random.Random(seed)
    host = Host(talk(25), most_lines=60)

    async def body(pilot: Pilot[None]) -> None:
        for number in range(120):
            if dice.random() < 0.5:
                move(host, dice)
            elif dice.random() < 0.15:
                look = host.view.sheet.look
                host.view.set_look(msgspec.structs.replace(look, diff="split" if look.diff == "auto" else "auto"))
            else:
                top, following = host.view.rows[0].strip.text, host.view.following
                change(host, number, dice)
                assert following or host.view.rows[0].strip.text == top
            check(host)
        await pilot.resize_terminal(30, 9)
        await until(pilot, lambda: host.view._column.screen == 29)
        check(host)

    run(host, body)
