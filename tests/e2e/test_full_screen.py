"""The full screen in a real terminal: sessions with the model in the box and with scripted answers, and what a terminal does to it."""

import os
import re
import shlex
import signal
import sys
from pathlib import Path

import pytest

from kimicode.events import RunFinished
from tests.e2e.conftest import Serve
from tests.e2e.kimi import PYTHON, Kimi, do, runs, say, until
from tests.e2e.terminal import Terminal
from tests.e2e.terminals import READY, Gate, at, broken_project, front, messages, process_of

LONG = "".join(f"line {number}\n" for number in range(40))
WRITE: tuple[str, dict[str, object]] = ("write", {"path": "new.txt", "content": LONG})


def ask_before_writing(kimi: Kimi) -> None:
    kimi.config.write_text('[permissions]\nask = ["write(**)"]\n')


def enter(terminal: Terminal, text: str) -> None:
    terminal.type(text)
    terminal.until(text[-20:])
    terminal.key("Enter")


def test_a_bug_is_repaired_and_the_session_goes_on(kimi: Kimi) -> None:
    broken_project(kimi)
    with front(kimi, "--model", "kimi-nano", columns=130, rows=45) as terminal:
        screen = terminal.until(lambda screen: READY in screen and "in the box" in screen)
        assert terminal.alternate
        assert "Context" in screen
        enter(terminal, "Fix the failing test.")
        screen = terminal.until("2 passed")
        terminal.until("steps")
        assert "+     return morning + evening" in screen
        assert "+1 -1" in screen
        assert "return morning + evening" in (kimi.workspace / "bakery.py").read_text()
        terminal.key("C-d")
        assert terminal.ended() == 0
        assert not terminal.alternate
        session = kimi.log().stem
        assert f"kimicode --resume {session}" in terminal.scrollback
        assert "Traceback" not in terminal.scrollback
    with front(kimi, "--continue", "--model", "kimi-nano", columns=130, rows=45) as terminal:
        terminal.until("2 passed")
        terminal.until("The tests pass.")
        terminal.until("+     return morning + evening")
        terminal.until(session)
        terminal.key("C-d")
        assert terminal.ended() == 0
    assert kimi.run("engine", "stop").code == 0


def test_the_first_key_counts_where_the_terminal_had_no_focus(kimi: Kimi, serve: Serve) -> None:
    """A screen that opened without focus took no keys, ever."""
    with front(kimi, *at(serve(say("Hello.")))) as terminal:
        terminal.until(READY)
        terminal.focus(False)
        terminal.type("hello there")
        terminal.until("hello there")


def test_what_is_sent_at_once_waits_for_the_session(kimi: Kimi, serve: Serve) -> None:
    """Enter was lost while the session was being opened."""
    with front(kimi, *at(serve(say("The answer.")))) as terminal:
        terminal.until("prompt ─")
        terminal.type("hello")
        terminal.key("Enter")
        terminal.until("The answer.")


def ready(screen: str) -> bool:
    """True where an approval takes keys."""
    return "Once (y)" in screen and "Wait:" not in screen


