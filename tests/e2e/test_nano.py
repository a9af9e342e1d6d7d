"""kimi-nano, the model in the box, through the real command line: the demo, a held-out project, and what it may not do."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.nano.projects import make_project
from kimicode.events import SessionStarted, ToolCallReady, ToolFinished
from tests.e2e.kimi import Kimi

LARGEST_MODEL_BYTES = 20_000_000


@pytest.fixture
def nano(kimi: Kimi) -> Iterator[Kimi]:
    kimi.environ["PATH"] = f"{Path(sys.executable).parent}:{kimi.environ['PATH']}"
    yield kimi
    assert kimi.run("engine", "stop").code == 0


def test_the_demo_ends_with_a_passing_test_that_the_models_edit_made_pass(nano: Kimi):
    shown = nano.run("demo")
    assert shown.code == 0, shown.err
    assert "1 failed, 1 passed" in shown.out
    assert "\n-    return morning - evening\n+    return morning + evening\n" in shown.out
    assert "2 passed" in shown.out.split("What changed:")[1]
    assert shown.out.endswith("The test passes.\n")


def test_a_run_calls_the_lean_tools_and_sends_its_own_thoughts_back(nano: Kimi):
    """Whatever the model makes of this project: the lean profile is chosen, ids count up, and every call has its result."""
    for path, text in make_project(1_000_001, held_out=True).files.items():
        (nano.workspace / path).write_text(text)
    events = nano.run("--headless", "Fix the failing test.", "--model", "kimi-nano", "--output", "stream-json", "--max-steps", "6").events
    started = events[0]
    assert isinstance(started, SessionStarted)
    assert started.tools == ("read", "edit", "shell")
    calls = [event.call for event in events if isinstance(event, ToolCallReady)]
    assert calls[0].id == "functions.shell:0"
    assert [int(call.id.split(":")[1]) for call in calls] == list(range(len(calls)))
    assert [event.result.call_id for event in events if isinstance(event, ToolFinished)] == [call.id for call in calls]


def test_read_only_it_changes_nothing(nano: Kimi):
    project = make_project(1_000_003, held_out=True)
    for path, text in project.files.items():
        (nano.workspace / path).write_text(text)
    run = nano.run("--headless", "Fix the failing test.", "--model", "kimi-nano", "--permission", "read-only", "--max-steps", "4")
    assert run.code != 0 or "Refused" in run.err
    assert {path: (nano.workspace / path).read_text() for path in project.files} == project.files


def test_the_file_is_small_enough_to_ship():
    assert (Path(__file__).parents[2] / "engine" / "nano" / "kimi-nano.gguf").stat().st_size < LARGEST_MODEL_BYTES
