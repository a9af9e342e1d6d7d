import asyncio

import pytest

from kimicode.interactive.person import Menu, Option, Page, Words
from kimicode.tui.dialogs.page import PageDialog
from kimicode.tui.dialogs.picker import Picker
from tests.tui.dialogs.app import Sitting, sitting

FRUIT = Menu("Fruit", (Option("apple", "red"), Option("pear", "green", current=True), Option("plum", "blue", key="u"), Option("apricot")))


async def _opened(sit: Sitting, menu: Menu = FRUIT) -> "asyncio.Task[int | None]":
    task = asyncio.create_task(sit.person.choose(menu))
    await sit.top(Picker)
    sit.clock.now += 1
    return task


CHOICES = [
    (["enter"], 1),
    (["down", "enter"], 2),
    (["up", "up", "enter"], 3),
    (["down", "down", "down", "enter"], 0),
    (["end", "enter"], 3),
    (["home", "enter"], 0),
    (["1"], 0),
    (["4"], 3),
    (["u"], 2),
    (["escape"], None),
    ([*"apr", "enter"], 3),
    (["p", "l", "u", "enter"], 2),
    (["b", "l", "u", "e", "enter"], 2),
    (["x", "y", "enter", "escape"], None),
    (["x", "backspace", "1"], 0),
    (["a", "1", "backspace", "backspace", "2"], 1),
    (["slash", "u", "enter"], 2),
    (["a", "ctrl+u", "3"], 2),
]


def test_choices():
    async def go() -> None:
        async with sitting() as sit:
            for keys, chosen in CHOICES:
                task = await _opened(sit)
                await sit.pilot.press(*keys)
                assert await task == chosen, keys
                await sit.until(lambda: not isinstance(sit.app.screen, Picker))

    asyncio.run(go())


def test_a_click_chooses():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            await sit.pilot.click("#choices", offset=(10, 2))
            assert await task == 2

    asyncio.run(go())


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 60)])
def test_details_stand_in_a_column_and_the_current_one_is_marked(size: tuple[int, int]):
    async def go() -> None:
        async with sitting(*size) as sit:
            await _opened(sit)
            await sit.until_text("2 ● pear")
            lines = [line for line in sit.text().split("\n") if any(word in line for word in ("apple ", "pear ", "plum "))]
            assert len({line.rindex(word) for line, word in zip(lines, ["red", "green", "blue"], strict=True)}) == 1

    asyncio.run(go())


def test_ten_thousand_options():
    menu = Menu("Many", tuple(Option(f"option {number}", f"detail {number}") for number in range(10_000)))

    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit, menu)
            await sit.pilot.press("up")
            await sit.until_text("option 9999")
            await sit.pilot.press("slash", *"9998")
            await sit.until_text("1 of 10000")
            await sit.pilot.press("enter")
            assert await task == 9998

    asyncio.run(go())


def test_a_label_that_is_too_long_is_shown_whole_below():
    label = "a long answer " * 8 + "END"

    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _opened(sit, Menu("Which?", (Option(label), Option("short"))))
            await sit.until_text("END")
            assert "…" in sit.text()
            await sit.pilot.press("down")
            await sit.until(lambda: "END" not in sit.text())

    asyncio.run(go())


def test_the_preview_follows_the_cursor_and_the_one_before_is_cancelled():
    cancelled: list[int] = []
    gates = [asyncio.Event() for _ in FRUIT.options]

    async def preview(index: int) -> Page:
        try:
            await gates[index].wait()
        except asyncio.CancelledError:
            cancelled.append(index)
            raise
        return Page("", (Words(f"about number {index}"),))

    async def go() -> None:
        async with sitting(120, 30) as sit:
            task = await _opened(sit, Menu("Fruit", FRUIT.options, preview=preview))
            gates[2].set()
            await sit.pilot.press("down")
            await sit.until_text("about number 2")
            assert cancelled == [1]
            await sit.pilot.press("enter")
            assert await task == 2

    asyncio.run(go())


def test_on_a_small_screen_the_preview_is_a_page():
    async def preview(index: int) -> Page:
        if index == 2:
            raise ValueError("[bold]no such thing[/]")
        return Page("Preview", (Words(f"about number {index}"),))

    async def go() -> None:
        async with sitting(80, 24) as sit:
            task = await _opened(sit, Menu("Fruit", FRUIT.options, preview=preview))
            assert "about" not in sit.text()
            for key, text in [("right", "about number 1"), ("space", "about number 1")]:
                await sit.pilot.press(key)
                await sit.top(PageDialog)
                await sit.until_text(text)
                await sit.pilot.press("escape")
                await sit.top(Picker)
            await sit.pilot.press("down", "right")
            await sit.until_text("[bold]no such thing[/]")
            await sit.pilot.press("escape")
            await sit.top(Picker)
            await sit.pilot.press("enter")
            assert await task == 2

    asyncio.run(go())


def test_nothing_to_choose_from():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit, Menu("Nothing", ()))
            await sit.pilot.press("down", "up", "pagedown", "end", "enter", "1", "escape")
            assert await task is None

    asyncio.run(go())


def test_a_long_question_leaves_room_for_its_answers_and_can_be_read():
    question = " ".join(f"word{number}" for number in range(120))

    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _opened(sit, Menu(question, tuple(Option(f"answer {number}") for number in range(12))))
            await sit.until_text("answer 0")
            assert "Esc leave" in sit.text()
            assert "word119" not in sit.text()
            for _ in range(30):
                await sit.pilot.press("shift+down")
            await sit.until_text("word119")
            assert "answer 0" in sit.text()

    asyncio.run(go())


def test_details_of_long_labels_stand_at_the_right():
    menu = Menu("Turns", (Option("a question that is longer than half of the screen, and then some", "one"), Option("short", "three")))

    async def go() -> None:
        async with sitting(80, 24) as sit:
            task = asyncio.create_task(sit.person.choose(menu))
            await sit.until_text("three")
            lines = [line.rstrip(" │") for line in sit.text().split("\n") if line.rstrip(" │").endswith(("one", "three"))]
            assert len(lines) == 2
            assert len({len(line) for line in lines}) == 1
            await sit.pilot.press("escape")
            await task

    asyncio.run(go())
