"""The user's shell: folder and environment survive, output is bounded, an interrupt ends everything, nothing stays behind."""

import asyncio
import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kimicode.interactive.shell import Ended, UserShell
from kimicode.interactive.shell_names import wants_terminal
from kimicode.interactive.shell_text import HeadTail, ShellText


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "SHELL": "/bin/bash", "TERM": "xterm"}


def ran(shell: UserShell, command: str) -> Ended:
    return asyncio.run(shell.run(command, lambda _text: None))


def test_output_and_exit_code(tmp_path: Path) -> None:
    shown: list[str] = []
    ended = asyncio.run(UserShell(environment(), tmp_path).run("echo out; echo err >&2; exit 3", shown.append))
    assert (ended.output, ended.exit_code) == ("out\nerr\n", 3)
    assert "".join(shown) == ended.output


@pytest.mark.parametrize("shell_path", ["/bin/bash", "/bin/sh", "/usr/bin/fish"])
def test_folder_and_variables_survive_even_a_command_that_fails(tmp_path: Path, shell_path: str) -> None:
    (tmp_path / "a b").mkdir()
    shell = UserShell({**environment(), "SHELL": shell_path}, tmp_path)
    assert ran(shell, "cd 'a b'; export WORD='one\ntwo'; LOCAL=1; exit 5").exit_code == 5
    assert shell.folder == tmp_path / "a b"
    assert ran(shell, 'pwd; echo "$WORD$LOCAL"').output == f"{tmp_path}/a b\none\ntwo\n"
    ran(shell, "unset WORD; cd -")
    assert "WORD" not in shell.environ
    assert shell.folder == tmp_path


def test_a_linked_folder_keeps_the_name_it_was_entered_by(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    shell = UserShell(environment(), tmp_path)
    ran(shell, "cd link")
    assert ran(shell, "pwd").output == f"{tmp_path}/link\n"


def test_what_only_serves_the_window_does_not_stay(tmp_path: Path) -> None:
    shell = UserShell({**environment(), "PAGER": "less"}, tmp_path)
    assert ran(shell, 'echo "$PAGER"').output == "cat\n"
    assert shell.environ["PAGER"] == "less"
    assert not [name for name in shell.environ if name.startswith("KIMICODE_SHELL_")]
    ran(shell, "export PAGER=bat")
    assert shell.environ["PAGER"] == "bat"


def test_a_folder_that_is_gone_is_said_by_the_command_not_by_a_crash(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path)
    ran(shell, "mkdir x; cd x")
    (tmp_path / "x").rmdir()
    assert ran(shell, "echo fine").output.endswith("fine\n")


def test_a_syntax_error_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path)
    ended = ran(shell, "if then")
    assert ended.exit_code not in (0, None)
    assert "syntax error" in ended.output
    assert shell.environ["HOME"] == "/nonexistent"


def test_commands_have_a_terminal_and_no_input(tmp_path: Path) -> None:
    assert ran(UserShell(environment(), tmp_path, columns=72), "test -t 1 && stty size </dev/tty; cat").output == "40 72\n"


def test_without_a_pty_pipes_do(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path, with_pty=False)
    assert ran(shell, "test -t 1 || echo pipe; cd /").output == "pipe\n"
    assert shell.folder == Path("/")


def test_much_output_is_bounded_and_keeps_both_ends(tmp_path: Path) -> None:
    size = 0

    def count(text: str) -> None:
        nonlocal size
        size += len(text)

    ended = asyncio.run(UserShell(environment(), tmp_path).run("echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo last", count))
    assert size > 10_000_000
    assert len(ended.output) < 70_000
    assert ended.output.startswith("first\n")
    assert ended.output.endswith("xlast\n")
    assert "characters left out here" in ended.output


async def _interrupted(shell: UserShell, command: str, times: int = 1) -> Ended:
    ready = asyncio.Event()
    seen: list[str] = []

    def printed(text: str) -> None:
        seen.append(text)
        if "ready" in "".join(seen):
            ready.set()

    task = asyncio.create_task(shell.run(command, printed))
    await ready.wait()
    for _ in range(times):
        shell.interrupt()
    return await task


