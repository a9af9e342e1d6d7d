"""How fast the experts' reader reads a drive, beside plain loops of reads and beside page faults.

    python -m benchmarks.experts_disk [--gigabytes 4] [--seconds 0.7] [--rounds 3]

A file of random bytes is written to the cache folder and removed in the end. Runs of 8 MiB, about a matrix of one of K2's experts, are read
from random places: by the reader with io_uring and with threads, at several depths and sizes of pieces; by 4 threads that read one run
after another past the page cache; and through a memory map by 4 threads that touch every page, as llama.cpp's do, of a file that the cache
has none of. All take turns, and medians of the rounds are printed. What this module does not do: compute with what it reads.
"""

import argparse
import mmap
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from platformdirs import user_cache_path

from engine.native.build import TARGET
from engine.native.reader import ReaderLibrary

RUN: Final = 8 << 20
THREADS: Final = 4
PIECE: Final = 1 << 20
DEPTHS: Final = (1, 2, 4, 8, 16, 32)
PIECES: Final = (128 << 10, 256 << 10, 4 << 20, 8 << 20)
PAGE: Final = 4096


@dataclass(frozen=True)
class Way:
    """One way to read: its name, and what reads a file for some seconds and says how many bytes came in one."""

    name: str
    rate: Callable[[Path, float], float]


def main() -> int:
    """Measure and print; the exit code."""
    parser = argparse.ArgumentParser(prog="experts_disk", description="The experts' reader beside other ways to read a drive.")
    parser.add_argument("--gigabytes", type=float, default=4)
    parser.add_argument("--seconds", type=float, default=0.7, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--library", type=Path, default=TARGET)
    asked = parser.parse_args()
    library = ReaderLibrary(asked.library)
    ways = (
        *_readers(library),
        Way(f"{THREADS} threads, O_DIRECT, {RUN >> 20} MiB", _plain),
        Way(f"{THREADS} threads, page faults", _faults),
    )
    rates: dict[str, list[float]] = {way.name: [] for way in ways}
    with _file(int(asked.gigabytes * 1e9)) as path:
        for _ in range(asked.rounds):
            for way in ways:
                rates[way.name].append(way.rate(path, asked.seconds))
        tuned = library.tune([[path]], 10 * asked.seconds)
    for name, found in rates.items():
        sys.stdout.write(f"{name:40} {statistics.median(found) / 1e9:6.2f} GB/s   ({min(found) / 1e9:.2f} to {max(found) / 1e9:.2f})\n")
    rate = f"{tuned.bytes_per_second / 1e9:.2f} GB/s"
    sys.stdout.write(
        f"tuned: depth {tuned.depth}, pieces of {tuned.piece >> 10} KiB, {rate}, io_uring {tuned.uring}, direct {tuned.direct}\n"
    )
    return 0


def _readers(library: ReaderLibrary) -> Iterator[Way]:
    for uring in (True, False):
        for piece, depth in (*((PIECE, depth) for depth in DEPTHS), *((piece, max(1, (8 << 20) // piece)) for piece in PIECES)):
            kind = "io_uring" if uring else "threads"

            def rate(path: Path, seconds: float, piece: int = piece, depth: int = depth, uring: bool = uring) -> float:
                return library.measure([[path]], seconds, piece, depth, uring=uring).bytes_per_second

            yield Way(f"{kind}, depth {depth}, pieces of {piece >> 10} KiB", rate)


def _plain(path: Path, seconds: float) -> float:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        return _by_threads(path, seconds, lambda memory, offset: os.preadv(descriptor, [memory], offset))
    finally:
        os.close(descriptor)


def _faults(path: Path, seconds: float) -> float:
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    pages = np.memmap(path, np.uint8, "r")

    def touch(_: mmap.mmap, offset: int) -> int:
        pages[offset : offset + RUN : PAGE].max()
        return RUN

    return _by_threads(path, seconds, touch)


def _by_threads(path: Path, seconds: float, read: Callable[[mmap.mmap, int], int]) -> float:
    """Every run of the file once at most, in random order: a page that came once would come from memory then."""
    offsets = list(range(0, path.stat().st_size - RUN, RUN))
    random.shuffle(offsets)
    start = time.perf_counter()

    def work(_: int) -> int:
        done = 0
        with mmap.mmap(-1, RUN) as memory:
            while time.perf_counter() - start < seconds and offsets:
                done += read(memory, offsets.pop())
        return done

    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(work, range(THREADS))) / (time.perf_counter() - start)


@contextmanager
def _file(size: int) -> Iterator[Path]:
    path = user_cache_path("kimicode", ensure_exists=True) / "experts-disk.bin"
    block = np.random.default_rng(0).bytes(64 << 20)
    try:
        with path.open("wb") as file:
            for _ in range(-(-size // len(block))):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        yield path
    finally:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
