"""Commands: merged output, exit codes, time limits, and that nothing is left behind, however they end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.errors import ToolError
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.run import Finished, run_command

LIMIT = 30_000


def capture_in(folder: Path) -> Capture:
    return Capture(folder / "scratch", "shell", limit=LIMIT, head=8_000, tail=8_000)


def run(folder: Path, command: str, *, timeout_s: float = 60, environ: dict[str, str] | None = None) -> Finished:
    env = {"PATH": os.environ["PATH"]} if environ is None else environ
    return asyncio.run(run_command(command, cwd=folder, timeout_s=timeout_s, capture=capture_in(folder), environ=env))


def alive(pid: int) -> bool:
    """True while the process runs; a zombie that nobody has collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        os.sched_yield()


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        ("true", "", 0),
        ("echo out; echo err >&2; echo out2; exit 3", "out\nerr\nout2\n", 3),
        ("cat; echo end", "end\n", 0),
        ("kill -9 $$", "", 137),
        ("kill -TERM $$", "", 143),
        ("printf 'a\\0b'", "a\0b", 0),
        ("printf '\\xff'", "\ufffd", 0),
        ("pwd", None, 0),
        ("echo ${BASH_VERSION:+bash}", "bash\n", 0),
        ("no-such-program-anywhere; true", None, 0),
        ("false | true", "", 0),
        ("if", None, 2),
        ("echo a > >(cat)", "a\n", 0),
    ],
)
def test_output_and_exit_code(tmp_path: Path, command: str, output: str | None, code: int) -> None:
    done = run(tmp_path, command)
    assert done.exit_code == code
    assert done.timed_out is False
    assert output is None or done.output.head == output
    if command == "pwd":
        assert done.output.head == f"{tmp_path.resolve()}\n"


def test_large_output_is_all_in_the_file(tmp_path: Path) -> None:
    done = run(tmp_path, "seq 1 300000; exit 7")
    assert done.exit_code == 7
    assert done.output.head.startswith("1\n2\n3\n")
    assert done.output.tail.endswith("299999\n300000\n")
    assert done.output.whole is not None
    assert done.output.whole.read_text() == "".join(f"{n}\n" for n in range(1, 300_001))


def test_a_command_that_prints_for_ever_is_bounded_and_stopped(tmp_path: Path) -> None:
    capture = Capture(tmp_path, "shell", limit=LIMIT, head=10, tail=10, max_spill=100_000)
    done = asyncio.run(run_command("yes", cwd=tmp_path, timeout_s=0.3, capture=capture, environ=os.environ))
    assert done.timed_out
    assert done.output.whole is not None
    assert done.output.whole.stat().st_size == 100_000


def test_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    started = time.monotonic()
    done = run(tmp_path, "sleep 10000 & echo $!; sleep 10000", timeout_s=0.3)
    assert done.exit_code is None
    assert not alive(int(done.output.head))
    assert time.monotonic() - started < 60


def test_a_group_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    command = "trap '' TERM; (trap '' TERM; while :; do sleep 0.05; done) & echo $!; while :; do sleep 0.05; done"
    done = run(tmp_path, command, timeout_s=0.3)
    assert done.timed_out
    pid = int(done.output.head.splitlines()[0])
    wait_until(lambda: not alive(pid))


def test_a_stopped_command_is_killed(tmp_path: Path) -> None:
    done = run(tmp_path, "echo $$; kill -STOP $$", timeout_s=0.3)
    assert done.timed_out
    assert not alive(int(done.output.head))


def test_background_processes_end_with_their_command(tmp_path: Path) -> None:
    started = time.monotonic()
    done = run(tmp_path, "sleep 10000 & echo $!; sleep 10000 >/dev/null 2>&1 & echo $!; exit 5")
    assert done.exit_code == 5
    for pid in done.output.head.split():
        wait_until(lambda pid=int(pid): not alive(pid))  # type: ignore[misc]
    assert time.monotonic() - started < 60


