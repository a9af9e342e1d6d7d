"""`TuiPerson`: requests from any task, one over another, taken away and interrupted."""

import asyncio
import threading

import pytest

from kimicode.errors import KimicodeError
from kimicode.interactive.person import Code, Menu, Option, Page, Person, Rows, Step, Words
from kimicode.sandbox.approval import Choice, Question
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.confirm import Confirm
from kimicode.tui.dialogs.page import PageDialog
from kimicode.tui.dialogs.picker import Picker
from kimicode.tui.dialogs.work import WorkDialog
from tests.tui.dialogs.app import Sitting, sitting

LONG = Page("Long", (Code("\n".join(f"line {number}" for number in range(200))), Words("the end")))


def test_it_is_a_person():
    async def go() -> None:
        async with sitting() as sit:
            person: Person = sit.person
            assert person is sit.person

    asyncio.run(go())


def test_requests_from_another_thread_find_the_application():
    async def go() -> None:
        async with sitting() as sit:
            loop = asyncio.get_running_loop()
            answers: list[bool] = []

            def ask() -> None:
                answers.append(asyncio.run_coroutine_threadsafe(sit.person.confirm("Really?"), loop).result())

            thread = threading.Thread(target=ask)
            thread.start()
            await sit.top(Confirm)
            await sit.pilot.press("y")
            await sit.until(lambda: answers == [True])
            thread.join()

    asyncio.run(go())


def test_an_approval_comes_over_a_picker_and_escape_answers_the_one_on_top():
    async def go() -> None:
        async with sitting() as sit:
            chosen = asyncio.create_task(sit.person.choose(Menu("Pick", (Option("one"),))))
            await sit.top(Picker)
            approved = asyncio.create_task(sit.person.approve(Question("bash", "ls", "why")))
            await sit.top(Approval)
            await _quiet(sit)
            await sit.pilot.press("escape")
            assert (await approved).choice is Choice.NO
            await sit.top(Picker)
            assert not chosen.done()
            await sit.pilot.press("escape")
            assert await chosen is None

    asyncio.run(go())


def test_nothing_opens_over_an_approval():
    async def go() -> None:
        async with sitting() as sit:
            approved = asyncio.create_task(sit.person.approve(Question("bash", "ls", "why")))
            await sit.top(Approval)
            chosen = asyncio.create_task(sit.person.choose(Menu("Pick", (Option("one"),))))
            await sit.pilot.pause()
            assert isinstance(sit.app.screen, Approval)
            await _quiet(sit)
            await sit.pilot.press("n")
            await approved
            await sit.top(Picker)
            sit.clock.now += 1
            await sit.pilot.press("1")
            assert await chosen == 0

    asyncio.run(go())


def test_a_dialog_that_is_cancelled_under_another_one_leaves_when_that_one_is_gone():
    async def go() -> None:
        async with sitting() as sit:
            below = asyncio.create_task(sit.person.choose(Menu("Below", (Option("one"),))))
            await sit.top(Picker)
            above = asyncio.create_task(sit.person.confirm("Above?"))
            await sit.top(Confirm)
            below.cancel()
            await sit.until(lambda: below.done())
            await sit.pilot.pause()
            assert isinstance(sit.app.screen, Confirm)
            await sit.pilot.press("y")
            assert await above is True
            await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_a_request_that_is_cancelled_at_once_never_shows():
    async def go() -> None:
        async with sitting() as sit:
            for _ in range(20):
                task = asyncio.create_task(sit.person.confirm("Really?"))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait({task})
            await sit.until(lambda: len(sit.app.screen_stack) == 1)
            task = asyncio.create_task(sit.person.confirm("Now?"))
            await sit.top(Confirm)
            await sit.pilot.press("y")
            assert await task is True

    asyncio.run(go())


