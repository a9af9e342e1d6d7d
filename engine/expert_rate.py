"""How fast products with experts' weights are here: K2's widths, one row of activations at a time and several.

`python -m engine.expert_rate Q4_0 16` measures the best kernel for weights of this type with 16 threads and prints one JSON line.
`measured` runs just that in a process of its own, because native code can end a process. Two to three seconds; the best try counts, as in
`engine.measure`. The weights are far larger than the caches, so that a rate is what memory and arithmetic give together: what a layer of a
model with all experts in memory meets. Weights are random bytes, among which an infinity takes no longer than any other number.
What this module does not do: measure reading from disk, or a whole layer.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from numpy.typing import NDArray

from engine import devices, meter
from engine.attention_rate import version
from engine.errors import EngineError, ModelFileError
from engine.expert_files import is_expert
from engine.gguf import read_header
from engine.machine import EXPERT_ROWS, ExpertPace, Rate, memory
from engine.measure import Remembered
from engine.native.build import TARGET
from engine.native.weights import WeightsLibrary

WIDTH: Final = 7168
"""Values of a row: what gate and up of K2's experts are multiplied with."""

SECONDS: Final = 0.5
"""How long each number of rows is measured for, and longer only where the processor is too slow for two tries."""

LIMIT_SECONDS: Final = 60.0
"""What a processor without vector instructions needs, and one that others keep busy."""

USUAL: Final = "Q4_0"
"""The type of K2.6's own experts in a GGUF."""

COMMAND: Final = (sys.executable, "-P", "-m", "engine.expert_rate")

_SYMBOL: Final = b"kimicode_store_open"
_A_CPU: Final = 128 << 20
_MOST: Final = 2 << 30
_MEMORY_SHARE: Final = 8
_PATTERN: Final = 16 << 20
_WHOLE: Final = 8

Measure = Callable[[str, int], ExpertPace]
"""What `measured` is: the rates for weights of this type with so many threads. Raises `EngineError`."""

Multiply = Callable[[int, int], object]
"""A product of the first so many rows of the weights with so many rows of activations."""


def has_store(library: Path = TARGET) -> bool:
    """Whether the engine can keep experts in a store of its own: on Linux, where the library is built. Nothing is loaded."""
    try:
        return sys.platform == "linux" and _SYMBOL in library.read_bytes()
    except OSError:
        return False


def kind_of(file: Path | None) -> str:
    """ggml's name of the type of the experts' weights in this file; `USUAL` where it has none or can't be read."""
    try:
        header = None if file is None else read_header(file)
    except (OSError, ModelFileError):
        header = None
    return next((tensor.kind for tensor in (header.tensors if header else ()) if is_expert(tensor.name)), USUAL)


def key(kind: str, library: Path = TARGET) -> str:
    """The name of the measurement: another build is measured again."""
    return f"experts, {kind}, build {version(library)}"


def recall(known: Remembered, name: str, kind: str) -> ExpertPace | None:
    """What was measured before and kept by this name."""
    rates = tuple(rate for each in _names(name) if (rate := known.known(each)) is not None)
    return ExpertPace(kind, rates) if len(rates) == len(EXPERT_ROWS) else None


def keep(known: Remembered, name: str, pace: ExpertPace) -> None:
    """Remember it."""
    known.put(dict(zip(_names(name), pace.rates, strict=True)))


def measured(kind: str, threads: int, command: Sequence[str] = COMMAND, seconds: float = LIMIT_SECONDS) -> ExpertPace:
    """The rates, measured by another process. Raises `EngineError` where it fails, with its last words."""
    return meter.ask("products with experts", (*command, kind, str(threads)), ExpertPace, seconds)


def pace(kind: str, multiply: Multiply, rows: int, row_bytes: int, how: str, clock: Callable[[], float] = time.perf_counter) -> ExpertPace:
    """The rates of `multiply` over weights of `rows` rows; `how` says what that is. With many rows of activations fewer of the weights'
    are enough, so that a product fits in the time twice."""
    rates: list[Rate] = []
    slowest = 0.0
    for count in EXPERT_ROWS:
        share = min(1.0, _WHOLE / count, SECONDS / 2 / (slowest * count) if slowest else 1.0)
        first = max(1, int(rows * share))
        best = _best(partial(multiply, first, count), clock)
        slowest = slowest or best
        rates.append(Rate(first * row_bytes / best, "measured", f"{how}, {count} row{'s' if count > 1 else ''} at a time"))
    return ExpertPace(kind, tuple(rates))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the exit code."""
    kind, threads = arguments[0], int(arguments[1])
    try:
        library = WeightsLibrary()
        number = GGMLQuantizationType[kind]
        name = _name(library, kind, int(number))
        block, size = GGML_QUANT_SIZES[number]
        row_bytes = WIDTH // block * size
        rows = min(_A_CPU * threads, _MOST, memory().available // _MEMORY_SHARE) // row_bytes
        multiply = _multiply(library, name, rows, row_bytes, threads)
        found = pace(kind, multiply, rows, row_bytes, f"{name}, {threads} thread{'s' if threads > 1 else ''}")
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


def _name(library: WeightsLibrary, kind: str, number: int) -> str:
    """The best kernel for it. Raises `EngineError` where there is none."""
    # llama.cpp's own are there once its CPU backend is loaded, which this does.
    devices.devices()
    names = library.names(number)
    if not names:
        raise EngineError(f"nothing here multiplies experts of type {kind}: plan with --experts mapped")
    return names[0]


def _multiply(library: WeightsLibrary, name: str, rows: int, row_bytes: int, threads: int) -> Multiply:
    random = np.random.default_rng(0)
    pattern = np.frombuffer(random.bytes(_PATTERN), np.uint8)
    weights: NDArray[np.uint8] = np.resize(pattern, rows * row_bytes)
    x = random.standard_normal((EXPERT_ROWS[-1], WIDTH), np.float32)
    out = np.zeros(_WHOLE * rows, np.float32)

    def multiply(first: int, count: int) -> object:
        result = out[: count * first].reshape(count, first)
        return library.multiply(name, weights[: first * row_bytes], first, x[:count], threads=threads, out=result)

    return multiply


def _best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Seconds of the quickest of at least two calls."""
    start = clock()
    end, times = start + SECONDS, list[float]()
    while len(times) < 2 or start < end:
        work()
        now = clock()
        times.append(now - start)
        start = now
    return min(times)


def _names(name: str) -> tuple[str, ...]:
    return tuple(f"{name}, {rows} rows" for rows in EXPERT_ROWS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
