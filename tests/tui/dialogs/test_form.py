import asyncio
from collections.abc import Mapping

from kimicode.interactive.person import Field, Form
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.confirm import Confirm
from kimicode.tui.dialogs.form import FormDialog
from kimicode.tui.dialogs.picker import Picker
from kimicode.tui.dialogs.word import WordDialog
from tests.tui.dialogs.app import Sitting, sitting


def _number(value: str) -> str:
    return "" if value.isdecimal() else f"{value!r} is no number: write digits"


FORM = Form(
    "Settings",
    (
        (
            "Model",
            (Field("model", "Model", "nano", "Which model answers."), Field("turns", "Turns", "10", "At most so many.", check=_number)),
        ),
        (
            "Looks",
            (
                Field("theme", "Theme", "dark", "What it looks like.", choices=("dark", "light", "ansi")),
                Field("key", "API key", "sk-secret-value", "Kept in the keyring.", secret=True),
            ),
        ),
    ),
    words="Everything can be changed later.",
)
AS_IT_WAS = {"model": "nano", "turns": "10", "theme": "dark", "key": "sk-secret-value"}


async def _opened(sit: Sitting, form: Form = FORM) -> "asyncio.Task[Mapping[str, str] | None]":
    task = asyncio.create_task(sit.person.fill(form))
    await sit.top(FormDialog)
    return task


FILLED = [
    (["ctrl+s"], AS_IT_WAS),
    (["escape"], None),
    ([*"-2", "ctrl+s"], {**AS_IT_WAS, "model": "nano-2"}),
    (["enter", "5", "ctrl+s"], {**AS_IT_WAS, "turns": "105"}),
    (["down", "down", "right", "ctrl+s"], {**AS_IT_WAS, "theme": "light"}),
    (["tab", "tab", "left", "ctrl+s"], {**AS_IT_WAS, "theme": "ansi"}),
    (["down", "down", "down", "9", "ctrl+s"], {**AS_IT_WAS, "key": "sk-secret-value9"}),
    (["down", "down", "down", "down", "enter"], AS_IT_WAS),
]


def test_what_was_filled_in():
    async def go() -> None:
        async with sitting() as sit:
            for keys, values in FILLED:
                task = await _opened(sit)
                await sit.pilot.press(*keys)
                assert await task == values, keys
                await sit.until(lambda: not isinstance(sit.app.screen, FormDialog))

    asyncio.run(go())


def test_it_fits_and_helps_and_shows_no_secret():
    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _opened(sit)
            await sit.until_text("Which model answers.")
            await sit.pilot.press("down")
            await sit.until_text("At most so many.")
            await sit.pilot.press("down", "down")
            await sit.until_text("Kept in the keyring.")
            await sit.until_text("•••")
            assert "secret" not in sit.text()
            assert "Save (Ctrl+S)" in sit.text()

    asyncio.run(go())


def test_what_is_wrong_is_said_when_a_field_is_left_and_nothing_wrong_is_taken():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            await sit.pilot.press("down", "x")
            assert "no number" not in sit.text()
            await sit.pilot.press("down")
            await sit.until_text("! '10x' is no number: write digits")
            await sit.pilot.press("ctrl+s")
            await sit.until_text("At most so many.")
            assert not task.done()
            await sit.pilot.press("backspace", "ctrl+s")
            assert await task == AS_IT_WAS

    asyncio.run(go())


def test_leaving_asks_only_where_something_was_changed():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            await sit.pilot.press("x", "escape")
            await sit.top(Confirm)
            await sit.pilot.press("escape")
            await sit.top(FormDialog)
            assert not task.done()
            await sit.pilot.press("escape")
            await sit.top(Confirm)
            await sit.pilot.press("y")
            assert await task is None
            await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_all_choices_of_a_field():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            await sit.pilot.press("down", "down", "enter")
            await sit.top(Picker)
            await sit.pilot.press("3")
            await sit.top(FormDialog)
            await sit.until_text("‹ ansi ›")
            await sit.pilot.press("ctrl+s")
            assert await task == {**AS_IT_WAS, "theme": "ansi"}

    asyncio.run(go())


