"""An approval: nothing is answered by accident, nothing is hidden, every answer is what it says."""

import asyncio

import pytest
from textual.widgets import Button

from kimicode.sandbox.approval import Answer, Choice, FileText, Question
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.person import TuiPerson
from tests.tui.dialogs.app import Sitting, look, sitting

COMMAND = Question("bash", "git commit -m done", "it writes to the repository", rule="bash: git commit *")
LONG = Question("edit", "src/long.py", "it edits a file", files=(FileText("src/long.py", "old\n" * 300, "new\n" * 300),))


async def _opened(sit: Sitting, question: Question = COMMAND) -> "asyncio.Task[Answer]":
    task = asyncio.create_task(sit.person.approve(question))
    await sit.top(Approval)
    return task


async def _ready(sit: Sitting, question: Question = COMMAND) -> "asyncio.Task[Answer]":
    task = await _opened(sit, question)
    await _let_be_quiet(sit)
    return task


def test_no_key_counts_before_it_is_quiet():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            for key in ["y", "s", "a", "n", "r", "enter", "escape", "f", "tab", "space"]:
                await sit.pilot.press(key)
                assert not task.done(), key
            assert "Wait: keys count" in sit.text()
            await _let_be_quiet(sit)
            await sit.pilot.press("y")
            assert await task == Answer(Choice.ONCE)

    asyncio.run(go())


async def _let_be_quiet(sit: Sitting) -> None:
    sit.clock.now += 10
    screen = sit.app.screen
    assert isinstance(screen, Approval)
    screen.wake()
    assert screen.ready
    await sit.pilot.pause()


def test_clicks_do_not_count_either():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            await sit.pilot.click("#once")
            await sit.pilot.pause()
            assert not task.done()
            await _let_be_quiet(sit)
            await sit.pilot.pause()
            await sit.pilot.click("#once")
            assert (await task).choice is Choice.ONCE

    asyncio.run(go())


ANSWERS = [
    (["y"], Answer(Choice.ONCE)),
    (["s"], Answer(Choice.SESSION)),
    (["a"], Answer(Choice.ALWAYS)),
    (["n"], Answer(Choice.NO)),
    (["escape"], Answer(Choice.NO)),
    (["enter"], Answer(Choice.NO)),
    (["right", "enter"], Answer(Choice.ONCE)),
    (["tab", "tab", "enter"], Answer(Choice.SESSION)),
    (["left", "left", "enter"], Answer(Choice.ALWAYS)),
    (["r", *"sayn", "enter"], Answer(Choice.NO, "sayn")),
    (["r", *"no", "escape", "y"], Answer(Choice.ONCE)),
]


def test_answers():
    async def go() -> None:
        async with sitting() as sit:
            for keys, answer in ANSWERS:
                sit.clock.now += 10
                task = await _ready(sit)
                await sit.pilot.press(*keys)
                assert await task == answer, keys
                await sit.until(lambda: not isinstance(sit.app.screen, Approval))

    asyncio.run(go())


def test_what_is_not_offered_cannot_be_answered():
    async def go() -> None:
        async with sitting() as sit:
            task = await _ready(sit, Question("bash", "rm x", "why", can_grant=False))
            assert [button.id for button in sit.app.screen.query(Button)] == ["no", "once", "why"]
            await sit.pilot.press("s", "a")
            assert not task.done()
            await sit.pilot.press("n")
            assert (await task).choice is Choice.NO

    asyncio.run(go())


def test_a_long_diff_scrolls_under_an_action_and_answers_that_stay():
    async def go() -> None:
        async with sitting(60, 16) as sit:
            await _ready(sit, LONG)
            for key in ["pagedown", "pagedown", "end", "home", "f", "end", "t", "f"]:
                await sit.pilot.press(key)
                await sit.pilot.pause()
                for always in ["src/long.py", "No (n)", "Once (y)", "Session (s)", "No, why (r)", "Does not run."]:
                    assert always in sit.text(), key
            await sit.pilot.press("home")
            await sit.until_text("more lines below")
            await sit.pilot.press("end")
            await sit.until_text("This is the end")

    asyncio.run(go())


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (200, 60)])
def test_every_letter_of_a_long_command_can_be_seen(size: tuple[int, int]):
    words = [f"word-{number}" for number in range(200)]

    async def go() -> None:
        async with sitting(*size) as sit:
            await _ready(sit, Question("bash", "echo " + " ".join(words), "it is long", rule="bash: echo *", behind=2))
            text = sit.text()
            if not all(word in text for word in words):
                assert "more lines of it" in text
            assert "Always (a)" in text
            assert "2 more wait behind" in text
            seen = text
            while "more lines below" in sit.text():
                before = sit.text()
                await sit.pilot.press("pagedown")
                await sit.until(lambda before=before: sit.text() != before)
                await sit.pilot.pause()
                seen += sit.text()
            assert [word for word in words if word not in seen] == []

    asyncio.run(go())


