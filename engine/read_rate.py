"""With which pieces, and how many of them on the way at a time, a model's file is read fastest; remembered, because it takes seconds.

`python -m engine.read_rate FILE` lets the store's own reader try and prints one JSON line. `measured` runs just that in a process of its
own, because native code can end a process. What this module does not do: read for anybody (`engine.native.store` does).
"""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from engine import meter
from engine.errors import EngineError
from engine.machine import Rate
from engine.measure import Remembered, disk_key
from engine.native.reader import ReaderLibrary, ReadRate

SECONDS: Final = 3.0
"""How long all depths and pieces together are tried."""

LIMIT_SECONDS: Final = 60.0
"""What a network drive needs for its first reads."""

SMALLEST: Final = 1 << 30
"""Bytes of a file that says something: what a drive has in its own memory is read at another rate."""

COMMAND: Final = (sys.executable, "-P", "-m", "engine.read_rate")

Measure = Callable[[Path], ReadRate]
"""What `measured` is. Raises `EngineError`."""


def measured(file: Path, command: Sequence[str] = COMMAND, seconds: float = LIMIT_SECONDS) -> ReadRate:
    """How this file is read best, found out by another process. Raises `EngineError` where that fails, with its last words."""
    return meter.ask(f"{file}: how it is read best", (*command, os.fspath(file)), ReadRate, seconds)


def recall(known: Remembered, folder: Path) -> tuple[int, int]:
    """The bytes of a piece, and how many are on the way, that were best for the drive of this folder; zeros where nobody measured."""
    piece, depth = (known.known(name) for name in _names(folder))
    return (0, 0) if piece is None or depth is None else (int(piece.value), int(depth.value))


def keep(known: Remembered, folder: Path, found: ReadRate) -> None:
    """Remember it for the drive of this folder."""
    values = (found.piece, found.depth)
    known.put({name: Rate(value, "measured", how(found)) for name, value in zip(_names(folder), values, strict=True)})


def how(found: ReadRate) -> str:
    """What was done, for people."""
    ways = f"{'direct' if found.direct else 'through the page cache'}, by {'io_uring' if found.uring else 'threads'}"
    return f"scattered reads of {found.piece >> 10:,} KiB, {found.depth} at a time, {ways}"


def _names(folder: Path) -> tuple[str, str]:
    return f"{disk_key(folder)}, bytes of a piece", f"{disk_key(folder)}, pieces on the way"


def main(arguments: Sequence[str]) -> int:
    """Try and print; the exit code."""
    try:
        found = ReaderLibrary().tune([[Path(arguments[0])]], SECONDS)
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
