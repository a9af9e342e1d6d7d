"""Ctrl-C and SIGTERM at every stage of a run: exit 130, soon, with a session that can go on."""

import json
import os
import pty
import signal
import sys
from pathlib import Path

import pytest

from kimicode.agent.context import unanswered
from kimicode.events import RunFinished
from kimicode.messages import Assistant, ToolResult
from kimicode.model import repair
from kimicode.session.replay import Replayed, replay
from tests.e2e.conftest import Serve
from tests.e2e.kimi import DEADLINE, Ended, Kimi, do, end, read_until, runs, say, until
from tests.model.faultserver import chunk, stall

PROMPT = ("--headless", "go", "--model", "m", "--endpoint")
BOTH = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])


def resumed(kimi: Kimi, serve: Serve) -> Replayed:
    """Go on with the session; its history is in order afterwards."""
    ended = kimi.run("--headless", "Go on", "--continue", "--endpoint", serve(say("Here again.")).url, "--model", "m")
    assert (ended.code, ended.out) == (0, "Here again.\n")
    after = replay(kimi.logged())
    assert unanswered(after.conversation) == ()
    assert repair(after.conversation) == after.conversation
    assert after.conversation[-1] == Assistant("Here again.", reasoning="hm")
    return after


@BOTH
def test_while_it_is_being_imported(kimi: Kimi, tmp_path: Path, number: signal.Signals) -> None:
    """The interrupt once came as the traceback of whatever was being imported."""
    os.mkfifo(tmp_path / "gate")
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "typer.py").write_text(f"open({str(tmp_path / 'gate')!r}).read()\n")
    kimi.environ["PYTHONPATH"] = f"{tmp_path / 'slow'}:{kimi.environ['PYTHONPATH']}"
    with kimi.running(*PROMPT, "http://127.0.0.1:9/v1") as process, (tmp_path / "gate").open("wb"):
        process.send_signal(number)
        ended = end(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "kimicode: interrupted\n")


@BOTH
def test_before_the_first_event(kimi: Kimi, number: signal.Signals) -> None:
    os.mkfifo(kimi.config)
    with kimi.running(*PROMPT, "http://127.0.0.1:9/v1") as process, kimi.config.open("wb"):
        process.send_signal(number)
        ended = end(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "kimicode: interrupted\n")
    assert not kimi.home.exists()


@BOTH
def test_during_the_stream(kimi: Kimi, serve: Serve, number: signal.Signals) -> None:
    server = serve(stall(chunk({"reasoning_content": "well"}) + chunk({"content": "As far as"})))
    with kimi.running(*PROMPT, server.url, "--output", "stream-json") as process:
        seen = read_until(process.stdout, b'"text_delta"')
        process.send_signal(number)
        rest = end(process)
    ended = Ended(rest.code, seen + rest.stdout, rest.err.encode())
    assert ended.code == ended.finished.exit_code == 130
    assert (ended.finished.status, ended.finished.text) == ("interrupted", "As far as")
    assert ended.events == kimi.logged()
    assert Assistant("As far as", reasoning="well") in resumed(kimi, serve).conversation


@BOTH
def test_during_a_command(kimi: Kimi, serve: Serve, number: signal.Signals) -> None:
    calls = do(
        ("read", {"path": "a"}),
        ("shell", {"command": f"sleep {kimi.mark} & touch group; wait"}),
        ("shell", {"command": "touch second"}),
    )
    (kimi.workspace / "a").write_text("x\n")
    with kimi.running(*PROMPT, serve(calls).url, "--output", "json") as process:
        until((kimi.workspace / "group").exists)
        assert runs(kimi.mark)
        process.send_signal(number)
        ended = end(process)
    assert ended.code == 130
    assert json.loads(ended.out)["status"] == "interrupted"
    until(lambda: not runs(kimi.mark))
    assert not (kimi.workspace / "second").exists()
    results = [message for message in resumed(kimi, serve).conversation if isinstance(message, ToolResult)]
    assert [result.call_id for result in results] == ["functions.read:0", "functions.shell:1", "functions.shell:2"]
    assert [result.ok for result in results] == [True, False, False]
    assert results[1].content == "Interrupted by the user before it finished."