def test_it_says_why_what_and_which_rule():
    question = Question(
        "bash",
        "make all && git push",
        "git push reaches the network",
        parts=("git push",),
        executable_config=("Makefile",),
        rule="bash: git push *",
    )

    async def go() -> None:
        async with sitting(100, 30) as sit:
            await _ready(sit, question)
            await sit.until_text("All of it is on the screen.")
            text = sit.text()
            assert "make all && git push" in text
            assert "Why you are asked: git push reaches the network" in text
            assert "Needs your answer: git push" in text
            assert "! Other programs run or obey this later: Makefile" in text
            assert "“Always” writes this rule: bash: git push *" in text
            await sit.pilot.press("right", "right", "right")
            await sit.until_text("writes to your settings: bash: git push *")

    asyncio.run(go())


def test_cancelling_takes_the_question_away():
    async def go() -> None:
        async with sitting() as sit:
            task = await _ready(sit)
            task.cancel()
            await sit.until(lambda: not isinstance(sit.app.screen, Approval))
            assert len(sit.app.screen_stack) == 1

    asyncio.run(go())


def test_it_waits_while_somebody_types_and_says_so():
    async def go() -> None:
        async with sitting() as sit:
            sit.typed = sit.clock.now - 0.99
            task = asyncio.create_task(sit.person.approve(COMMAND))
            await sit.until(lambda: sit.hints == [True])
            assert not isinstance(sit.app.screen, Approval)
            sit.clock.now += 0.5
            await sit.top(Approval)
            assert sit.hints == [True, False]
            await _let_be_quiet(sit)
            await sit.pilot.press("y")
            assert (await task).choice is Choice.ONCE

    asyncio.run(go())


def test_cancelling_while_somebody_types_ends_the_hint():
    async def go() -> None:
        async with sitting() as sit:
            sit.typed = sit.clock.now + 1000
            task = asyncio.create_task(sit.person.approve(COMMAND))
            await sit.until(lambda: sit.hints == [True])
            task.cancel()
            await sit.until(lambda: task.done())
            assert sit.hints == [True, False]
            assert len(sit.app.screen_stack) == 1

    asyncio.run(go())


def test_they_come_in_turn_and_the_next_one_has_a_quiet_time_of_its_own():
    async def go() -> None:
        async with sitting() as sit:
            first = await _ready(sit)
            second = asyncio.create_task(sit.person.approve(Question("bash", "the second", "why")))
            await sit.pilot.pause()
            assert len(sit.app.screen_stack) == 2
            await sit.pilot.press("y")
            assert (await first).choice is Choice.ONCE
            await sit.until_text("the second")
            await sit.pilot.press("y")
            assert not second.done()
            await _let_be_quiet(sit)
            await sit.pilot.press("n")
            assert (await second).choice is Choice.NO

    asyncio.run(go())


def test_nobody_who_leaves_the_application_says_yes():
    async def go() -> None:
        async with sitting() as sit:
            task = await _ready(sit)
        assert await task == Answer(Choice.NO)
        assert await TuiPerson(sit.app, look, lambda: 0.0, lambda _: None).approve(COMMAND) == Answer(Choice.NO)

    asyncio.run(go())


def test_the_quiet_time_ends_by_itself():
    async def go() -> None:
        async with sitting() as sit:
            task = await _opened(sit)
            sit.clock.now += 10
            await sit.until(lambda: isinstance(sit.app.screen, Approval) and sit.app.screen.ready)
            await sit.pilot.press("y")
            assert (await task).choice is Choice.ONCE

    asyncio.run(go())


def test_a_terminal_that_gets_the_focus_back_gives_it_to_nothing_before_it_is_quiet():
    async def go() -> None:
        async with sitting() as sit:
            sit.app.app_focus = False
            task = await _opened(sit)
            sit.app.app_focus = True
            await sit.pilot.pause()
            assert sit.app.screen.focused is None
            await sit.pilot.press("x", "enter")
            assert not task.done()
            await _let_be_quiet(sit)
            assert sit.app.screen.focused is not None
            await sit.pilot.press("enter")
            assert await task == Answer(Choice.NO)

    asyncio.run(go())


def test_it_opens_while_the_terminal_has_no_focus():
    async def go() -> None:
        async with sitting() as sit:
            sit.app.app_focus = False
            task = await _ready(sit)
            sit.app.app_focus = True
            await sit.pilot.press("right", "right", "enter")
            assert (await task).choice is Choice.SESSION

    asyncio.run(go())
