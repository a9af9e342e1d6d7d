"""How fast this machine really is: reading memory, multiplying, reading the disk; remembered, because it takes seconds.

Memory: every CPU reads its own array, far larger than the caches, at once. Computing: one 32-bit matrix product by numpy's BLAS. Disk:
pieces the size of an expert's matrix, several at a time, past the page cache (O_DIRECT) where the file system can, else from a file
whose pages were dropped first. The best of a few tries counts: what disturbs a measurement only ever makes it slower. Results are kept
in one JSON file; one that can't be read or written costs the time of measuring again and nothing else. What this module does not do:
measure attention (`engine.attention_rate`), products with experts (`engine.expert_rate`) or GPUs.
"""

import contextlib
import json
import mmap
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np

from engine.machine import Rate

PIECE: Final = 8 << 20
"""Bytes of one read from disk: about one matrix of one of K2's experts, which is the unit that decoding asks for."""

READERS: Final = 4
"""How many reads are under way at once."""

SCRATCH: Final = 256 << 20
"""Bytes of the temporary file where there is no model file yet."""

DISK_SECONDS: Final = 1.0
_TRIES: Final = 6
_ARRAY: Final = 128 << 20
_SIDE: Final = 1024
_BUFFERED: Final = "through the page cache, its pages dropped first"
_DIRECT: Final = "O_DIRECT"


class Remembered:
    """Measured rates in the file `path`, by a key that names the machine and what was measured."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rates = self._load()

    def known(self, key: str) -> Rate | None:
        """What was measured before, or None."""
        return self._rates.get(key)

    def starting(self, prefix: str) -> dict[str, Rate]:
        """Everything that was measured before whose key begins so."""
        return {key: rate for key, rate in self._rates.items() if key.startswith(prefix)}

    def get(self, key: str, measure: Callable[[], Rate | None], *, again: bool) -> Rate | None:
        """What was measured before, or `again`, now, and remembered."""
        if not again and (known := self._rates.get(key)) is not None:
            return known
        rate = measure()
        if rate is not None:
            self.put({key: rate})
        return rate

    def put(self, rates: Mapping[str, Rate]) -> None:
        """Remember these."""
        self._rates |= rates
        self._save()

    def _load(self) -> dict[str, Rate]:
        try:
            rows = json.loads(self._path.read_text("utf-8"))
            return {str(key): Rate(float(value), "measured", str(how)) for key, (value, how) in rows.items() if float(value) > 0}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _save(self) -> None:
        text = json.dumps({key: [rate.value, rate.how] for key, rate in self._rates.items()}, indent=1)
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._path.parent, delete=False) as file:
                file.write(text)
            os.replace(file.name, self._path)


def key(what: str, cpu: str, cpus: int, memory: int) -> str:
    """The name of a measurement: another processor, number of CPUs or amount of memory is another machine."""
    return f"{what} of {platform.node()}, {cpus} × {cpu}, {memory >> 30} GiB"


def disk_key(folder: Path) -> str:
    """The name of a measurement of the file system that holds `folder`."""
    return f"disk {os.stat(folder).st_dev} of {platform.node()}"


def memory_rate(cpus: int, available: int) -> Rate:
    """Bytes a second that `cpus` threads read from memory together. Uses at most an eighth of the `available` bytes."""
    size = max(1 << 20, min(_ARRAY, available // 8 // cpus))
    with ThreadPoolExecutor(cpus) as pool:
        # Each thread writes its own array first: memory belongs to the node of the CPU that touches it first.
        arrays = list(pool.map(lambda _: np.full(size // 4, 1, np.float32), range(cpus)))
        best = min(_timed(lambda: list(pool.map(np.max, arrays))) for _ in range(_TRIES))
    return Rate(size * cpus / best, "measured", f"{cpus} threads, {size * cpus >> 20} MiB")


def compute_rate() -> Rate:
    """Floating point operations a second of a 32-bit matrix product with all CPUs."""
    matrix = np.full((_SIDE, _SIDE), 0.5, np.float32)
    matrix @ matrix
    best = min(_timed(lambda: matrix @ matrix) for _ in range(_TRIES))
    return Rate(2 * _SIDE**3 / best, "measured", f"numpy's product of {_SIDE} × {_SIDE} matrices")


def file_rate(path: Path, opener: Callable[[Path, int], int] = os.open) -> Rate | None:
    """Bytes a second of reading `path` in pieces spread over it; None where it is too small to say or can't be read."""
    size = path.stat().st_size
    pieces = size // PIECE
    if pieces < 2 * READERS:
        return None
    ways = [(os.O_DIRECT, _DIRECT)] if hasattr(os, "O_DIRECT") else []
    for flags, how in [*ways, (0, _BUFFERED)]:
        with contextlib.suppress(OSError):
            return _read(opener(path, os.O_RDONLY | os.O_CLOEXEC | flags), pieces, how)
    return None


def folder_rate(folder: Path, free: int) -> Rate | None:
    """Bytes a second of reading a temporary file in `folder`; None where it can't be written or would fill a quarter of the space."""
    if free < 4 * SCRATCH:
        return None
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".kimicode-plan-") as file:
            block = os.urandom(PIECE)  # a file system that compresses must not read less than it seems
            for _ in range(SCRATCH // PIECE):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            return file_rate(Path(file.name))
    except OSError:
        return None


def _read(descriptor: int, pieces: int, how: str) -> Rate:
    """Read pieces in a scattered order until the time is over or all were read; closes `descriptor`."""
    try:
        if how == _BUFFERED and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        order = iter(np.random.default_rng(0).permutation(pieces).tolist())
        start = time.perf_counter()
        with ThreadPoolExecutor(READERS) as pool:
            done = sum(pool.map(lambda _: _reader(descriptor, order, start + DISK_SECONDS), range(READERS)))
        return Rate(done / (time.perf_counter() - start), "measured", f"{READERS} reads of {PIECE >> 20} MiB at a time, {how}")
    finally:
        os.close(descriptor)


def _reader(descriptor: int, order: Iterator[int], end: float) -> int:
    """One thread's reads; how many bytes. O_DIRECT wants memory on page boundaries, which is what mmap gives."""
    done = 0
    with mmap.mmap(-1, PIECE) as buffer:
        for piece in order:
            done += os.preadv(descriptor, [buffer], piece * PIECE)
            if time.perf_counter() > end:
                break
    return done


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