def test_a_detached_child_that_keeps_the_pipe_open_does_not_hold_up_the_call(tmp_path: Path) -> None:
    # communicate() waits for such a child for ever, and its group has gone.
    started = time.monotonic()
    done = run(tmp_path, "setsid sleep 10000 & echo $!")
    pid = int(done.output.head)
    try:
        assert done.exit_code == 0
        assert time.monotonic() - started < 60
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_detached_child_that_never_stops_writing_does_not_either(tmp_path: Path) -> None:
    done = run(tmp_path, "setsid yes & echo $! > pid; true")
    pid = int((tmp_path / "pid").read_text())
    assert done.exit_code == 0
    # Its pipe is closed: it dies of writing to nobody.
    wait_until(lambda: not alive(pid))


@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_ends_the_group_promptly(tmp_path: Path, times: int) -> None:
    async def scenario() -> int:
        command = "trap '' TERM; echo $$ > pid.tmp; mv pid.tmp pid; while :; do sleep 0.05; done"
        task = asyncio.create_task(
            run_command(command, cwd=tmp_path, timeout_s=10000, capture=capture_in(tmp_path), environ={"PATH": os.environ["PATH"]})
        )
        while not (tmp_path / "pid").exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await task
        return int((tmp_path / "pid").read_text())

    started = time.monotonic()
    pid = asyncio.run(scenario())
    wait_until(lambda: not alive(pid))
    assert time.monotonic() - started < 60


def test_cancelled_while_it_starts_nothing_is_left(tmp_path: Path) -> None:
    """asyncio ended the shell alone, and what that had started already lived on."""

    async def stop_early() -> int:
        command = "sleep 600 & echo $! > pid; mv pid child; wait"
        environ = {"PATH": os.environ["PATH"]}
        running = asyncio.create_task(run_command(command, cwd=tmp_path, timeout_s=60, capture=capture_in(tmp_path), environ=environ))
        for _ in range(2):
            await asyncio.sleep(0)
        # The loop stands still meanwhile, so the call can't learn that its shell is there.
        wait_until((tmp_path / "child").exists)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return int((tmp_path / "child").read_text())

    child = asyncio.run(stop_early())
    wait_until(lambda: not alive(child))


def test_no_file_descriptor_is_left_open(tmp_path: Path) -> None:
    async def scenario() -> tuple[int, int]:
        counts = []
        for command in ["true", "true", "sleep 100", "setsid sleep 0.2 & true"]:
            await run_command(command, cwd=tmp_path, timeout_s=0.2, capture=capture_in(tmp_path), environ=os.environ)
            counts.append(len(os.listdir("/proc/self/fd")))
        with pytest.raises(ToolError):
            await run_command("a\0", cwd=tmp_path, timeout_s=1, capture=capture_in(tmp_path), environ=os.environ)
        return counts[0], len(os.listdir("/proc/self/fd"))

    first, last = asyncio.run(scenario())
    assert first == last


@pytest.mark.parametrize(
    ("command", "reason"), [("echo \0", "null byte"), ("x" * 3_000_000, "Argument list too long"), ("\ud800", "encode")]
)
def test_what_can_not_be_started_is_an_error(tmp_path: Path, command: str, reason: str) -> None:
    with pytest.raises(ToolError, match=reason):
        run(tmp_path, command)


def test_a_folder_that_went_away_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="No such file"):
        run(tmp_path / "gone", "true")


def test_secrets_stay_here(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "MOONSHOT_API_KEY": "sk-very-secret", "LANG": "harmless"}
    done = run(tmp_path, "env; cat /proc/$$/environ", environ=environ)
    assert "LANG=harmless" in done.output.head
    assert "sk-very-secret" not in done.output.head


def test_the_command_has_its_own_session_and_no_terminal(tmp_path: Path) -> None:
    done = run(tmp_path, "cut -d' ' -f6 /proc/$$/stat; echo $$; test -t 0 || echo no-terminal")
    sid, pid, terminal = done.output.head.split()
    assert sid == pid
    assert terminal == "no-terminal"


def test_many_at_once(tmp_path: Path) -> None:
    async def scenario() -> list[Finished]:
        commands = (
            run_command(f"echo {n}; exit {n}", cwd=tmp_path, timeout_s=60, capture=capture_in(tmp_path), environ=os.environ)
            for n in range(20)
        )
        return await asyncio.gather(*commands)

    done = asyncio.run(scenario())
    assert [(each.output.head, each.exit_code) for each in done] == [(f"{n}\n", n) for n in range(20)]
