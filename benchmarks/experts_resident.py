"""The routed experts of one layer in memory: ours beside llama.cpp's and kt-kernel's, each in a process of its own.

Those that are compared take turns, call by call, because a shared machine's memory is not as fast in every minute. A layer has all 384
experts, or as many as memory has room for, and each token uses 8 of them, drawn evenly; every call uses other ones.
Beside kt-kernel, which wants memory for copies of its own, layers have `FEW`. What this module does not do: say what the times mean
(`experts_figures`).
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import psutil
from mla_peers import HERE, Child, PeerError
from numpy.typing import NDArray

from engine.gguf import read_header

ROWS: Final = (1, 8, 32, 128)
"""Tokens of a call."""

SETS: Final = {1: 32, 8: 12, 32: 6, 128: 3}
"""How many different choices of experts take turns."""

FEW: Final = 64
LAYER: Final = 1
"""The first one with experts."""

USED: Final = 8
FEWEST, MOST = 3, 40
PAUSE_SECONDS: Final = 0.005
ENOUGH_SECONDS: Final = 8.0
"""After which a case isn't computed again, whatever the number."""

SPARE: Final = 3e9
"""Bytes of memory that experts leave free."""

APART: Final = 0.05
"""How far two results may be from each other, relative to their size: 8-bit activations come to 0.01."""


@dataclass(frozen=True)
class Layer:
    """A layer of a file: sizes, and where gate, up and down begin."""

    path: Path
    experts: int
    width: int
    hidden: int
    offsets: tuple[int, int, int]

    @property
    def expert_bytes(self) -> int:
        """Of one expert's true INT4 weights: 4 bits and a scale of 16 for 32 of them."""
        return 3 * self.width * self.hidden // 32 * 18


@dataclass(frozen=True)
class Who:
    """One who computes: a driver's command, and its line that loads a layer's first experts."""

    name: str
    command: tuple[str, ...]
    load: Callable[[Layer, int], str]
    few: bool = False


@dataclass(frozen=True)
class Times:
    """Median seconds of a call by rows and contestant, and the distinct experts of a call, on average, by rows; of all experts and of
    `FEW`. `memory` is how fast memory was read meanwhile, bytes a second."""

    all: Mapping[int, Mapping[str, float]]
    few: Mapping[int, Mapping[str, float]]
    distinct: Mapping[int, float]
    distinct_few: Mapping[int, float]
    experts: int
    expert_bytes: int
    memory: float


def layer_of(path: Path) -> Layer:
    """The layer that is measured. Raises `EngineError` where the file can't be read."""
    header = read_header(path)
    found = {tensor.name: tensor for tensor in header.tensors}
    gate, up, down = (found[f"blk.{LAYER}.ffn_{part}_exps.weight"] for part in ("gate", "up", "down"))
    width, hidden, experts = gate.shape
    return Layer(path, experts, width, hidden, (gate.offset, up.offset, down.offset))


def contestants(stock: Path, kt: Path | None, threads: int) -> list[list[Who]]:
    """Everybody who is here, by who takes turns; `stock` is the program, `kt` an unpacked wheel."""

    def plain(layer: Layer, experts: int) -> str:
        return f"load {layer.path} {experts} {layer.width} {layer.hidden} {' '.join(map(str, layer.offsets))}"

    def ours(layer: Layer, experts: int) -> str:
        return f"load {layer.path} {experts} {layer.width} {layer.hidden} {LAYER}"

    count = str(threads)
    mine = (sys.executable, str(HERE / "experts_layer.py"), count)
    repacked = Who("repacked", (str(stock), count), lambda layer, experts: f"{plain(layer, experts)} repacked")
    found = [
        [repacked, Who("ours", mine, ours)],
        [Who("plain", (str(stock), count), lambda layer, experts: f"{plain(layer, experts)} plain")],
    ]
    if kt is not None:
        theirs = (sys.executable, str(HERE / "experts_kt.py"), str(kt), count)
        # One after the other: its threads never sleep.
        found += [[Who("kt", theirs, plain, few=True)], [Who("ours", mine, ours, few=True)]]
    return found


def room(layer: Layer) -> int:
    """How many of its experts memory has room for, twice."""
    return max(0, min(layer.experts, int((psutil.virtual_memory().available - SPARE) / layer.expert_bytes / 2)))


