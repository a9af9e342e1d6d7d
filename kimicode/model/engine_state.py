"""How the embedded engine of a target is, and where its model's parts would live: for whoever shows it, without starting anything.

What this module does not do: start or stop an engine (`daemon`), or judge what is told.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from kimicode.errors import UnavailableError
from kimicode.model.engine_asked import LIVES, asked
from kimicode.model.engine_http import NoAnswerError, NobodyListensError, ask
from kimicode.model.rundir import run_paths
from kimicode.model.target import Target

_ASK_SECONDS: Final = 1.0


class EngineState(msgspec.Struct, frozen=True):
    """One look at an engine. `places` is where the parts of the model live, in a line, where somebody asked for it; `experts` who keeps
    routed experts and how many of them are in memory; `hits` how many uses found one there, 0 to 1, None where that is not counted.

    `done` of `total` bytes of the model are read while it is `loading`; `total` is 0 until that is known. `busy`: it does not answer.
    """

    state: Literal["ok", "loading", "down", "busy"]
    model: str = ""
    places: str = ""
    experts: str = ""
    hits: float | None = None
    done: int = 0
    total: int = 0


class EnginePlaces(msgspec.Struct, frozen=True):
    """Where the parts of a model live by the plan (`places`, a line), and how its experts would fare (`experts`, None without any).

    `runs`: the plan fits this machine. `running` is what an engine that serves the model says of its experts, None where none does.
    """

    model: str
    runs: bool
    places: str
    experts: str | None = None
    running: str | None = None


async def engine_state(target: Target, environ: Mapping[str, str]) -> EngineState | None:
    """The state of the engine for `target`, in about a second at most; None where the target has no embedded engine."""
    if not target.model_file:
        return None
    try:
        socket = run_paths(target.model_file, environ).socket
    except UnavailableError:
        return EngineState("down", target.model)
    try:
        answer = await ask(socket, "/health", _ASK_SECONDS)
    except NobodyListensError:
        return EngineState("down", target.model)
    except NoAnswerError:
        return EngineState("busy", target.model)
    return state_of(answer, target.model)


def state_of(answer: object, model: str) -> EngineState:
    """The state in what `/health` says. Pure."""
    match answer:
        case {"status": "loading", "done": int(done), "total": int(total)}:
            return EngineState("loading", model, done=done, total=total)
        case {"status": "loading"}:
            return EngineState("loading", model)
        case {"status": "ok", "experts": {"hit_rate": float() | int() as rate, "cache_bytes": int(held), "planned_bytes": int(planned)}}:
            return EngineState("ok", model, experts=f"{_size(held)} of {_size(planned)} in memory", hits=min(max(float(rate), 0.0), 1.0))
        case {"status": "ok", "experts": str()}:
            return EngineState("ok", model, experts="mapped by llama.cpp")
        case {"status": "ok"}:
            return EngineState("ok", model)
        case _:
            return EngineState("busy", model)


async def engine_places(target: Target, environ: Mapping[str, str], *, command: Sequence[str] = LIVES) -> EnginePlaces | None:
    """Where the model's parts live, or would; None where the target has no embedded engine, or the planner can't say. Takes a second or so
    of another process; nothing is measured, started or loaded."""
    if not target.model_file:
        return None
    said = await asked((*command, target.model_file), environ)
    try:
        return msgspec.json.decode(said.out, type=EnginePlaces) if said.ok else None
    except msgspec.DecodeError:
        return None


def _size(count: int) -> str:
    return f"{count / 1e9:.3g} GB" if count >= 1e9 else f"{count / 1e6:.3g} MB"
