"""Whether a side file would pay: random experts read from the model as they lie, in three places, and as much in one place.

Both in turns on the same files, past the page cache, two experts at a time, so that the drive's mood of the moment is in both; the medians
count. What this module does not do: predict tokens a second; where experts are mostly in memory, the drive matters less.
"""

import contextlib
import os
import random
import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from engine.expert_files import ExpertFiles
from engine.parts import read_parts
from engine.prepare_io import Direct
from engine.prepare_team import Team
from engine.side_file import BLOCK, lay_out

DEPTH: Final = 2
SECONDS: Final = 3.0
WORTH: Final = 1.2
"""From which ratio on a side file is called worth its space."""

_LEAST: Final = 512 << 20
_ROUND: Final = 4 * DEPTH

Place = tuple[int, int, int]
"""A file's number, an offset, and bytes; both multiples of `BLOCK`."""


@dataclass(frozen=True)
class Gain:
    """Bytes a second of experts in three reads each, and in one."""

    apart: float
    together: float

    @property
    def ratio(self) -> float:
        """How many times as fast one read is."""
        return self.together / self.apart

    @property
    def worth(self) -> bool:
        """Whether that is worth the space of a side file."""
        return self.ratio >= WORTH

    def __str__(self) -> str:
        figures = f"random experts come at {self.apart / 1e9:.2f} GB/s as they lie, and at {self.together / 1e9:.2f} GB/s in one piece"
        if self.worth:
            return f"{figures}: a side file makes reading {self.ratio:.2f} times as fast on this drive"
        return f"{figures}: a side file gains little or nothing on this drive"


def gain(model: Path, seconds: float = SECONDS, least: int = _LEAST) -> Gain | None:
    """Measure it on the drive of `model`; None where its experts have less than `least` bytes, too few to say, or the drive can't be read
    past the page cache. Raises `ModelFileError` where the model can't be used.
    """
    _, files = lay_out(read_parts(model))
    if files.bytes < least:
        return None
    with contextlib.ExitStack() as opened, Team(DEPTH, int(files.ranges[..., 2].sum(axis=-1).max())) as team:
        try:
            handles = [opened.enter_context(Direct(path, os.O_RDONLY)) for path in files.files]
            rates = _rates(handles, files, team, seconds)
        except OSError:
            return None
        return Gain(*rates) if all(handle.direct for handle in handles) else None


def _rates(handles: Sequence[Direct], files: ExpertFiles, team: Team, seconds: float) -> tuple[float, float]:
    chance = random.Random(0)
    layers = np.flatnonzero(files.ranges[:, 0, 0, 2]).tolist()
    ways: tuple[Callable[[list[Place]], list[Place]], ...] = (lambda places: places, lambda places: [_joined(places, files)])
    rates: tuple[list[float], list[float]] = ([], [])
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not rates[1]:
        for way, found in zip(ways, rates, strict=True):
            experts = [_places(files, chance.choice(layers), chance.randrange(files.experts)) for _ in range(_ROUND)]
            wanted = [way(places) for places in experts]
            start = time.perf_counter()
            deque(team.each(wanted, lambda places, buffer: _read(handles, places, buffer)), maxlen=0)
            found.append(sum(size for places in wanted for _, _, size in places) / (time.perf_counter() - start))
    return statistics.median(rates[0]), statistics.median(rates[1])


def _places(files: ExpertFiles, layer: int, expert: int) -> list[Place]:
    """An expert's parts, widened to whole blocks."""
    return [
        (file, at // BLOCK * BLOCK, (at % BLOCK + size) // BLOCK * BLOCK) for file, at, size in files.ranges[layer, expert].tolist() if size
    ]


def _joined(places: list[Place], files: ExpertFiles) -> Place:
    """As many bytes in one run, from the first of the places on; from before it where the file ends too early."""
    file, at, _ = places[0]
    size = sum(size for _, _, size in places)
    return file, max(0, min(at, files.files[file].stat().st_size // BLOCK * BLOCK - size)), size


def _read(handles: Sequence[Direct], places: list[Place], buffer: memoryview) -> None:
    for file, at, size in places:
        handles[file].read(buffer[:size], at)
