"""How the engine is and where its model lives, as a side panel asks: quickly, and without starting anything."""

import asyncio
import sys
from pathlib import Path

import msgspec
import pytest

from kimicode.model import Target, boxed_model, resolve
from kimicode.model.engine_asked import asked
from kimicode.model.engine_state import EnginePlaces, EngineState, engine_places, engine_state, state_of
from kimicode.model.rundir import run_paths
from tests.model.faultserver import Behaviour, FaultServer, raw, reset, stall
from tests.model.test_embedded import Box, box

__all__ = ["box"]

GB = 10**9
STORE = {"hit_rate": 0.75, "cache_bytes": 300 * GB, "planned_bytes": 400 * GB, "read_bytes": 1}


def target(box: Box) -> Target:
    return msgspec.structs.replace(resolve("unix:/x", "m.gguf", {}), model_file=str(box.model))


def state(box: Box) -> EngineState | None:
    return asyncio.run(engine_state(target(box), box.environ))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"status": "loading", "model": "m", "done": 3, "total": 9}, EngineState("loading", "m", done=3, total=9)),
        ({"status": "loading"}, EngineState("loading", "m")),
        ({"status": "ok", "experts": "mapped"}, EngineState("ok", "m", experts="mapped by llama.cpp")),
        ({"status": "ok", "experts": STORE}, EngineState("ok", "m", experts="300 GB of 400 GB in memory", hits=0.75)),
        ({"status": "ok"}, EngineState("ok", "m")),
        ({"status": "what"}, EngineState("busy", "m")),
        (["status"], EngineState("busy", "m")),
    ],
)
def test_what_health_says(answer: object, expected: EngineState) -> None:
    assert state_of(answer, "m") == expected


def test_without_an_engine_nothing_is_started(box: Box) -> None:
    assert state(box) == EngineState("down", "m.gguf")
    assert box.starts() == []


def test_an_engine_that_runs_is_asked(box: Box) -> None:
    asyncio.run(box.daemon("ok").ensure())
    found = state(box)
    assert found is not None
    assert (found.state, found.hits, found.experts) == ("ok", 0.5, "4.29 GB of 8.59 GB in memory")


@pytest.mark.parametrize(
    "behaviour",
    [
        stall(b""),
        reset(b""),
        raw(b""),
        raw(b"HTTP/1.1 200 OK\r\n\r\n"),
        raw(b"HTTP/1.1 500 Oops\r\n\r\n{}"),
        raw(b"HTTP/1.1 200 OK\r\n\r\n{"),
        raw(b"nonsense"),
    ],
)
def test_somebody_who_does_not_answer_is_busy(box: Box, behaviour: Behaviour) -> None:
    async def run() -> EngineState | None:
        async with FaultServer([behaviour], run_paths(str(box.model), box.environ).socket):
            return await engine_state(target(box), box.environ)

    assert asyncio.run(run()) == EngineState("busy", "m.gguf")


def test_an_endpoint_has_no_engine() -> None:
    elsewhere = resolve("http://localhost:1/v1", None, {})
    assert asyncio.run(engine_state(elsewhere, {})) is None
    assert asyncio.run(engine_places(elsewhere, {})) is None


def test_the_planner_says_where_the_boxed_model_would_live(tmp_path: Path) -> None:
    found = asyncio.run(engine_places(resolve(None, boxed_model(), {}), {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}))
    assert found is not None
    assert found.runs
    assert "RAM: " in found.places


@pytest.mark.parametrize("command", [("/no/such/program",), ("/bin/false",), ("/bin/echo",)])
def test_a_planner_that_can_not_say(box: Box, command: tuple[str, ...]) -> None:
    assert asyncio.run(engine_places(target(box), {}, command=command)) is None


def test_a_planner_says_what_it_says(box: Box) -> None:
    line = '{"v": 1, "model": "m", "runs": false, "places": "disk: all", "experts": null, "running": null}'
    command = (sys.executable, "-c", f"print('{line}')")
    assert asyncio.run(engine_places(target(box), {}, command=command)) == EnginePlaces("m", False, "disk: all")


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    said = asyncio.run(asked((sys.executable, "-c", "import threading; threading.Event().wait()"), {}, seconds=0.2))
    assert (said.ok, said.complaint) == (False, "no answer in 0.2 s")
