"""The line mode as a whole: in a terminal that can do nothing, in one that can do a lot, and in a pipe."""

import re
import sys
from pathlib import Path

import pytest

from kimicode.events import RunFinished
from tests.e2e.conftest import Serve
from tests.e2e.kimi import Kimi, do, runs, say, until
from tests.e2e.terminal import Terminal
from tests.e2e.terminals import Gate, at, broken_project, front, messages, process_of

WRITE: tuple[str, dict[str, object]] = ("write", {"path": "new.txt", "content": "one\ntwo\n"})
TERMS = ["dumb", "xterm"]
ASKED = re.compile(r"Answer [\d, or]+; Enter is no: ?$", re.MULTILINE)


def enter(terminal: Terminal, text: str) -> None:
    terminal.type(text)
    terminal.key("Enter")


def open_line(terminal: Terminal) -> None:
    """Wait for the first prompt."""
    terminal.until(lambda screen: re.search(r"^You:", screen, re.MULTILINE) is not None)


def from_program(terminal: Terminal) -> bytes:
    """What came from the program after the shell's own line."""
    return terminal.written.split(b"echo ended=$?\r\n", 1)[1].split(b"ended=", 1)[0]


def ask_before_writing(kimi: Kimi) -> None:
    kimi.config.write_text('[permissions]\nask = ["write(**)"]\n')


@pytest.mark.parametrize("term", TERMS)
def test_a_whole_session(kimi: Kimi, serve: Serve, term: str) -> None:
    """No, yes, an interrupted command, a prompt that waited, the way out and the way back."""
    ask_before_writing(kimi)
    shell = ("shell", {"command": f"echo begun; sleep {kimi.mark}"})
    server = serve(do(WRITE), say("Denied, then."), do(WRITE, first=1), say("Written now."), do(shell, first=2), say("Still here."))
    with front(kimi, "--plain", *at(server), term=term, rows=60) as terminal:
        open_line(terminal)
        enter(terminal, "write it")
        screen = terminal.until(lambda screen: ASKED.search(screen) is not None)
        assert "+one\n+two\n" in screen
        assert 'ask "write(**)"' in screen
        enter(terminal, "4")
        terminal.until("Denied, then.")
        assert not (kimi.workspace / "new.txt").exists()
        enter(terminal, "write it again")
        terminal.until(lambda screen: len(ASKED.findall(screen.partition("write it again")[2])) == 1)
        enter(terminal, "1")
        terminal.until("Written now.")
        assert (kimi.workspace / "new.txt").read_text() == "one\ntwo\n"
        enter(terminal, "run it")
        until(lambda: runs(kimi.mark))
        enter(terminal, "a prompt that waits")
        terminal.until("Queued:")
        terminal.key("C-c")
        until(lambda: not runs(kimi.mark))
        terminal.until("Interrupted after")
        terminal.until("/queue sends, changes or drops them")
        enter(terminal, "/queue")
        screen = terminal.until("Enter for none:")
        assert "a prompt that waits" in screen.partition("What waits for its turn:")[2]
        terminal.key("Enter")
        terminal.until(lambda screen: screen.rstrip().endswith("You:"))
        enter(terminal, "/quit")
        assert terminal.ended() == 0
        session = kimi.log().stem
        assert f"--resume {session}" in terminal.scrollback
        assert "Traceback" not in terminal.scrollback
        if term == "dumb":
            assert b"\x1b" not in from_program(terminal)
        else:
            assert not re.search(rb"\x1b\[\?(1049|47|1000|1003|1006)h", from_program(terminal))
    with front(kimi, "--plain", "--continue", *at(server), term=term) as terminal:
        open_line(terminal)
        assert "Written now." in terminal.scrollback or "Interrupted" in terminal.scrollback
        enter(terminal, "are you there?")
        terminal.until("Still here.")
        enter(terminal, "/model")
        terminal.until("Enter for none:")
        terminal.key("Enter")
        terminal.until(lambda screen: screen.rstrip().endswith("You:"))
        terminal.key("C-d")
        assert terminal.ended() == 0


def test_a_bug_is_repaired(kimi: Kimi) -> None:
    broken_project(kimi)
    with front(kimi, "--plain", "--model", "kimi-nano", term="dumb", rows=60) as terminal:
        open_line(terminal)
        enter(terminal, "Fix the failing test.")
        terminal.until("2 passed")
        terminal.until("The tests pass.")
        assert "return morning + evening" in (kimi.workspace / "bakery.py").read_text()
        assert "+    return morning + evening" in terminal.scrollback
        enter(terminal, "/quit")
        assert terminal.ended() == 0
    assert kimi.run("engine", "stop").code == 0


@pytest.mark.parametrize("term", TERMS)
def test_steering(kimi: Kimi, serve: Serve, term: str) -> None:
    gate = Gate("Working.\n\n", "On it.")
    server = serve(gate.answer, say("Heard you."))
    with front(kimi, "--plain", *at(server), term=term) as terminal:
        open_line(terminal)
        enter(terminal, "begin")
        terminal.until("Working.")
        enter(terminal, "> go left")
        terminal.until("Steered:")
        gate.open()
        terminal.until("Heard you.")
        assert "go left" in str(messages(server.calls[1])[-1]["content"])


