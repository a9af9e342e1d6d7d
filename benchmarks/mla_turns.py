"""Measure by turns: every contestant once, then every one again, so that what else the machine does falls on all alike; medians.

What this module does not do: say what the times mean (`mla_figures`).
"""

import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import mla_case
import mla_state
import numpy as np
from mla_case import Case
from mla_peers import HERE, Child, Contestant, PeerError
from mla_state import Layouts

PAUSE_SECONDS: Final = 0.01
"""Between turns: the other's threads spin for a while before they sleep."""

FEWEST, MOST = 3, 25
"""How often a case is measured, at least and at most."""

COLD_SECONDS: Final = 0.1
"""Below this one call goes before the measured one: in a model the threads are awake, because another operation has just ended."""

ENOUGH_SECONDS: Final = 20.0
"""After which a contestant is not asked again, whatever the number."""

LARGEST_ERROR: Final = 0.2
"""How far two results may be apart before they are not of the same computation. Half-precision sums over 131,072 keys come to 0.02."""

BATCH: Final = 512


@dataclass(frozen=True)
class Found:
    """Median seconds and the relative difference to our precise kernel's result, by contestant."""

    seconds: Mapping[str, float]
    errors: Mapping[str, float]


def operation(case: Case, contestants: Sequence[Contestant], budget: float) -> Found:
    """Measure one case: each contestant until it has taken `budget` seconds. The last contestant's result is what others are compared
    with. Raises `PeerError` where one computes something else."""
    what = mla_case.data(case)
    takers = [contestant for contestant in contestants if contestant.takes(case)]
    results = {contestant.name: what.read(contestant.prepare(case, what)) for contestant in takers}
    right = results[takers[-1].name]
    errors = {name: float(np.linalg.norm(result - right) / np.linalg.norm(right)) for name, result in results.items()}
    if wrong := [name for name, error in errors.items() if not error < LARGEST_ERROR]:
        raise PeerError(f"{case.name}: {', '.join(wrong)} computed something else (relative error {max(errors.values()):.2g})")
    seconds: dict[str, list[float]] = {contestant.name: [] for contestant in takers}
    for _ in range(MOST):
        for contestant in takers:
            mine = seconds[contestant.name]
            if sum(mine) < (budget if len(mine) >= FEWEST else ENOUGH_SECONDS):
                time.sleep(PAUSE_SECONDS)
                if mine and mine[-1] < COLD_SECONDS:
                    contestant.run()
                mine.append(contestant.run())
    return Found({name: statistics.median(mine) for name, mine in seconds.items()}, errors)


@dataclass(frozen=True)
class Stepper:
    """Who runs whole steps: a driver's command, without the model's file, and how its saved state is laid out."""

    name: str
    command: tuple[str, ...]
    endings: tuple[str, ...]
    layouts: Layouts


def steppers(threads: int, cells: int, ik: Path | None) -> list[Stepper]:
    """Stock, ours, and the peer where there is one."""
    ours = (sys.executable, str(HERE / "mla_step.py"))
    sizes = (str(cells), str(threads))
    found = [Stepper(name, ours, (*sizes, name), Layouts.LLAMA) for name in ("stock", "fast", "precise")]
    return found + ([Stepper("ik", (str(ik),), sizes, Layouts.IK)] if ik else [])


@dataclass(frozen=True)
class Step:
    """So many `tokens` behind `depth` others, `runs` times after one that doesn't count."""

    name: str
    depth: int
    tokens: int
    runs: int


def steps(model: Path, who: Sequence[Stepper], plan: Sequence[Step], folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by step and contestant. One process at a time, since each may hold all weights in memory; each in every round."""
    seconds: dict[str, dict[str, list[float]]] = {step.name: {} for step in plan}
    for turn in range(rounds):
        for stepper in who:
            print(f"  {stepper.name}, round {turn + 1} of {rounds}", file=sys.stderr, flush=True)
            with Child([*stepper.command, str(model), *stepper.endings], folder) as child:
                for step, times in _steps(child, stepper, plan, folder):
                    seconds[step.name].setdefault(stepper.name, []).extend(times)
    return {name: {each: statistics.median(times) for each, times in by.items()} for name, by in seconds.items()}


def _steps(child: Child, stepper: Stepper, plan: Sequence[Step], folder: Path) -> Iterator[tuple[Step, list[float]]]:
    saved, wide = folder / "saved", folder / "wide"
    if (ready := child.ask()) != "ready":
        raise PeerError(f"{stepper.name} said `{ready}` and not that it is ready")
    child.ask(f"save {saved}")
    for depth in sorted({step.depth for step in plan}):
        if depth:
            wide.write_bytes(mla_state.widen(saved.read_bytes(), stepper.layouts, depth))
        child.ask(f"restore {wide} {depth}")
        for step in plan:
            if step.depth == depth:
                child.ask(f"decode {step.tokens}")
                yield step, [float(child.ask(f"decode {step.tokens}")) for _ in range(step.runs)]
    wide.unlink(missing_ok=True)