def gone(pid: int) -> bool:
    """True once the process has ended; the kernel may take a moment after a signal."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        os.sched_yield()
    return False


def test_an_interrupt_stops_the_command_and_its_children(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path)
    ended = asyncio.run(_interrupted(shell, "sleep 600 & echo $! > child; echo ready; wait"))
    assert ended.exit_code is None
    assert gone(int((tmp_path / "child").read_text()))
    assert not shell.running
    assert ran(shell, "echo again").output == "again\n"


def test_a_command_that_ignores_an_interrupt_is_ended_harder(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path)
    ended = asyncio.run(_interrupted(shell, "trap '' INT TERM; echo $$ > self; echo ready; while :; do sleep 600; done", 3))
    assert ended.exit_code is None
    assert gone(int((tmp_path / "self").read_text()))


def test_what_is_left_in_the_background_is_not_waited_for_and_does_not_stay(tmp_path: Path) -> None:
    ended = ran(UserShell(environment(), tmp_path), "sleep 600 & echo $! > child; echo done")
    assert (ended.output, ended.exit_code) == ("done\n", 0)
    assert gone(int((tmp_path / "child").read_text()))


def test_what_escapes_and_writes_for_ever_holds_nobody_up(tmp_path: Path) -> None:
    ended = ran(
        UserShell(environment(), tmp_path), "setsid sh -c 'echo $$ > child; exec yes' & while ! test -s child; do :; done; echo done"
    )
    os.kill(int((tmp_path / "child").read_text()), 9)
    assert ended.exit_code == 0
    assert "y\ny\n" in ended.output


def test_cancelling_leaves_no_orphan(tmp_path: Path) -> None:
    async def cancelled() -> None:
        ready = asyncio.Event()
        shell = UserShell(environment(), tmp_path)
        task = asyncio.create_task(shell.run("echo $$ > self; echo ready; sleep 600", lambda _text: ready.set()))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert gone(int((tmp_path / "self").read_text()))


def test_a_program_that_takes_the_whole_screen_is_stopped_and_told(tmp_path: Path) -> None:
    ended = ran(UserShell(environment(), tmp_path), "printf '\\033[?1049h'; sleep 600")
    assert ended.needs_terminal
    assert ended.exit_code is None


def test_run_here_keeps_the_state_too(tmp_path: Path) -> None:
    shell = UserShell(environment(), tmp_path)
    assert shell.run_here("cd /; export A=1; exit 4") == 4
    assert (shell.folder, shell.environ["A"]) == (Path("/"), "1")


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("vim a.py", True), ("ls && less x", True), ("EDITOR=vi git commit", True), ("git commit -m x", False), ("git log", False),
        ("python", True), ("python -c 1", False), ("sudo make", True), ("sudo -n true", False), ("make; ls | wc -l", False),
        ("git add -p", True), ("/usr/bin/top", True), ("echo 'unclosed", False), ("", False), ("git commit -am x", False),
    ],
)  # fmt: skip
def test_who_wants_the_terminal(command: str, wanted: bool) -> None:
    assert wants_terminal(command) is wanted


@settings(deadline=None)
@given(st.text(alphabet="vim=&|;\\\"'sudogt -pA\n"))
def test_any_text_can_be_asked_about(command: str) -> None:
    assert wants_terminal(command) in (True, False)


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=30), st.integers(0, 40), st.integers(1, 40))
def test_head_and_tail_lose_only_what_is_between(pieces: list[str], head: int, tail: int) -> None:
    kept, whole = HeadTail(head, tail), "".join(pieces)
    for piece in pieces:
        kept.add(piece)
    if len(whole) <= head + tail:
        assert kept.text == whole
    else:
        assert kept.left_out == len(whole) - head - tail
        assert kept.text.startswith(whole[:head])
        assert kept.text.endswith(whole[-tail:])


PIECES = st.sampled_from(["a", "\r\n", "\n", "\x1b[31m", "\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;u\x1b\\", "\x1b[?25l", "é", "\x1bM"])


@settings(deadline=None)
@given(st.lists(PIECES, max_size=20), st.data())
def test_pieces_can_be_cut_anywhere(parts: list[str], data: st.DataObject) -> None:
    whole = "".join(parts)
    cut = data.draw(st.integers(0, len(whole)))
    once, twice = ShellText(), ShellText()
    one = once.feed(whole) + once.end()
    assert twice.feed(whole[:cut]) + twice.feed(whole[cut:]) + twice.end() == one
    assert one == "".join(part for part in parts if part in ("a", "\n", "\r\n", "\x1b[31m", "é")).replace("\r\n", "\n")


@settings(deadline=None)
@given(st.text(alphabet="a\r\n\x1b[]m;?2J\x07\\P\x08", max_size=40), st.data())
@example("\x1b[2\rJ", None)  # the return went away, and left a sequence behind
@example("\x1b[2\bJ", None)
def test_nothing_but_colours_gets_through(text: str, data: st.DataObject | None) -> None:
    shown, cut = ShellText(), data.draw(st.integers(0, len(text))) if data else len(text)
    found = shown.feed(text[:cut]) + shown.feed(text[cut:]) + shown.end()
    assert not re.search(r"\x1b\[[0-9;?]*[a-ln-zA-Z]", found)
    assert "\x08" not in found


def test_a_progress_bar_is_its_last_state() -> None:
    text = ShellText()
    assert text.feed(" 10%\r 50%\r100%\r\ndone\n") + text.end() == "100%\ndone\n"
