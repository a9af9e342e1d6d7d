"""`python -m engine.lives MODEL`: where the parts of a model live or would live, and how its experts fare, as one JSON line for `doctor`.

Without an engine that runs the model it is the plan's word, with what was measured before: nothing is measured, started or loaded, and GPUs
are not looked for. Of a running engine it is what that says of itself. What this module does not do: judge; that is `doctor`'s part.
"""

import contextlib
import ctypes
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

import psutil

from engine import control, hits, known
from engine.advice import size
from engine.errors import EngineError
from engine.expert_speed import expected_hits
from engine.layout import Layout
from engine.machine import Machine
from engine.measure import Remembered
from engine.outlook import Wishes
from engine.plan import Share, plan
from engine.shapes import ModelShape
from engine.survey import quick, remembered

_VERSION: Final = 1
_SETUP: Final = 425
"""io_uring_setup's number, on every processor."""

_PARAMETERS: Final = 120
"""Bytes of its parameters."""


def main(arguments: Sequence[str]) -> int:
    """Print the line; the exit code."""
    try:
        said = report(arguments[0], os.environ, remembered())
    except (EngineError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code if isinstance(error, EngineError) else EngineError.exit_code
    sys.stdout.write(json.dumps({"v": _VERSION, **said}) + "\n")
    return 0


def report(name: str, environ: Mapping[str, str], rates: Remembered) -> dict[str, object]:
    """What is to be said of the model of this name: `places`, `experts`, and `running` of an engine that serves it, each a line or None.
    Raises `EngineError`."""
    shape = known.find(name)
    largest = max(shape.files, key=lambda file: file.stat().st_size, default=None)
    engine = serving(shape, environ)
    machine = without(replace(quick(largest, Path.cwd(), rates), hits=hits.recall(rates, shape)), engine)
    answer = plan(shape, machine, Wishes())
    return {
        "model": shape.name,
        "runs": answer.runs,
        "places": places(answer.shares),
        "experts": experts(answer.outlook.layout, machine, largest) if shape.routed.bytes else None,
        "running": None if engine is None else fared(engine.counters.get("experts"), engine.status),
    }


def places(shares: Sequence[Share]) -> str:
    """Every kind of memory and what lives there, as in "RAM: 1.2 GB routed experts, 300 MB cache (KV); disk: …"."""
    ordered = groupby(shares, lambda share: share.place)
    return "; ".join(f"{place}: {', '.join(f'{size(share.bytes)} {share.what}' for share in there)}" for place, there in ordered)


def experts(layout: Layout, machine: Machine, file: Path | None) -> str:
    """Who keeps the routed experts, how they are read, and how often they would be found in memory."""
    expected = expected_hits(machine, layout)
    found = f", {expected.expected:.0%} of uses found in memory ({expected.basis})" if layout.disk else ", all of them in memory"
    memory = layout.placement.expert_memory
    if memory is None:
        kept = "on GPUs" if layout.gpu.experts and not layout.ram.experts + layout.disk else "mapped by llama.cpp"
        return f"{kept}{found}"
    how = f"{'direct' if file is None or direct(file) else 'buffered'} reads by {'io_uring' if uring() else 'threads'}"
    return f"a store of {size(memory)}, {how}{found}"


def serving(shape: ModelShape, environ: Mapping[str, str]) -> control.Running | None:
    """The engine that runs this model."""
    files = {os.path.realpath(file) for file in shape.files}
    engines = control.running(environ) if files else []
    return next((engine for engine in engines if os.path.realpath(engine.model) in files), None)


def without(machine: Machine, engine: control.Running | None) -> Machine:
    """The machine as it would be without this engine: what that holds is the model's."""
    if engine is None:
        return machine
    with contextlib.suppress(psutil.Error):
        facts = psutil.Process(engine.pid).memory_info()
        own = facts.rss - getattr(facts, "shared", 0)
        memory = replace(machine.memory, available=min(machine.memory.total, machine.memory.available + own))
        return replace(machine, memory=memory)
    return machine


def fared(told: object, status: str) -> str:
    """An engine's own word, as `/health` has it."""
    match told:
        case {"hit_rate": float() | int() as rate, "cache_bytes": int() as held, "read_bytes": int() as read}:
            return f"{rate:.0%} of uses found in memory, {size(held)} of it, {size(read)} read from disk so far"
        case str():
            return "experts mapped by llama.cpp"
        case _:
            return f"the engine is {status}"


def direct(file: Path) -> bool:
    """Whether this file can be read past the page cache."""
    try:
        os.close(os.open(file, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_DIRECT", 0)))
    except OSError:
        return False
    return hasattr(os, "O_DIRECT")


def uring() -> bool:
    """Whether the system gives this process an io_uring."""
    if sys.platform != "linux":
        return False
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(_SETUP, 1, ctypes.create_string_buffer(_PARAMETERS))
    if descriptor < 0:
        return False
    os.close(descriptor)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
