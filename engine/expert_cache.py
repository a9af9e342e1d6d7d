"""A cache of experts in memory: what is asked of it, which files feed it, and how its size follows the memory that the machine has left.

Decisions are pure functions; `Keeper` carries them out. What this module does not do: hold experts (`engine.native.store`), or plan how
much memory they get (`engine.layout`).
"""

import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from engine.errors import EngineError, ModelFileError
from engine.expert_files import ExpertFiles
from engine.layout import RESERVE, RESERVE_SHARE
from engine.machine import Memory, memory

STEPS: Final = 20
"""Into how many steps the planned size is divided: memory is given up and taken back in steps."""

CALM_SECONDS: Final = 30.0
"""How long there must have been room before memory is taken back: what others gave up for a moment they will want again."""

LOOK_SECONDS: Final = 1.0
"""How often the machine's memory is looked at; that takes a third of a millisecond."""


@dataclass(frozen=True)
class ExpertCache:
    """`memory` bytes for experts whose weights stay in the model's files, or in its prepared `side` file. `copies` are folders with copies
    of these files, on other drives. `required`: it is an error where this can't be; else llama.cpp maps the experts. `reading`: bytes of a
    piece, and how many of them on the way, that were measured to be best (`engine.read_rate`); zeros: as usual."""

    memory: int
    copies: tuple[Path, ...] = ()
    side: Path | None = None
    required: bool = False
    reading: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class ExpertState:
    """A store's numbers so far: bytes of memory that it may use now, and that were planned; experts that computations found there (`hits`)
    or had to wait for; what was read, what had to be read twice (`retries`) and what could not be."""

    cache_bytes: int
    planned_bytes: int
    hits: int
    misses: int
    read_bytes: int
    retries: int
    failures: int
    waited_seconds: float

    @property
    def hit_rate(self) -> float:
        """The share of uses, 0 to 1, that found their expert in memory."""
        return self.hits / (self.hits + self.misses) if self.hits else 0.0


@dataclass(frozen=True)
class Pressure:
    """A cache of `now` bytes that was planned with `planned`, never under `least`, on a machine that has `available` bytes left and needs
    `reserve` of them. For `calm` seconds there has been room for more."""

    now: int
    planned: int
    least: int
    available: int
    reserve: int
    calm: float = 0.0

    @property
    def step(self) -> int:
        """Bytes by which the size changes."""
        return max(1, self.planned // STEPS)

    @property
    def roomy(self) -> bool:
        """Whether a step could be taken back, with another half left over."""
        return self.now < self.planned and self.available >= self.reserve + self.step * 3 // 2

    @property
    def size(self) -> int:
        """What its size should be. Half of the reserve may go before anything is given up, and then all of it comes back: so what is
        given up is not what will be taken back next."""
        if self.available < self.reserve // 2:
            steps = -(-(self.reserve - self.available) // self.step)
            return max(min(self.least, self.now), self.now - steps * self.step)
        if self.roomy and self.calm >= CALM_SECONDS:
            return min(self.planned, self.now + self.step)
        return self.now


def reserve_of(found: Memory) -> int:
    """Bytes that everything else on the machine should have left."""
    return max(RESERVE, int(found.total * RESERVE_SHARE))


def copies_of(files: Sequence[Path], folders: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """The files, and their copies by the same names in each of the folders. Raises `ModelFileError` where one is missing or of another
    size."""
    copies = tuple(tuple(folder / file.name for file in files) for folder in folders)
    for copy in copies:
        for file, path in zip(files, copy, strict=True):
            try:
                there, wanted = path.stat().st_size, file.stat().st_size
            except OSError as error:
                raise ModelFileError(f"{error.filename}: {error.strerror}; copy {file.name} there, or leave that folder out") from None
            if there != wanted:
                raise ModelFileError(f"{path} has {there:,} bytes and {file} has {wanted:,}: copy it again, or leave that folder out")
    return (tuple(files), *copies)


def only(files: ExpertFiles, layers: Collection[int]) -> ExpertFiles:
    """Without the experts of layers that are not among `layers`: those are elsewhere."""
    ranges = files.ranges.copy()
    ranges[[layer for layer in range(files.layers) if layer not in layers]] = np.zeros((), np.int64)
    return replace(files, ranges=ranges)


class Resizable(Protocol):
    """What `Keeper` needs of a store."""

    def resize(self, memory: int) -> None:
        """Use so many bytes from now on. Raises `EngineError` where that is too little to work with."""
        ...


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


class Keeper:
    """Fits a store of `planned` bytes, that needs `least` of them and was `given` so many, to the memory there is. `size` is what it may
    use now; `used` says how many bytes of it the system has given already: the rest was
    promised, and is nobody else's."""

    def __init__(
        self,
        store: Resizable,
        planned: int,
        least: int,
        *,
        given: int | None = None,
        used: Callable[[], int] | None = None,
        look: Callable[[], Memory] = memory,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str], None] = _say,
    ) -> None:
        self._store = store
        self._used = used
        self._look = look
        self._clock = clock
        self._say = say
        self._next = clock()
        self._roomy_since = self._next
        self._least = least
        self._said = False
        self.planned = planned
        self.size = planned if given is None else min(given, planned)
        if self.size < planned:
            self._tell("the system refuses more")

    def check(self) -> None:
        """Look at the machine, unless that was less than `LOOK_SECONDS` ago, and change the size if it must be. Between computations."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        found = self._look()
        available = max(0, found.available - self._promised())
        pressure = Pressure(self.size, self.planned, self._least, available, reserve_of(found), now - self._roomy_since)
        if not pressure.roomy or pressure.size != self.size:
            self._roomy_since = now
        if pressure.size != self.size:
            self._resize(pressure.size, available)

    def _promised(self) -> int:
        return 0 if self._used is None else max(0, self.size - self._used())

    def _resize(self, size: int, available: int) -> None:
        smaller = size < self.size
        try:
            self._store.resize(size)
        except EngineError:
            # It is as small as it can be, or could not grow; the next look asks for no less.
            self._least = self.size if smaller else self._least
            return
        self.size = size
        if smaller:
            self._tell(f"{available / 1e9:.1f} GB are left")

    def _tell(self, why: str) -> None:
        """Say it once: afterwards numbers do."""
        if not self._said:
            self._said = True
            self._say(
                f"memory is short, {why}: experts give up some of their {self.planned / 1e9:.1f} GB and are read from disk more often; "
                "end other programs, or start the engine with less --expert-memory"
            )
