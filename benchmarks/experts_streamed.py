"""Tokens of the slice that is larger than memory: ours with its store, llama.cpp's mapping, ik_llama.cpp's read-ahead, one after the other.

Each begins with an empty page cache in a process of its own, reads a prompt (with the skewed routing), and decodes for a while, so that
memory is full before single tokens are measured. Bytes are what the drive gave meanwhile. llama.cpp computes the last layer only of tokens
whose scores are wanted: a prompt meets the experts of the layers before it.
What this module does not do: say what the numbers mean (`experts_figures`).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import experts_slice
import experts_system
from experts_route import Routing
from experts_slice import Slice
from mla_peers import HERE, Child, PeerError

from engine import shapes, survey
from engine.layout import Experts, ExpertWish, arrange

CELLS: Final = 9216
STREAMS: Final = 8
SMALL, LARGE = 512, 2048
"""Tokens of a micro-batch: llama.cpp's usual one, and one that meets each expert once a prompt."""

PROMPT: Final = 2048
SHARES: Final = (0.24, 0.12, 0.06)
"""Of experts in memory, beside the planned share: points of a curve."""

MOST: Final = 100_000
AGAIN: Final = 4
"""Tokens that are repeated to see what a token takes whose experts are all in memory."""


@dataclass(frozen=True)
class Budget:
    """Seconds for filling memory, for measuring, and for the same at each further point of the curve."""

    warm: float
    measure: float
    settle: float
    point: float


QUICK: Final = Budget(35, 20, 6, 10)
LONG: Final = Budget(150, 60, 40, 40)


@dataclass(frozen=True)
class Decoded:
    """What one token takes: seconds, bytes from the drive; of ours also the share of uses found in memory, and the bytes that the store
    read."""

    seconds: float
    bytes: float | None
    hits: float | None = None
    read: float | None = None


@dataclass(frozen=True)
class Point:
    """With this share of experts in memory."""

    share: float
    decoded: Decoded


@dataclass
class Found:
    """What was measured with one routing: loading, single tokens, prompts, by who; ours with several sequences, with everything in memory
    (`again`, seconds of a token), by shares of experts in memory, with and without announcing the next layer's experts; `reading`: bytes a
    second of the reader while a prompt was read."""

    load: dict[str, float] = field(default_factory=dict)
    decoded: dict[str, Decoded] = field(default_factory=dict)
    prefill: dict[str, float] = field(default_factory=dict)
    streams: Decoded | None = None
    again: float | None = None
    points: dict[str, list[Point]] = field(default_factory=dict)
    announced: dict[bool, Decoded] = field(default_factory=dict)
    reading: float | None = None


@dataclass(frozen=True)
class Machine:
    """Where it is measured: threads, programs, a folder, and memory left to everybody, in bytes, where it is limited."""

    threads: int
    ik: Path | None
    folder: Path
    left: float | None


def store_memory(path: Path) -> int:
    """The store's bytes that would be planned for this file, with `LARGE` batches, now. Raises `EngineError`."""
    machine = survey.quick(path, path.parent, survey.remembered())
    layout = arrange(shapes.read(path), machine, CELLS, "f16", LARGE, ExpertWish(Experts.STORE))
    assert layout.placement.expert_memory is not None
    return layout.placement.expert_memory


Attempt = Callable[[str, Callable[[], None]], None]
"""Do it, and note why it couldn't be done."""


def measure(what: Slice, routing: Routing, machine: Machine, budget: Budget, attempt: Attempt, *, quick: bool) -> Found:
    """Everything with one routing; prompts only with the skewed one. Raises `PeerError` where memory can't be held back, and `EngineError`
    where the file isn't the slice."""
    experts_slice.route(what, routing)
    found, prompts, name = Found(), routing is Routing.SKEWED, f"{routing.value} routing"
    with experts_system.limited(machine.left, machine.folder):
        attempt(f"{name}, ours", lambda: _ours(found, what, machine, budget, prompts=prompts))
        attempt(f"{name}, mapped", lambda: _mapped(found, what, machine, budget, SMALL, prompts=prompts, quick=quick))
        if prompts:
            attempt(f"{name}, mapped, {LARGE}", lambda: _mapped(found, what, machine, None, LARGE, prompts=True, quick=quick))
        if machine.ik is not None:
            attempt(f"{name}, ik_llama.cpp", lambda: _ik(found, what, machine, budget, prompts=prompts and not quick))
    return found