def test_work_shows_how_far_it_is_and_ends():
    async def go() -> None:
        async with sitting(60, 16) as sit:
            gate = asyncio.Event()
            steps: list[Step] = []

            async def job(step: Step) -> None:
                steps.append(step)
                step.tell("loading", 0.5)
                await gate.wait()

            task = asyncio.create_task(sit.person.work("Model", job))
            await sit.top(WorkDialog)
            await sit.until_text(" 50%")
            assert "loading" in sit.text()
            steps[0].tell("nearly", 0.9)
            await sit.until_text(" 90%")
            steps[0].tell("who knows")
            await sit.until_text("0 s")
            gate.set()
            assert await task is True
            await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_work_is_stopped_by_escape_and_by_cancelling():
    async def go() -> None:
        async with sitting() as sit:
            for how in ["escape", "cancel"]:
                cancelled = asyncio.Event()

                async def job(step: Step, cancelled: asyncio.Event = cancelled) -> None:
                    try:
                        await asyncio.Event().wait()
                    finally:
                        cancelled.set()

                task = asyncio.create_task(sit.person.work("Endless", job))
                await sit.top(WorkDialog)
                if how == "escape":
                    await sit.pilot.press("escape")
                    assert await task is False
                else:
                    task.cancel()
                    await asyncio.wait({task})
                    assert task.cancelled()
                assert cancelled.is_set()
                await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_what_work_raises_is_raised_and_a_job_that_does_nothing_ends():
    async def broken(step: Step) -> None:
        raise KimicodeError("no such model")

    async def nothing(step: Step) -> None:
        step.tell("done", 1.0)

    async def go() -> None:
        async with sitting() as sit:
            with pytest.raises(KimicodeError, match="no such model"):
                await sit.person.work("Broken", broken)
            assert await sit.person.work("Nothing", nothing) is True
            await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_work_may_ask():
    async def go() -> None:
        async with sitting() as sit:

            async def job(step: Step) -> None:
                assert await sit.person.confirm("Download it?")

            task = asyncio.create_task(sit.person.work("Download", job))
            await sit.top(Confirm)
            await sit.pilot.press("y")
            assert await task is True
            await sit.until(lambda: len(sit.app.screen_stack) == 1)

    asyncio.run(go())


def test_a_page_is_scrolled_searched_copied_and_left():
    async def go() -> None:
        async with sitting(60, 16) as sit:
            task = asyncio.create_task(sit.person.show(LONG))
            await sit.top(PageDialog)
            await sit.until_text("line 0")
            await sit.pilot.press("end")
            await sit.until_text("the end")
            await sit.pilot.press("slash", *"LINE 15", "enter")
            await sit.until_text("1 of 11")
            assert "line 15 " in sit.text()
            await sit.pilot.press("n")
            await sit.until_text("2 of 11")
            await sit.pilot.press("N")
            await sit.until_text("1 of 11")
            await sit.pilot.press("slash", "escape")
            await sit.until(lambda: "1 of 11" not in sit.text())
            await sit.pilot.press("c")
            assert sit.app.copied[0].startswith("line 0\nline 1\n")
            await sit.pilot.press("escape")
            await task

    asyncio.run(go())


def test_help_lists_the_keys_of_a_dialog():
    async def go() -> None:
        async with sitting(100, 40) as sit:
            task = asyncio.create_task(sit.person.choose(Menu("Pick", (Option("one"),))))
            await sit.top(Picker)
            await sit.pilot.press("f1")
            await sit.top(PageDialog)
            await sit.until_text("Type to narrow the list")
            assert "PgDn" in sit.text()
            await sit.pilot.press("escape")
            await sit.top(Picker)
            sit.clock.now += 1
            await sit.pilot.press("1")
            assert await task == 0

    asyncio.run(go())


def test_said_is_a_notification_and_never_markup():
    async def go() -> None:
        async with sitting() as sit:
            for level in ("info", "warning", "error"):
                sit.person.say("[bold]it[/] \x1b[2J [@click=app.boom]x[/]", level)  # type: ignore[arg-type]
            await sit.until(lambda: len(sit.app._notifications) == 3)
            await sit.until_text("[bold]it[/] ␛[2J")
            assert "[@click=app.boom]x[/]" in sit.text()

    asyncio.run(go())


def test_a_table():
    async def go() -> None:
        async with sitting() as sit:
            task = asyncio.create_task(sit.person.show(Page("Table", (Rows((("a", "b"),), ("key", "value")),))))
            await sit.top(PageDialog)
            await sit.until_text("value")
            await sit.pilot.press("q")
            await task

    asyncio.run(go())


async def _quiet(sit: Sitting) -> None:
    sit.clock.now += 10
    assert isinstance(sit.app.screen, Approval)
    sit.app.screen.wake()
    await sit.pilot.pause()