@pytest.mark.parametrize("term", TERMS)
def test_an_early_answer_is_none(kimi: Kimi, serve: Serve, term: str) -> None:
    """What was typed before the question was there is a prompt, not an answer."""
    ask_before_writing(kimi)
    gate = Gate("Wait.\n\n", "Done waiting.")
    server = serve(gate.answer, do(WRITE), say("Over."))
    with front(kimi, "--plain", *at(server), term=term) as terminal:
        open_line(terminal)
        enter(terminal, "begin")
        terminal.until("Wait.")
        enter(terminal, "write it")
        terminal.until("Queued:")
        enter(terminal, "1")
        gate.open()
        terminal.until(lambda screen: ASKED.search(screen) is not None)
        assert not (kimi.workspace / "new.txt").exists()
        terminal.key("Enter")
        terminal.until("Over.")
        assert not (kimi.workspace / "new.txt").exists()


@pytest.mark.parametrize("term", TERMS)
def test_hostile_text_stays_text(kimi: Kimi, serve: Serve, term: str) -> None:
    evil = "\x1b]52;c;ZXZpbA==\x07\x1b]0;evil\x07\x1b[2J\x9b2J\u202etxt\x00\x08"
    server = serve(say(f"Seen: {evil} end of one."), do(("shell", {"command": "printf '\\033]0;evil\\007\\033[2Jout\\n'"})), say("Two."))
    with front(kimi, "--plain", *at(server), term=term) as terminal:
        open_line(terminal)
        enter(terminal, "go")
        terminal.until("end of one.")
        enter(terminal, "on")
        terminal.until("Two.")
        enter(terminal, "/quit")
        assert terminal.ended() == 0
        written = from_program(terminal)
        for bad in (b"\x1b]", b"\x1b[2J", b"\x1bP", b"\xc2\x9b", "\u202e".encode()):
            assert bad not in written


@pytest.mark.parametrize("term", TERMS)
def test_first_run(kimi: Kimi, term: str) -> None:
    with front(kimi, "--plain", term=term) as terminal:
        terminal.until("Which model shall kimicode use?")
        terminal.until("4. A server of your own")
        terminal.settled()
        enter(terminal, "1")
        open_line(terminal)
        assert 'model = "kimi-nano"' in kimi.config.read_text()
        terminal.key("C-d")
        assert terminal.ended() == 0


def test_a_dumb_terminal_needs_no_flag(kimi: Kimi, serve: Serve) -> None:
    with front(kimi, *at(serve(say("Hello."))), term="dumb") as terminal:
        open_line(terminal)
        enter(terminal, "hello")
        terminal.until("Hello.")
        enter(terminal, "!echo h''i")
        terminal.until(lambda screen: re.search(r"^Output: hi$", screen, re.MULTILINE) is not None)
        terminal.key("C-c")
        terminal.until("Ctrl-C once more quits")
        terminal.key("C-c")
        assert terminal.ended() == 0
        assert b"\x1b" not in from_program(terminal)


@pytest.mark.parametrize("term", TERMS)
def test_a_terminal_that_is_closed(kimi: Kimi, serve: Serve, term: str) -> None:
    gate = Gate("Working.\n\n", "On it.")
    with front(kimi, "--plain", *at(serve(gate.answer)), term=term) as terminal:
        open_line(terminal)
        enter(terminal, "hello")
        terminal.until("Working.")
        number = process_of(kimi)
        terminal.hang_up()
        until(lambda: not Path(f"/proc/{number}").exists())
        gate.open()


def test_a_pipe(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("First."), say("Second."))
    ended = kimi.run("--plain", *at(server), given=b"one\ntwo\n")
    assert ended.code == 0
    assert ended.out.index("First.") < ended.out.index("Second.")
    assert "\x1b" not in ended.out + ended.err
    assert [str(messages(call)[-1]["content"]).endswith(word) for call, word in zip(server.calls, ("one", "two"), strict=True)] == [
        True
    ] * 2


def test_a_pipe_needs_no_flag(kimi: Kimi, serve: Serve) -> None:
    ended = kimi.run("go", *at(serve(say("Hello."))), given=b"")
    assert ended.code == 0
    assert "Hello." in ended.out
    assert [event.status for event in kimi.logged() if isinstance(event, RunFinished)] == ["done"]


def test_nobody_answers_in_a_pipe(kimi: Kimi, serve: Serve) -> None:
    ask_before_writing(kimi)
    ended = kimi.run("--plain", *at(serve(do(WRITE), say("Not allowed."))), given=b"write it\n")
    assert "nobody can answer" in ended.out
    assert "Not allowed." in ended.out
    assert not (kimi.workspace / "new.txt").exists()


def test_no_model_in_a_pipe(kimi: Kimi) -> None:
    ended = kimi.run("go", given=b"")
    assert ended.code == 69
    assert "MOONSHOT_API_KEY" in ended.err


def test_stdout_closed(kimi: Kimi) -> None:
    command = (sys.executable, "-c", "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])")
    ended = kimi.run("go", "--model", "kimi-nano", given=b"", through=command)
    assert ended.code == 2
    assert "stdout is closed" in ended.err