def measure(layer: Layer, who: Sequence[Sequence[Who]], folder: Path, memory: Callable[[], float], *, rounds: int, budget: float) -> Times:
    """All cases by everybody, `budget` seconds for each in each round; `memory` says how fast it is now, in bytes a second. Raises
    `PeerError` where one computes something else."""
    experts = room(layer)
    if experts < FEW:
        raise PeerError(f"memory has room for {experts} experts, and {FEW} are needed: end other programs")
    cases = {few: [write_case(folder, layer.width, FEW if few else experts, rows, few=few) for rows in ROWS] for few in (False, True)}
    seconds: dict[tuple[bool, int, str], list[float]] = {}
    results: dict[tuple[bool, int], NDArray[np.float32]] = {}
    rates = []
    for together in who:
        print(f"  {' and '.join(each.name for each in together)}", file=sys.stderr, flush=True)
        with ExitStack() as stack:
            children = {each.name: stack.enter_context(Child(each.command, folder)) for each in together}
            for each in together:
                children[each.name].ask(each.load(layer, FEW if each.few else experts))
            for case in cases[together[0].few] * rounds:
                rates.append(memory())
                for each in together:
                    children[each.name].ask(f"case {case.folder} {case.rows} {case.sets} {USED}")
                    _compare(results, case, each)
                for name, times in _turns(children, budget).items():
                    seconds.setdefault((case.few, case.rows, name), []).extend(times)
            if "ours" in children and (missed := int(children["ours"].ask("misses"))):
                raise PeerError(f"{missed} of our experts were read from disk while their times were taken: end other programs")
    medians = {key: statistics.median(times) for key, times in seconds.items()}
    by = [{rows: {name: s for (f, r, name), s in medians.items() if (f, r) == (few, rows)} for rows in ROWS} for few in (False, True)]
    distinct = [{case.rows: case.distinct for case in cases[few]} for few in (False, True)]
    return Times(by[0], by[1], distinct[0], distinct[1], experts, layer.expert_bytes, statistics.median(rates))


@dataclass(frozen=True)
class Case:
    """So many `rows` with the data in `folder`."""

    folder: Path
    rows: int
    sets: int
    few: bool
    distinct: float
    weights: NDArray[np.float32]


def write_case(folder: Path, width: int, experts: int, rows: int, *, few: bool) -> Case:
    """Random data for so many rows, and choices of distinct experts."""
    rng = np.random.default_rng(rows)
    place = folder / f"case_{experts}_{rows}_{few}"
    place.mkdir()
    ids = rng.random((SETS[rows], rows, experts)).argsort(axis=-1)[..., :USED].astype(np.int32)
    weights = rng.random((rows, USED), np.float32)
    for name, data in (("x", rng.standard_normal((rows, width), np.float32)), ("ids", ids), ("weights", weights)):
        data.tofile(place / name)
    return Case(place, rows, SETS[rows], few, float(np.mean([len(np.unique(chosen)) for chosen in ids])), weights)


def _turns(children: Mapping[str, Child], budget: float) -> dict[str, list[float]]:
    """Seconds of calls of the case that all of them have, in turns."""
    times: dict[str, list[float]] = {name: [] for name in children}

    def more() -> bool:
        done, spent = len(next(iter(times.values()))), sum(map(sum, times.values()))
        return done < MOST and spent < len(times) * (budget if done >= FEWEST else ENOUGH_SECONDS)

    while more():
        for name, child in children.items():
            times[name].append(float(child.ask("run")))
            # The others' threads look for work a while after their turn.
            time.sleep(PAUSE_SECONDS)
    return times


def _compare(results: dict[tuple[bool, int], NDArray[np.float32]], case: Case, who: Who) -> None:
    """With what was computed first of this case: token by token, and the middle one counts, because kt-kernel's are now and then off."""
    out = np.fromfile(case.folder / "out", np.float32)
    summed = out.reshape(case.rows, -1)
    if who.name != "kt":
        summed = np.einsum("tuw,tu->tw", out.reshape(case.rows, USED, -1), case.weights)
    right = results.setdefault((case.few, case.rows), summed)
    apart = np.linalg.norm(summed - right, axis=1) / np.linalg.norm(right, axis=1)
    if not np.median(apart) < APART:
        raise PeerError(f"{who.name} computed something else of {case.rows} rows (relative error {np.median(apart):.2g})")
