"""Whole sessions as a dumb terminal shows them: append-only, in words, and not one escape sequence."""

import asyncio
import threading

from kimicode.messages import Assistant, ToolCall
from kimicode.model.client import Text
from kimicode.model.scripted import Pause
from kimicode.wish import Wish

WAIT_S = 30.0


def write(path, content, number=0):
    return Assistant(
        "", "I had better write it.", (ToolCall(f"functions.write:{number}", "write", f'{{"path": "{path}", "content": "{content}"}}'),)
    )


def test_a_change_is_allowed_and_one_denied(rig, session, golden):
    async def act(at):
        await at.at_prompt()
        at.type("Write a.txt and b.txt.")
        await at.until("Enter is no:")
        at.type("1")
        await at.until("Enter is no:")
        at.type("5")
        await at.until("do instead:")
        at.type("One is enough.")
        await at.until("Done in")
        await at.at_prompt()

    script = [write("a.txt", "one\\ntwo\\n"), write("b.txt", "three\\n", 1), Assistant("I wrote **a.txt**.\n\n- one\n- two\n")]
    played, code = session(rig(script), act)
    assert code == 0
    assert (played.workspace / "a.txt").read_text() == "one\ntwo\n"
    assert not (played.workspace / "b.txt").exists()
    golden("approvals", played)


def test_tools_are_named_and_their_output_is_short(rig, session, golden):
    async def act(at):
        (at.workspace / "notes.md").write_text("one\ntwo\nthree\n")
        await at.at_prompt()
        at.type("Look.")
        await at.until("Done in")
        await at.at_prompt()
        at.type("/output")
        await at.until("exit 0]")

    calls = (
        ToolCall("functions.read:0", "read", '{"path": "notes.md"}'),
        ToolCall("functions.read:1", "read", '{"path": "missing.md"}'),
        ToolCall("functions.shell:2", "shell", '{"command": "seq 1 30"}'),
    )
    # One a step: calls of one step end in any order.
    script = [Assistant("Let me look." if number == 0 else "", None, (call,)) for number, call in enumerate(calls)]
    played, _ = session(rig([*script, "Thirty lines."]), act)
    golden("tools", played)


def test_a_run_is_interrupted_while_a_prompt_waits(rig, session, golden):
    reached = threading.Event()

    class Reached(asyncio.Event):
        def set(self):
            super().set()
            reached.set()

    async def act(at):
        await at.at_prompt()
        at.type("Go.")
        assert await asyncio.to_thread(reached.wait, WAIT_S)
        await at.until("Assistant: First.")
        at.type("And then this.")
        await at.until("1 waiting.")
        at.stop()
        await at.until("Interrupted after")
        await at.at_prompt()
        at.type("! not a shell here")
        await at.until("Error:")

    played, code = session(rig([[Text("First.\nHalf a"), Pause(Reached(), asyncio.Event())], "Then."]), act)
    assert code == 0
    golden("interrupted", played)


def test_a_session_is_resumed(rig, session, golden):
    async def first(at):
        await at.at_prompt()
        at.type("Remember the number seven.")
        await at.until("Done in")

    async def second(at):
        await at.at_prompt()
        at.type("/transcript")
        await at.at_prompt()
        at.type("Which number?")
        await at.until("Done in")
        await at.at_prompt()

    session(rig(["Seven it is."]), first)
    played, _ = session(rig(["Seven."]), second, Wish(latest=True))
    golden("resumed", played)


def test_a_failure_is_an_error_and_the_session_goes_on(rig, session, golden):
    async def act(at):
        await at.at_prompt()
        at.type("Go.")
        await at.until("Failed after")
        await at.at_prompt()
        at.type("/speak output 3")
        await at.at_prompt()
        at.type("/nothing")
        await at.until("Error:")
        await at.at_prompt()

    played, code = session(rig([]), act)
    assert code == 0
    golden("failed", played)


def test_a_pipe_is_a_list_of_prompts_and_answers_no_question(rig, session, golden):
    async def act(at):
        at.type("Write a.txt.")
        at.type("What now?")
        at.source.end()

    played, code = session(rig([write("a.txt", "x\\n"), "It was not allowed.", "Nothing."], terminal=False), act)
    assert code == 0
    assert not (played.workspace / "a.txt").exists()
    golden("pipe", played)


def test_a_pipe_ends_with_the_code_of_its_last_run(rig, session):
    async def act(at):
        at.type("Go.")
        at.source.end()

    _, code = session(rig([], terminal=False), act)
    assert code == 4


def test_what_was_typed_before_a_question_does_not_answer_it(rig, session):
    async def act(at):
        await at.at_prompt()
        at.type("Write.\n1")
        await at.until("Enter is no:")
        at.type("")
        await at.until("not allowed.")
        await at.until("Done in")

    played, _ = session(rig([write("a.txt", "x"), "No.", "One."]), act)
    assert not (played.workspace / "a.txt").exists()


def test_a_prompt_on_the_command_line_is_the_first(rig, session):
    async def act(at):
        await at.until("Done in")

    played, _ = session(rig(["Hello."]), act, prompt="Say hello.")
    assert "You: Say hello.\nAssistant: Hello.\n" in played.printed