def test_twice_ends_a_command_that_ignores_it(kimi: Kimi, serve: Serve) -> None:
    """The second signal once left such a command behind; the patience of the first one ends with it."""
    ignoring = f"import signal, time; [signal.signal(n, 1) for n in (1, 2, 15)]; open('group', 'w'); time.sleep({kimi.mark})"
    stubborn = f'python3 -c "{ignoring}"'
    with kimi.running(*PROMPT, serve(do(("shell", {"command": stubborn}))).url) as process:
        until((kimi.workspace / "group").exists)
        assert runs(kimi.mark)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        ended = end(process)
    assert ended.code == 130
    until(lambda: not runs(kimi.mark))
    resumed(kimi, serve)


def test_three_times_ends_it_at_once(kimi: Kimi, serve: Serve) -> None:
    with kimi.running(*PROMPT, serve(stall(chunk({"content": "hm"}))).url, "--output", "stream-json") as process:
        read_until(process.stdout, b'"text_delta"')
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            process.send_signal(number)
        assert end(process).code == 130
    resumed(kimi, serve)


TERMINAL = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


def on_a_terminal(kimi: Kimi, arguments: list[str], keys: bytes, when: bytes) -> tuple[int, bytes]:
    """Run on a terminal of its own; press `keys` once `when` was shown. The exit code and all that was shown."""
    outside, inside = pty.openpty()
    process = kimi.start(*arguments, stdin=inside, stdout=inside, stderr=inside, through=(sys.executable, "-c", TERMINAL), session=True)
    os.close(inside)
    shown, pressed = b"", not keys
    try:
        while data := read(outside):
            shown += data
            if not pressed and when in shown:
                os.write(outside, keys)
                pressed = True
        return process.wait(DEADLINE), shown
    finally:
        process.kill()
        process.wait()
        os.close(outside)


def read(terminal: int) -> bytes:
    # Linux says EIO where the last process has closed the other side.
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_ctrl_c_on_a_terminal(kimi: Kimi, serve: Serve) -> None:
    """The key reaches the whole foreground group; the command is in one of its own and is ended by us."""
    calls = do(("shell", {"command": f"sleep {kimi.mark}"}))
    code, shown = on_a_terminal(kimi, [*PROMPT, serve(calls).url], b"\x03", "→ shell".encode())
    assert code == 130
    assert b"interrupted (1 step, 16 tokens" in shown
    assert b"Traceback" not in shown
    until(lambda: not runs(kimi.mark))
    assert isinstance(kimi.logged()[-1], RunFinished)
    resumed(kimi, serve)


@pytest.mark.parametrize("output", ["text", "json", "stream-json"])
def test_a_terminal_gets_no_commands_from_the_model(kimi: Kimi, serve: Serve, output: str) -> None:
    """The answer was written to a terminal as it came: colours, titles, reversed text."""
    answer = say("fine \x1b[31mred\x1b]0;title\x07 \x9b2J\u202eback\u200b")
    code, shown = on_a_terminal(kimi, [*PROMPT, serve(answer).url, "--output", output], b"", b"")
    text = shown.decode()
    assert code == 0
    assert "fine" in text
    assert "back" in text
    assert not any(mark in text for mark in "\x1b\x07\x9b\u202e\u200b")


@BOTH
def test_a_tool_by_hand(kimi: Kimi, number: signal.Signals) -> None:
    command = json.dumps({"command": f"sleep {kimi.mark} & touch group; wait"})
    with kimi.running("tool", "shell", command) as process:
        until((kimi.workspace / "group").exists)
        assert runs(kimi.mark)
        process.send_signal(number)
        ended = end(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "kimicode: interrupted\n")
    until(lambda: not runs(kimi.mark))
