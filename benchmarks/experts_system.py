"""The machine around a measurement of files larger than memory: its drive, its page cache, and memory that is taken away.

Linux only. What this module does not do: measure models.
"""

import contextlib
import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
from mla_peers import Child

from engine import measure

TRIES: Final = 3
_SECTOR: Final = 512  # of /sys/dev/block/*/stat, whatever the drive's is
_DROP: Final = Path("/proc/sys/vm/drop_caches")


def drive_rate(path: Path) -> float:
    """Bytes a second that the drive under `path` gives: several pieces at a time, scattered, past the page cache; the best of some tries.
    0 where that can't be measured."""
    rates = [rate.value for _ in range(TRIES) if (rate := measure.file_rate(path)) is not None]
    return max(rates, default=0.0)


def drive_reads(path: Path) -> int | None:
    """Bytes that were read from the drive under `path` since the machine started, whoever read them; None where the system doesn't say."""
    device = os.stat(path).st_dev
    try:
        fields = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text("ascii").split()
    except OSError:
        return None
    return int(fields[2]) * _SECTOR


def drop(path: Path) -> None:
    """Forget what the page cache holds: of everything where that is allowed, else of this file."""
    os.sync()
    try:
        _DROP.write_text("3", "ascii")
    except OSError:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


@contextlib.contextmanager
def limited(leave: float | None, folder: Path) -> Iterator[None]:
    """Hold so much memory that only `leave` bytes are left to others; None: hold none."""
    taken = 0 if leave is None else max(0, psutil.virtual_memory().available - int(leave))
    if not taken:
        yield
        return
    with Child([sys.executable, Path(__file__), str(taken)], folder) as child:
        child.ask()
        yield


def main() -> None:
    """Hold so many bytes until standard input ends."""
    with mmap.mmap(-1, int(sys.argv[1])) as held:
        for page in range(0, len(held), mmap.PAGESIZE):
            held[page] = 1
        print("holding", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
