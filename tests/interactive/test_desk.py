"""A session with a person at it: prompts run, wait, are steered and stopped; questions reach the person; what changed is looked up."""

import asyncio
import threading
from pathlib import Path

import pytest

from kimicode.errors import UsageError
from kimicode.events import ShellRan, Titled
from kimicode.interactive.view.blocks import Answered, Called, Ended, Prompted, Told
from kimicode.messages import Assistant, ToolCall
from kimicode.model.client import Text
from kimicode.model.scripted import Pause
from kimicode.sandbox.approval import Answer, Choice
from kimicode.settings import PermissionRules, Settings
from kimicode.wish import Wish
from tests.interactive.people import WAIT_S, Scripted, World, live, write


def test_a_prompt_runs_and_is_seen(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.enter("Hello.")
        assert world.desk.busy
        await world.idle()
        assert world.of(Prompted) == [Prompted("Hello.", at=world.of(Prompted)[0].at)]  # type: ignore[attr-defined]
        assert world.of(Answered) == [Answered("Hi.")]
        assert world.desk.status.phase == "idle"
        assert world.watching.wanted == ["done"]
        assert world.desk.status.session_id

    live(tmp_path, ["Hi."], act)


def test_what_is_entered_meanwhile_waits_its_turn(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        for words in ("one", "two", "three"):
            world.desk.enter(words)
        assert [prompt.text for prompt in world.desk.waiting.prompts] == ["two", "three"]
        assert world.desk.status.waiting == 2
        await world.until(lambda: len(world.of(Ended)) == 3 and not world.desk.busy)
        assert [block.text for block in world.of(Prompted)] == ["one", "two", "three"]  # type: ignore[attr-defined]

    live(tmp_path, ["1", "2", "3"], act)


def test_stopping_keeps_what_was_said_and_holds_what_waits(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.enter("Go.")
        world.desk.enter("Later.")
        await asyncio.to_thread(reached.wait, WAIT_S)
        assert world.desk.interrupt()
        await world.idle()
        assert world.of(Answered) == [Answered("Half")]
        assert [block.event.status for block in world.of(Ended)] == ["interrupted"]  # type: ignore[attr-defined]
        assert world.desk.waiting.paused
        assert not world.desk.interrupt()
        world.desk.go_on()
        await world.until(lambda: len(world.of(Ended)) == 2)
        assert world.of(Answered)[-1] == Answered("Then.")

    reached = threading.Event()

    class Reached(asyncio.Event):
        def set(self) -> None:
            super().set()
            reached.set()

    live(tmp_path, [[Text("Half"), Pause(Reached(), asyncio.Event())], "Then."], act)


def test_steering_reaches_the_run(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.enter("Go.")
        world.desk.steer("Mind the gap.")
        await world.idle()
        assert [(block.text, block.steered) for block in world.of(Prompted)] == [("Go.", False), ("Mind the gap.", True)]  # type: ignore[attr-defined]

    live(tmp_path, [write("a.txt", "x"), "Done.", "Minded."], act)


def test_changes_come_with_their_texts(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.enter("Write.")
        await world.idle()
        await world.until(lambda: bool(world.desk.status.touched))
        (called,) = world.of(Called)
        assert isinstance(called, Called)
        assert called.diffs is not None
        assert [(file.path, file.before, file.after) for file in called.diffs] == [("a.txt", None, "one two")]
        assert [(file.path, file.added, file.removed) for file in world.desk.status.touched] == [("a.txt", 1, 0)]

    live(tmp_path, [write("a.txt", "one two"), "Done."], act, settings=Settings(model="scripted", permission="workspace"))


def asking() -> Settings:
    return Settings(model="scripted", permission="workspace", permissions=PermissionRules(ask=("write(**)",)))


def test_a_question_shows_the_whole_change_and_the_answer_counts(tmp_path: Path) -> None:
    for choice, there in ((Choice.NO, False), (Choice.ONCE, True)):
        person = Scripted(approval=Answer(choice, "not now" if choice is Choice.NO else ""))

        async def act(world: World, there: bool = there) -> None:
            world.desk.enter("Write.")
            await world.idle()
            assert (world.workspace / "a.txt").exists() is there

        world = live(tmp_path, [write("a.txt", "x"), "Done."], act, settings=asking(), person=person)
        (question,) = person.approvals
        assert [(file.path, file.before, file.after) for file in question.files] == [("a.txt", None, "x")]
        assert "asked" in world.watching.wanted
        assert any(status.phase == "asking" for status in world.watching.statuses)


def test_stopping_takes_a_question_away(tmp_path: Path) -> None:
    person = Scripted()

    async def act(world: World) -> None:
        person.hesitates = True
        world.desk.enter("Write.")
        await world.until(lambda: bool(person.approvals))
        world.desk.interrupt()
        await world.idle()

    live(tmp_path, [write("a.txt", "x"), "Done."], act, settings=asking(), person=person)
    assert person.taken_away
    assert not (tmp_path / "work" / "a.txt").exists()


def test_the_model_may_ask(tmp_path: Path) -> None:
    call = ToolCall("functions.ask:0", "ask", '{"question": "Which?", "options": ["left", "right"]}')
    person = Scripted([1])

    async def act(world: World) -> None:
        world.desk.enter("Go.")
        await world.idle()
        (called,) = world.of(Called)
        assert "right" in called.result  # type: ignore[attr-defined]

    live(tmp_path, [Assistant("", None, (call,)), "Right."], act, person=person)
    assert [option.label for option in person.menus[0].options[:2]] == ["left", "right"]


def test_a_session_goes_on_as_it_was(tmp_path: Path) -> None:
    async def first(world: World) -> None:
        world.desk.enter("Write.")
        await world.idle()
        await world.desk.record(Titled("bread"))
        before = list(world.desk.transcript.blocks)
        await world.desk.reopen()
        again = list(world.desk.transcript.blocks)
        assert [type(block) for block in again[: len(before)]] == [type(block) for block in before]
        assert world.watching.replacements == 2
        assert world.desk.status.title == "bread"
        called = world.of(Called)[0]
        assert isinstance(called, Called)
        assert called.diffs is None
        world.desk.want_diffs(called.call.id)
        await world.until(lambda: world.of(Called)[0].diffs is not None)  # type: ignore[attr-defined]
        world.desk.enter("And?")
        await world.until(lambda: len(world.of(Ended)) == 2)

    live(tmp_path, [write("a.txt", "x"), "Done.", "More."], first, settings=Settings(model="scripted", permission="workspace"))


def test_a_session_that_is_not_there_leaves_none_open(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        with pytest.raises(UsageError, match="no session"):
            await world.desk.open(Wish(resume="nothing"))
        world.desk.enter("Hello?")
        await world.until(lambda: bool(world.person.said))
        assert "no session is open" in world.person.said[0][0]
        assert not world.desk.busy

    live(tmp_path, [], act)


def test_what_the_user_ran_goes_along_with_the_next_prompt(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.shell_began("ls")
        world.desk.shell_printed("a.txt\n")
        await world.desk.record(ShellRan("ls", "a.txt\n", 0, 0.1))
        world.desk.enter("What is there?")
        await world.idle()
        sent = str(world.model.requests[0].messages)
        assert "a.txt" in sent
        assert world.of(Prompted)[0].text == "What is there?"  # type: ignore[attr-defined]

    live(tmp_path, ["A file."], act)


def test_a_run_that_fails_says_so(tmp_path: Path) -> None:
    async def act(world: World) -> None:
        world.desk.enter("Go.")
        await world.idle()
        assert world.watching.wanted == ["failed"]
        assert [block.event.status for block in world.of(Ended)] == ["contract"]  # type: ignore[attr-defined]
        assert not world.of(Told)

    live(tmp_path, [], act)