def other_shares(found: Found, what: Slice, machine: Machine, budget: Budget, planned: float) -> None:
    """Mapping's points of the curve: memory is taken away. `planned` is the share that our store had, with which it has been measured.
    Raises `PeerError`."""
    found.points["mapped"] = [Point(planned, found.decoded["mapped"])]
    rest = what.bytes - what.experts_bytes
    for share in SHARES:
        with experts_system.limited(rest + share * what.experts_bytes, machine.folder):
            part = Found()
            _mapped(part, what, machine, budget, SMALL, prompts=False, quick=True)
            found.points["mapped"].append(Point(share, part.decoded["mapped"]))


def _ours(found: Found, what: Slice, machine: Machine, budget: Budget, *, prompts: bool) -> None:
    memory = store_memory(what.path)
    numbers = (CELLS, LARGE, STREAMS, machine.threads, memory)
    with _started("ours", what, machine, [sys.executable, HERE / "experts_step.py"], numbers, found) as child:
        if prompts:
            before = _counts(child)
            found.prefill["ours"] = float(child.ask(f"prefill {PROMPT}"))
            after = _counts(child)
            found.reading = (after[2] - before[2]) / max(after[3] - before[3], 1e-9)
        child.ask(f"decode {budget.warm} {MOST}")
        decoded = found.decoded["ours"] = _decode(child, what, f"decode {budget.measure} {MOST}", 1)
        for on in (False, True):
            child.ask(f"predict {int(on)}")
            found.announced[on] = _decode(child, what, f"decode {budget.point} {MOST}", 1)
        found.again = float(child.ask(f"again {AGAIN} 5"))
        found.streams = _decode(child, what, f"streams {budget.measure} {MOST}", STREAMS)
        found.points["ours"] = [Point(min(1.0, memory / what.experts_bytes), decoded), *_points(child, what, budget, memory)]


def _points(child: Child, what: Slice, budget: Budget, memory: int) -> Iterator[Point]:
    for share in SHARES:
        if (size := int(share * what.experts_bytes)) < memory:
            child.ask(f"resize {size}")
            child.ask(f"decode {budget.settle} {MOST}")
            yield Point(share, _decode(child, what, f"decode {budget.point} {MOST}", 1))


def _mapped(found: Found, what: Slice, machine: Machine, budget: Budget | None, batch: int, *, prompts: bool, quick: bool) -> None:
    """With llama.cpp's usual micro-batches also single tokens. A quick prompt is one micro-batch, in times of their number: each reads all
    experts anyway."""
    with _started(
        "mapped", what, machine, [sys.executable, HERE / "experts_step.py"], (CELLS, batch, 1, machine.threads, 0), found
    ) as child:
        if prompts:
            tokens = batch if quick else PROMPT
            found.prefill[f"mapped_{batch}"] = float(child.ask(f"prefill {tokens}")) * PROMPT / tokens
        if budget is not None:
            child.ask(f"decode {budget.warm} {MOST}")
            found.decoded["mapped"] = _decode(child, what, f"decode {budget.measure} {MOST}", 1)


def _ik(found: Found, what: Slice, machine: Machine, budget: Budget, *, prompts: bool) -> None:
    assert machine.ik is not None
    with _started("ik", what, machine, [machine.ik], (CELLS, SMALL, machine.threads, "prefetch"), found) as child:
        if prompts:
            found.prefill["ik"] = float(child.ask(f"prefill {PROMPT}"))
        child.ask(f"decode {budget.warm} {MOST}")
        found.decoded["ik"] = _decode(child, what, f"decode {budget.measure} {MOST}", 1)


def _started(name: str, what: Slice, machine: Machine, command: Sequence[str | Path], numbers: Sequence[int | str], found: Found) -> Child:
    """A driver that has loaded the model, from an empty page cache."""
    print(f"  {name}", file=sys.stderr, flush=True)
    experts_system.drop(what.path)
    child = Child([*command, what.path, *map(str, numbers)], machine.folder)
    match child.ask().split():
        case ["ready", seconds]:
            found.load.setdefault(name, float(seconds))
            return child
        case said:
            child.close()
            raise PeerError(f"{name} said `{' '.join(said)}` and not that it is ready")


def _decode(child: Child, what: Slice, line: str, sequences: int) -> Decoded:
    """Tokens, and what was read for them."""
    reads, counts = experts_system.drive_reads(what.path), _counts(child)
    steps, seconds = child.ask(line).split()
    tokens = int(steps) * sequences
    more = experts_system.drive_reads(what.path)
    bytes_read = None if reads is None or more is None else (more - reads) / tokens
    hits, misses, read, *_ = (after - before for before, after in zip(counts, _counts(child), strict=True))
    if not hits + misses:
        return Decoded(float(seconds) / tokens, bytes_read)
    return Decoded(float(seconds) / tokens, bytes_read, hits / (hits + misses), read / tokens)


def _counts(child: Child) -> list[float]:
    return [float(number) for number in child.ask("counts").split()]
