"""Kimicode's own command line as a child: what it wrote, what it complained about, and that stopping it leaves nothing."""

import asyncio
import sys
from pathlib import Path

import pytest

from kimicode.errors import KimicodeError
from kimicode.interactive.child import Ended, run_child
from tests.interactive.people import environment
from tests.interactive.test_shell import gone


def test_what_it_writes_and_how_it_ends(tmp_path: Path) -> None:
    told: list[str] = []
    ended = asyncio.run(run_child(("--version",), environ=environment(tmp_path), folder=tmp_path, told=told.append))
    assert ended.code == 0
    assert ended.out.startswith("kimicode ")
    failed = asyncio.run(run_child(("sessions", "show", "zzzz"), environ=environment(tmp_path), folder=tmp_path, told=told.append))
    assert failed.code == 2
    assert failed.complaint.startswith("no session 'zzzz'")
    assert told


def test_a_module_in_the_project_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "kimicode.py").write_text("raise SystemExit(99)")
    (tmp_path / "typer.py").write_text("raise SystemExit(98)")
    assert asyncio.run(run_child(("--version",), environ=environment(tmp_path), folder=tmp_path)).code == 0


def test_a_folder_that_isgone(tmp_path: Path) -> None:
    with pytest.raises(KimicodeError, match="can't start kimicode doctor"):
        asyncio.run(run_child(("doctor",), environ=environment(tmp_path), folder=tmp_path / "gone"))


def test_complaints() -> None:
    assert Ended(1, "", "working\nkimicode: it broke\n  Do that.\n").complaint == "it broke\nDo that."
    assert Ended(-9, "", "").complaint == "it ended with exit code -9"


SLEEPER = """
import os, subprocess, sys, time
below = subprocess.Popen(["sleep", "600"])
print(os.getpid(), below.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


def test_cancelling_ends_it_and_what_it_started(tmp_path: Path) -> None:
    def sleeper(_arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (sys.executable, "-c", SLEEPER)

    async def act() -> list[int]:
        ready = asyncio.Event()
        pids: list[int] = []

        def told(line: str) -> None:
            pids.extend(map(int, line.split()))
            ready.set()

        task = asyncio.create_task(run_child(("x",), environ=environment(tmp_path), folder=tmp_path, told=told, line=sleeper))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return pids

    pids = asyncio.run(act())
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)
