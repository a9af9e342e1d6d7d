"""The line mode with everything there is: commands, the user's shell, steering, the queue, quitting."""

import asyncio
import os
import signal
import subprocess
import sys
import threading

import pytest

from kimicode.app import Wish
from kimicode.errors import UnavailableError
from kimicode.line import opening
from kimicode.line.mode import run_line
from kimicode.line.opening import is_dumb
from kimicode.line.parts import Parts, completer, find_parts
from kimicode.line.plain import PlainReader
from kimicode.line.prompting import PromptReader
from kimicode.line.signals import Signals
from kimicode.messages import Assistant, ToolCall
from kimicode.model.client import Text
from kimicode.model.scripted import Pause, ScriptedClient
from kimicode.settings import Settings

WAIT_S = 30.0
READ = Assistant("", None, (ToolCall("functions.read:0", "read", '{"path": "a.txt"}'),))


@pytest.fixture
def parts(tmp_path):
    environ = {"HOME": str(tmp_path), "KIMICODE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    (tmp_path / "work").mkdir()
    return find_parts(environ, tmp_path / "work", 80)


def gate():
    reached = threading.Event()

    class Reached(asyncio.Event):
        def set(self):
            super().set()
            reached.set()

    release = asyncio.Event()
    return reached, release, Pause(Reached(), release)


def test_commands_the_shell_and_quitting(rig, session, parts):
    async def act(at):
        await at.at_prompt()
        for typed, heard in (
            ("/help", "/rewind"),
            ("/title bread", "named bread"),
            ("/permission read-only", "permission is read-only now."),
            ("!echo fr''om the shell; exit 3", "exit code 3"),
            ("/queue", "Nothing waits."),
            ("/keys", "/transcript"),
        ):
            at.type(typed)
            await at.until(heard)
            await at.at_prompt()
        at.type("/quit")

    played, code = session(rig([], parts=parts), act)
    assert code == 0
    assert "from the shell" in played.printed
    assert played.printed.endswith(f"kimicode --resume {played.mode.desk.session_id}\n")
    assert parts.memory.load()[0] == "/quit"


def test_steering_and_queueing(rig, session, parts):
    reached, release, pause = gate()

    async def act(at):
        await at.at_prompt()
        at.type("Go.")
        assert await asyncio.to_thread(reached.wait, WAIT_S)
        at.type("> Mind the gap.")
        await at.until("Steered: said to the run")
        at.type("Then this.")
        await at.until("Queued: 1 waiting.")
        at.mode.desk.host._loop.call_soon_threadsafe(release.set)
        await at.until("Said to the run: Mind the gap.")
        await at.until("You: Then this.")
        await at.until("Assistant: Last.")
        await at.until("Done in")

    session(rig([[Text("Wait.\n"), pause, *ScriptedClient([])._plain(READ)], "Minded.", "Last."], parts=parts), act)


def test_ctrl_c_twice_with_nothing_to_do_quits(rig, session):
    async def act(at):
        await at.at_prompt()
        at.stop()
        await at.until("once more quits")
        await at.at_prompt()
        at.stop()

    _, code = session(rig([]), act)
    assert code == 0


def test_a_second_ctrl_c_does_not_wait(rig, session):
    reached, _, pause = gate()

    async def act(at):
        await at.at_prompt()
        at.type("Go.")
        assert await asyncio.to_thread(reached.wait, WAIT_S)
        at.stop()
        await at.until("stopping.")
        at.stop()
        await at.until("Interrupted after")

    session(rig([[Text("x"), pause]]), act)


def test_ctrl_c_at_a_question_denies_and_interrupts(rig, session):
    write = Assistant("", None, (ToolCall("functions.write:0", "write", '{"path": "a.txt", "content": "x"}'),))

    async def act(at):
        await at.at_prompt()
        at.type("Write.")
        await at.until("Enter is no:")
        at.stop()
        await at.until("Interrupted after")

    played, _ = session(rig([write, "Done."]), act)
    assert not (played.workspace / "a.txt").exists()


def test_a_terminal_that_only_shows_letters():
    assert is_dumb({"TERM": "dumb"})
    assert is_dumb({})
    assert not is_dumb({"TERM": "xterm"})


def test_completion(parts, tmp_path):
    (tmp_path / "work" / "notes.md").write_text("x")
    environ = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    complete = completer(parts.commands, (), lambda: None, environ, tmp_path / "work")
    assert "/rewind" in [each.text.strip() for each in complete("/rew", 4)]
    assert [each.text.strip() for each in complete("see @not", 8)] == ["@notes.md"]
    assert list(complete("words", 5)) == []


def test_without_a_model_a_pipe_fails_with_its_code(tmp_path, streams_of):
    async def streams():
        return streams_of(terminal=False)

    source, sink = asyncio.run(streams())
    try:
        environ = {
            "HOME": str(tmp_path),
            "KIMICODE_HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }
        with pytest.raises(UnavailableError) as caught:
            run_line(Settings(), Wish(), None, environ, tmp_path, stdin=source, stdout=sink)
        assert caught.value.exit_code == 69
    finally:
        source.end()


def test_run_line_reads_a_pipe(tmp_path, streams_of):
    async def streams():
        return streams_of(terminal=False)

    source, sink = asyncio.run(streams())
    source.put("Hello.\n")
    source.end()
    environ = {"HOME": str(tmp_path), "KIMICODE_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    assert run_line(Settings(model="scripted"), Wish(), None, environ, tmp_path, ScriptedClient(["Hi."]), source, sink) == 0
    assert "You: Hello.\nAssistant: Hi.\nDone in" in sink.getvalue()
    assert "\x1b" not in sink.getvalue()
    assert Parts().memory is None


def test_signals_stop_and_leave_on_the_loop():
    async def main():
        called = []
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        before = signal.getsignal(signal.SIGINT)
        with Signals(loop, lambda: (called.append("stop"), event.set()), lambda: (called.append("leave"), event.set())):
            for number in (signal.SIGINT, signal.SIGTERM):
                event.clear()
                os.kill(os.getpid(), number)
                await asyncio.wait_for(event.wait(), WAIT_S)
        assert called == ["stop", "leave"]
        assert signal.getsignal(signal.SIGINT) is before

    asyncio.run(main())


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is needed")
@pytest.mark.parametrize(
    ("term", "kind"), [("dumb", PlainReader), ("", PlainReader), ("unknown", PlainReader), ("xterm-256color", PromptReader)]
)
def test_the_reader_suits_the_terminal(term, kind):
    outside, inside = os.openpty()
    stdin, stdout = os.fdopen(inside, closefd=False), os.fdopen(inside, "w", closefd=False)

    async def main():
        return opening.reader_maker(Settings(), {"TERM": term}, stdin, stdout)(Parts(), lambda _text, _cursor: ())

    try:
        assert isinstance(asyncio.run(main()), kind)
    finally:
        stdin.close()
        stdout.close()
        os.close(inside)
        os.close(outside)


@pytest.mark.parametrize("name", ["plain", "prompting"])
def test_terminals_need_no_more_than_a_windows_console_has(name):
    code = f"import sys; sys.modules.update(termios=None, fcntl=None, pty=None); import kimicode.line.{name}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_picture_goes_with_the_next_prompt(rig, session):
    async def act(at):
        (at.workspace / "my shot.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
        await at.at_prompt()
        at.type('/picture "my shot.png"')
        await at.until("Picture: my shot.png goes with your next prompt.")
        await at.at_prompt()
        at.type("/picture nothing.png")
        await at.until("Error:")
        await at.at_prompt()
        at.type("What is this?")
        await at.until("Done in")
        await at.at_prompt()
        at.type("And now?")
        await at.until("Done in")

    played, _ = session(rig(["A shot.", "Nothing."]), act)
    users = [message for message in played.model.requests[-1].messages if getattr(message, "images", None) is not None]
    assert [[image.name for image in message.images] for message in users] == [["my shot.png"], []]
    assert "with the pictures" not in played.printed  # it was said when it was chosen
