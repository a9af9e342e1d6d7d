"""How fast the engine's own attention kernels are here: K2's shape, one query over a long context and a batch of queries.

`python -m engine.attention_rate precise 16` measures the kernel that this wish gets, with 16 threads and with one, and prints one JSON
line. `measured` runs just that in a process of its own, because native code can end a process, and because the OpenMP library that comes
with it takes its settings once. About a second and a half; the best try counts, as in `engine.measure`. Every call is measured as a whole
and counted as what was asked for (see `Pace`), so that a kernel that needs fewer operations is simply faster. What this module does not
do: measure llama.cpp's own attention, or load anything into llama.cpp.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine import meter
from engine.errors import EngineError
from engine.machine import Kernels, Pace, Rate
from engine.measure import Remembered
from engine.native.build import TARGET
from engine.native.library import Cell, Cells, Library
from engine.native.plugin import Attention, choose

HEADS: Final = 64
LATENT: Final = 512
CELL: Final = 576
"""Values of a key: the latent and the rotated part."""

LONG: Final = 8192
"""Keys that one query looks at: where an agent is most of the time."""

BATCH_KEYS: Final = 2048
LARGEST_BATCH: Final = 512
SMALLEST_BATCH: Final = 8

SECONDS: Final = 0.25
"""How long each of the four rates is measured for, and longer only where the processor is too slow for two tries."""

LIMIT_SECONDS: Final = 30.0
"""What a processor without vector instructions needs, and one that others keep busy."""

COMMAND: Final = (sys.executable, "-P", "-m", "engine.attention_rate")

ROWS_OF_A_TILE: Final = 12
"""What a tile of the cache costs before the first product, in rows; a row is one head of one query. Measured on one Zen 3 core: the rate
of one query's 4, 8, 16 and 32 heads over that of 64 was 0.22 to 0.30, 0.42 to 0.50, 0.64 to 0.87 and 0.84 to 0.92, by kernel; this gives
0.30, 0.48, 0.68 and 0.86.
"""

QUERIES_OF_A_TILE: Final = 8
"""Queries of a batch that a tile is read for at once."""

Measure = Callable[[Attention, int], Kernels]
"""What `measured` is: the rates of this wish's kernel with so many threads. Raises `EngineError`."""


@dataclass(frozen=True)
class Shape:
    """One measurement: `queries` over `keys`."""

    queries: int
    keys: int

    @property
    def operations(self) -> int:
        """What is asked for."""
        return 2 * HEADS * self.queries * self.keys * (CELL + LATENT)


def scale(heads: int, queries: int) -> float:
    """What to multiply a measured rate with for a model of so many heads: the rate of one query, or of a batch of `queries`."""
    together = min(queries, QUERIES_OF_A_TILE)
    return _share(heads * together) / _share(HEADS * together)


def version(library: Path = TARGET) -> str | None:
    """What tells one build from another; None where the library isn't built."""
    try:
        return hashlib.sha256(library.read_bytes()).hexdigest()[:12]
    except OSError:
        return None


def recall(known: Remembered, key: str) -> Kernels | None:
    """What was measured before and kept by this key."""
    rates = [rate for name in _names(key) if (rate := known.known(name)) is not None]
    return Kernels(Pace(*rates[:2]), Pace(*rates[2:])) if len(rates) == len(_names(key)) else None


def keep(known: Remembered, key: str, kernels: Kernels) -> None:
    """Remember it."""
    rates = (kernels.all.decode, kernels.all.prefill, kernels.one.decode, kernels.one.prefill)
    known.put(dict(zip(_names(key), rates, strict=True)))


def measured(wish: Attention, threads: int, command: Sequence[str] = COMMAND, seconds: float = LIMIT_SECONDS) -> Kernels:
    """The rates, measured by another process. Raises `EngineError` where it fails, with its last words."""
    return meter.ask("the attention kernels", (*command, wish.value, str(threads)), Kernels, seconds)


def pace(prepare: Callable[[Shape], Callable[[], object]], how: str, clock: Callable[[], float] = time.perf_counter) -> Pace:
    """The two rates of what `prepare` makes ready to be called; `how` says what that is. The batch is as large as fits in the time."""
    long = Shape(1, LONG)
    decode = _best(prepare(long), long, clock)
    affordable = int(decode * SECONDS / 2 / Shape(1, BATCH_KEYS).operations) // QUERIES_OF_A_TILE * QUERIES_OF_A_TILE
    batch = Shape(max(SMALLEST_BATCH, min(LARGEST_BATCH, affordable)), BATCH_KEYS)
    prefill = _best(prepare(batch), batch, clock)
    return Pace(Rate(decode, "measured", f"{how}, 1 query"), Rate(prefill, "measured", f"{how}, {batch.queries} queries"))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code."""
    wish, threads = Attention(arguments[0]), int(arguments[1])
    try:
        library = Library()
        kernel = _kernel(library.kernels(), wish)
        whole, one = (pace(_attend(library, kernel, count), _how(kernel, count)) for count in (threads, 1))
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(msgspec.json.encode(Kernels(whole, one)).decode() + "\n")
    return 0


def _attend(library: Library, kernel: str, threads: int) -> Callable[[Shape], Callable[[], object]]:
    """Arrays for a shape, and the call that attends over them. Scores are near zero, so that no key is too faint to count."""
    random = np.random.default_rng(0)

    def prepare(shape: Shape) -> Callable[[], object]:
        queries: NDArray[np.float32] = np.resize(random.standard_normal((1, HEADS, CELL), np.float32), (shape.queries, HEADS, CELL)) * 0.1
        cells = Cells((random.standard_normal((shape.keys, CELL), np.float32) * 0.1).astype(np.float16).view(np.uint8), Cell.F16, CELL)
        out = np.zeros((shape.queries, HEADS, LATENT), np.float32)
        return lambda: library.attend(queries, cells, LATENT, CELL**-0.5, kernel, threads=threads, out=out)

    return prepare


def _best(work: Callable[[], object], shape: Shape, clock: Callable[[], float]) -> float:
    """Operations a second of the quickest of at least two calls."""
    start = clock()
    end, times = start + SECONDS, list[float]()
    while len(times) < 2 or start < end:
        work()
        now = clock()
        times.append(now - start)
        start = now
    return shape.operations / min(times)


def _kernel(names: tuple[str, ...], wish: Attention) -> str:
    """The kernel that the engine would load. Raises `EngineError` where that is none."""
    kernel = choose(names, wish)
    if kernel is None:
        raise EngineError(f"there is no attention kernel for {wish.value!r} here: only precise and fast are measured, not llama.cpp's own")
    return kernel


def _how(kernel: str, threads: int) -> str:
    return f"{kernel}, {threads} thread{'s' if threads > 1 else ''}"


def _share(rows: int) -> float:
    return rows / (rows + ROWS_OF_A_TILE)


def _names(key: str) -> tuple[str, ...]:
    return tuple(f"{key}, {what}, {where}" for where in ("all CPUs", "one") for what in ("one query", "a batch"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