def test_no_then_yes(kimi: Kimi, serve: Serve) -> None:
    ask_before_writing(kimi)
    server = serve(do(WRITE), say("Not written."), do(WRITE, first=1), say("Written now."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "Write it.")
        screen = terminal.until(ready)
        assert "line 0" in screen
        assert 'ask "write(**)"' in screen
        terminal.key("End")
        terminal.until("line 39")
        terminal.type("n")
        terminal.until("Not written.")
        assert not (kimi.workspace / "new.txt").exists()
        enter(terminal, "Write it again.")
        terminal.until(ready)
        terminal.type("y")
        terminal.until("Written now.")
        assert (kimi.workspace / "new.txt").read_text() == LONG


def test_what_is_typed_is_no_answer(kimi: Kimi, serve: Serve) -> None:
    """The question opens when nobody types any more, and what was typed stands in the prompt."""
    ask_before_writing(kimi)
    gate = Gate("One moment", ".")
    server = serve(gate.answer, do(WRITE), say("Over."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "Wait.")
        terminal.until("One moment")
        enter(terminal, "Write it.")
        terminal.until("1 waiting")
        gate.open()
        terminal.type("yyyyyyyyyy")
        terminal.until(ready)
        assert not (kimi.workspace / "new.txt").exists()
        terminal.key("C-c")
        terminal.until("Stopped")
        terminal.until("yyyyyyyyyy")
        assert not (kimi.workspace / "new.txt").exists()


def test_escape_stops_a_command_and_the_session_goes_on(kimi: Kimi, serve: Serve) -> None:
    server = serve(do(("shell", {"command": f"echo begun; sleep {kimi.mark}"})), say("Still here."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "Run it.")
        terminal.until("begun")
        terminal.key("Escape")
        terminal.until("Stopped: interrupted by the user")
        until(lambda: not runs(kimi.mark))
        enter(terminal, "Are you there?")
        terminal.until("Still here.")


def test_queue_and_steer(kimi: Kimi, serve: Serve) -> None:
    gate = Gate("Working", " on it.")
    server = serve(gate.answer, say("Heard you."), say("Third answer."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "first prompt")
        terminal.until("Working")
        enter(terminal, "second prompt")
        terminal.until("1 waiting")
        terminal.type("steer left")
        terminal.until("steer left")
        terminal.key("C-s")
        gate.open()
        terminal.until("Third answer.")
        said = [[str(m["content"]) for m in messages(call) if m["role"] == "user"] for call in server.calls]
        assert "steer left" in said[1][-1]
        assert "second prompt" in said[2][-1]


def test_a_command_of_the_users_own(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("I saw it."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, '!cd / && echo h""i')
        terminal.until(lambda screen: re.search(r"^ +hi$", screen, re.MULTILINE) is not None)
        enter(terminal, "!pwd")
        terminal.until(lambda screen: re.search(r"^ +/$", screen, re.MULTILINE) is not None)
        enter(terminal, "What was that?")
        terminal.until("I saw it.")
        assert "hi" in str(messages(server.calls[0])[-1]["content"])


def test_the_model_picker_opens_and_closes(kimi: Kimi, serve: Serve) -> None:
    with front(kimi, *at(serve())) as terminal:
        terminal.until(READY)
        enter(terminal, "/model")
        terminal.until("kimi-nano")
        terminal.key("Escape")
        terminal.gone("kimi-nano")
        terminal.type("still here")
        terminal.until("still here")


def test_keys_of_the_screen(kimi: Kimi, serve: Serve) -> None:
    """Shift+Tab moved the focus to where no key did anything; what was searched for could not be seen."""
    with front(kimi, *at(serve(say("A needle in it.")))) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("A needle in it.")
        terminal.key("BTab")
        terminal.until("read-only")
        terminal.key("Escape")
        terminal.gone("read-only")
        terminal.key("C-f")
        terminal.until("Find:")
        terminal.type("needle")
        terminal.until(lambda screen: re.search(r"Find: *needle", screen) is not None)
        terminal.until("1 of 1")
        terminal.key("Escape")
        terminal.gone("Find:")
        terminal.key("M-Up")
        terminal.type("back to the prompt")
        terminal.until("│ back to the prompt")
        terminal.key("C-c")
        terminal.until("│ Ask, or type")
        terminal.key("C-p")
        terminal.until("Search commands")
        terminal.key("C-c")
        terminal.gone("Begin a new session")


def test_rewind_brings_a_file_back(kimi: Kimi, serve: Serve) -> None:
    path = kimi.workspace / "a.txt"
    path.write_text("before\n")
    server = serve(
        do(("read", {"path": "a.txt"})),
        do(("edit", {"path": "a.txt", "old_string": "before", "new_string": "after"}), first=1),
        say("Changed."),
    )
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "Change a.txt")
        terminal.until("Changed.")
        assert path.read_text() == "after\n"
        enter(terminal, "/rewind")
        terminal.until("Go back to before which turn?")
        terminal.settled()
        terminal.key("Enter")
        terminal.until("What goes back?")
        terminal.settled()
        terminal.key("Enter")
        terminal.until("Go back to before turn 1?")
        terminal.settled()
        terminal.type("y")
        until(lambda: path.read_text() == "before\n")
        terminal.until(lambda screen: "│ Change a.txt" in screen)


def test_a_file_is_completed(kimi: Kimi, serve: Serve) -> None:
    (kimi.workspace / "src").mkdir()
    (kimi.workspace / "src" / "parser_of_things.py").write_text("x = 1\n")
    with front(kimi, *at(serve())) as terminal:
        terminal.until(READY)
        terminal.type("look at @parthi")
        terminal.until("src/parser_of_things.py")
        terminal.key("Tab")
        terminal.until("look at @src/parser_of_things.py")


def test_a_long_paste_is_a_token_and_arrives_whole(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("All of it."))
    pasted = "\n".join(f"pasted line {number}" for number in range(200))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        terminal.type("See: ")
        terminal.until("See:")
        terminal.paste(pasted)
        screen = terminal.until("200 lines")
        assert "pasted line 150" not in screen
        terminal.key("Enter")
        terminal.until("All of it.")
        assert pasted in str(messages(server.calls[0])[-1]["content"])


def test_a_prompt_of_several_lines(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("Both."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        terminal.type("one")
        terminal.key("C-j")
        terminal.type("two")
        terminal.until("two")
        terminal.key("Enter")
        terminal.until("Both.")
        assert "one\ntwo" in str(messages(server.calls[0])[-1]["content"])


def test_a_storm_of_sizes(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("The answer in few words."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("in few words.")
        for number in range(20):
            terminal.resize(*((60, 16) if number % 2 else (200, 60)))
        screen = terminal.until(lambda screen: "in few words." in screen and len(screen.splitlines()[-2].rstrip()) == 60)
        assert screen.count("─ prompt ─") == 1
        terminal.resize(200, 60)
        screen = terminal.until("Context")
        assert screen.count("─ prompt ─") == 1


def test_60_by_16_is_enough(kimi: Kimi, serve: Serve) -> None:
    ask_before_writing(kimi)
    server = serve(say("Hello."), do(WRITE), say("Over."))
    with front(kimi, *at(server), columns=60, rows=16) as terminal:
        terminal.until("Ask, or type")
        enter(terminal, "hello")
        terminal.until("Hello.")
        enter(terminal, "Write it.")
        screen = terminal.until(ready)
        assert "new.txt" in screen
        assert "line 0" in screen
        assert "No (n)" in screen
        terminal.type("y")
        terminal.until("Over.")
        terminal.key("F2")
        terminal.until("Context")


def test_suspended_and_back(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("The answer."), say("Another one."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("The answer.")
        terminal.key("C-z")
        terminal.until("Stopped")
        assert not terminal.alternate
        enter(terminal, "fg")
        terminal.until(READY)
        assert terminal.alternate
        enter(terminal, "more")
        terminal.until("Another one.")


def test_no_color(kimi: Kimi, serve: Serve) -> None:
    """Letters were black on black."""
    server = serve(say("# Title\n\nSome `code`.\n\n```python\nx = 'y'\n```\n\nThe end."))
    with front(kimi, *at(server), NO_COLOR="1", COLORTERM="truecolor") as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("The end.")
        looks = {part for look in re.findall(rb"\x1b\[([0-9;]*)m", terminal.written) for part in look.split(b";")}
        assert looks <= {b"", b"0", b"1", b"2", b"3", b"4", b"7", b"9", b"39", b"49"}


def test_leaving_while_the_agent_works(kimi: Kimi, serve: Serve) -> None:
    """What ended after the screen was gone wanted to be shown on it."""
    gate = Gate("Working", " on it.")
    with front(kimi, *at(serve(gate.answer))) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("Working")
        terminal.key("C-d")
        terminal.until("Ctrl+D once more")
        terminal.key("C-d")
        assert terminal.ended() == 0
        assert kimi.log().stem in terminal.scrollback
        gate.open()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_the_terminal_in_order(kimi: Kimi, serve: Serve, number: int) -> None:
    gate = Gate("Working", " on it.")
    with front(kimi, *at(serve(gate.answer))) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("Working")
        os.kill(process_of(kimi), number)
        assert terminal.ended() == 130
        assert not terminal.alternate
        assert "Traceback" not in terminal.scrollback
        gate.open()
    last = kimi.logged()[-1]
    assert isinstance(last, RunFinished)
    assert last.status == "interrupted"


def test_a_terminal_that_is_closed(kimi: Kimi, serve: Serve) -> None:
    with front(kimi, *at(serve(say("The answer.")))) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("The answer.")
        number = process_of(kimi)
        terminal.hang_up()
        until(lambda: not Path(f"/proc/{number}").exists())
    assert any(isinstance(event, RunFinished) for event in kimi.logged())


CRASH = """
import os, sys
from pathlib import Path
from kimicode.settings import Settings
from kimicode.tui.app import KimicodeApp, Order, run_app

def bring(app):
    raise RuntimeError("boom \x1b]0;evil\x07")

sys.exit(run_app(KimicodeApp(Order(Settings(), os.environ, Path.cwd()), bring)))
"""


def test_a_crash_leaves_the_terminal_in_order(kimi: Kimi) -> None:
    with Terminal([sys.executable, "-c", CRASH], kimi.workspace, kimi.environ) as terminal:
        assert terminal.ended() == 1
        assert not terminal.alternate
        text = terminal.scrollback
        assert "Traceback" not in text
        assert "the user interface failed (RuntimeError: boom" in text
        (log,) = (kimi.home / "crashes").iterdir()
        assert log.name in text
        assert "RuntimeError: boom" in log.read_text()
        assert terminal.title != "evil"


def test_the_title_of_the_window(kimi: Kimi, serve: Serve) -> None:
    server = serve(say("The answer."))
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        terminal.until(lambda _: terminal.title == "project — kimicode")
        enter(terminal, "hello")
        terminal.until("The answer.")
        terminal.key("C-d")
        assert terminal.ended() == 0
        assert "kimicode" not in terminal.title


def test_a_bell_where_nobody_looks(kimi: Kimi, serve: Serve) -> None:
    ask_before_writing(kimi)
    with front(kimi, *at(serve(do(WRITE), say("Over."), say("Seen.")))) as terminal:
        terminal.until(READY)
        enter(terminal, "Write it.")
        terminal.focus(False)
        terminal.until(ready)
        until(lambda: b"\x07" in without_titles(terminal.written))
        terminal.type("n")
        terminal.until("Over.")
        terminal.focus(True)
        rung = without_titles(terminal.written).count(b"\x07")
        enter(terminal, "Once more.")
        terminal.until("Seen.")
        assert without_titles(terminal.written).count(b"\x07") == rung


def test_first_run(kimi: Kimi) -> None:
    broken_project(kimi)
    with front(kimi) as terminal:
        terminal.until("Which model shall kimicode use?")
        terminal.settled()
        terminal.key("Enter")
        terminal.until("◆ kimi-nano")
        assert 'model = "kimi-nano"' in kimi.config.read_text()
        enter(terminal, "Fix the failing test.")
        terminal.until("2 passed")
        terminal.until("5 steps")
        terminal.key("C-d")
        assert terminal.ended() == 0
    assert kimi.run("engine", "stop").code == 0


HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07 \x1b]0;evil title\x07 \x1b[2J \x1b[?1049l \x9b2J \x1bP+q\x1b\\ [bold red]markup[/bold red] [@click=app.bell]x[/] "  # noqa: E501
    "\u202etxt.exe\u202c \u200d zero\u200bwidth \U0001f468\u200d\U0001f469\u200d\U0001f467 漢字かな ﷽ é̂̃ \x00\x07\x08 "
)


def test_hostile_text_stays_text(kimi: Kimi, serve: Serve) -> None:
    line = "x" * 1_000_000
    server = serve(
        say(f"Seen: {HOSTILE}\n\n```\n{HOSTILE}\n```\n\n| a | b |\n|---|---|\n| {HOSTILE} | 1 |\n\nend of one"),
        do(("shell", {"command": "printf '\\033]52;c;ZXZpbA==\\007\\033]0;evil\\007\\033[2J%s\\n' out"})),
        say("end of two"),
        say(f"{line}\n\nend of three"),
    )
    with front(kimi, *at(server)) as terminal:
        terminal.until(READY)
        for number in ("one", "two", "three"):
            enter(terminal, f"go {number}")
            terminal.until(f"end of {number}")
        terminal.type("alive")
        terminal.until("alive")
        assert "kimicode" in terminal.title
        written = terminal.written.split(b"\x1b[?1049h", 1)[1]
        for evil in (b"\x1b]52", b"evil", b"\x1b[2J", b"\x1b[?1049l", b"\x1bP", "\u202e".encode(), b"\xc2\x9b"):
            assert evil not in written.replace(b"evil title", b"").replace(b";evil", b""), evil
        terminal.key("C-c")
        terminal.key("C-d")
        assert terminal.ended() == 0


def test_a_server_that_is_not_there(kimi: Kimi) -> None:
    with front(kimi, "--endpoint", "http://127.0.0.1:9/v1", "--model", "m") as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("The model cannot be reached")
        terminal.type("still usable")
        terminal.until("still usable")


def test_a_full_disk(kimi: Kimi, serve: Serve) -> None:
    """What ended because its log could not be written ended without a word. A limit on files stands for the disk."""
    server = serve(say("Hello."), say(f"{'x' * 300_000} end"))
    command = ["bash", "-c", f"ulimit -f 100; exec {shlex.join([*PYTHON, *at(server)])}"]
    with Terminal(command, kimi.workspace, kimi.environ, columns=100, rows=30) as terminal:
        terminal.until(READY)
        enter(terminal, "hello")
        terminal.until("Hello.")
        enter(terminal, "much more")
        terminal.until("can't write the session log")
        terminal.type("alive")
        terminal.until("│ alive")
        terminal.key("C-c")
        terminal.key("C-d")
        assert terminal.ended() == 0
    assert any(isinstance(event, RunFinished) for event in kimi.logged())


def test_a_home_that_can_not_be_written(kimi: Kimi, serve: Serve) -> None:
    kimi.home.write_text("a file")
    with front(kimi, *at(serve())) as terminal:
        assert terminal.ended() == 1
        assert not terminal.alternate
        assert "can't open the session log" in terminal.scrollback
        assert "KIMICODE_HOME" in terminal.scrollback
        assert "Traceback" not in terminal.scrollback


def without_titles(written: bytes) -> bytes:
    """Without the sequences that end with a bell."""
    return re.sub(rb"\x1b\][^\x07\x1b]*(\x07|\x1b\\)", b"", written)