def test_a_value_that_cannot_be_shown_stays_unless_it_is_edited():
    value = "a\x1b[31mb\nc"

    async def go() -> None:
        async with sitting() as sit:
            form = Form("", (("", (Field("odd", "Odd", value), Field("old", "Old", "gone", choices=("here",)))),))
            task = await _opened(sit, form)
            await sit.pilot.press("ctrl+s")
            assert await task == {"odd": value, "old": "gone"}

    asyncio.run(go())


def test_a_word():
    async def go() -> None:
        async with sitting() as sit:
            for keys, word in [([*"12", "enter"], "12"), (["escape"], None), (["x", "enter", "backspace", "3", "enter"], "3")]:
                task = asyncio.create_task(sit.person.word(Field("turns", "How many?", help="Digits.", check=_number)))
                await sit.top(WordDialog)
                await sit.pilot.press(*keys)
                assert await task == word, keys
            task = asyncio.create_task(sit.person.word(Field("turns", "How many?", check=_number)))
            await sit.top(WordDialog)
            await sit.pilot.press("x", "enter")
            await sit.until_text("'x' is no number")

    asyncio.run(go())


def test_a_secret_word_is_not_on_the_screen():
    async def go() -> None:
        async with sitting() as sit:
            task = asyncio.create_task(sit.person.word(Field("key", "Key?", secret=True)))
            await sit.top(WordDialog)
            await sit.pilot.press(*"hush")
            await sit.until_text("••••")
            assert "hush" not in sit.text()
            await sit.pilot.press("enter")
            assert await task == "hush"

    asyncio.run(go())


def test_a_word_that_has_choices_is_chosen():
    async def go() -> None:
        async with sitting() as sit:
            task = asyncio.create_task(sit.person.word(Field("theme", "Theme?", "light", choices=("dark", "light"))))
            await sit.top(Picker)
            sit.clock.now += 1
            await sit.pilot.press("enter")
            assert await task == "light"

    asyncio.run(go())


def test_yes_and_no():
    async def go() -> None:
        async with sitting(60, 16) as sit:
            for keys, yes in [
                (["y"], True),
                (["n"], False),
                (["enter"], False),
                (["escape"], False),
                (["right", "enter"], True),
                (["tab", "enter"], True),
                (["left", "left", "enter"], False),
            ]:
                task = asyncio.create_task(sit.person.confirm("Delete it?", detail="It does not come back."))
                await sit.top(Confirm)
                assert "It does not come back." in sit.text()
                await sit.pilot.press(*keys)
                assert await task is yes, keys
                await sit.until(lambda: not isinstance(sit.app.screen, Confirm))

    asyncio.run(go())


def test_a_long_form_scrolls_between_its_words_and_its_buttons():
    fields = tuple(Field(f"name{number}", f"Field {number}", help=f"Help {number}.", check=_number) for number in range(40))

    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _opened(sit, Form("Long", (("Group", fields),), "Words"))
            await sit.until_text("Field 0")
            for _ in range(30):
                await sit.pilot.press("down")
            await sit.until_text("Field 30")
            await sit.until_text("Help 30.")
            assert "Save (Ctrl+S)" in sit.text()
            await sit.pilot.press("ctrl+s")
            await sit.until_text("Help 0.")
            assert "! '' is no number" in sit.text()

    asyncio.run(go())


def test_a_long_question_can_be_read():
    text = "\n".join(f"line {number}" for number in range(30))

    async def go() -> None:
        async with sitting(60, 16) as sit:
            for ask in (lambda: sit.person.confirm(text), lambda: sit.person.word(Field("answer", text))):
                task = asyncio.ensure_future(ask())
                await sit.top(Dialog)
                assert "line 29" not in sit.text()
                for _ in range(25):
                    await sit.pilot.press("down")
                await sit.until_text("line 29")
                await sit.pilot.press("escape")
                await task
                await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())
