"""How fast a loaded model really is: a prompt, then an answer behind it, and what its store of experts did meanwhile.

The cache is warm first: one prompt fills the store, and an answer goes on until the store has replaced what the prompt left, or everything
is found there, or there is no more time. What is decoded is given, so that nothing repeats that wouldn't in a real text; what the model
would say is of no interest. What this module does not do: load the model, or predict (`engine.bench_report` compares).
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from engine.errors import EngineError
from engine.llama import Entry

WARM_SECONDS: Final = 90.0
"""How long the answer may go on before it is measured."""

WARM_TOKENS: Final = 256
"""At most so many tokens are answered for that."""

SETTLED: Final = 8
"""Tokens one after the other that missed nothing: then nothing will."""

MOST_SECONDS: Final = 600.0
"""An answer that takes longer is measured by what it has until then."""


class Model(Protocol):
    """What of `engine.llama.Llama` is measured."""

    def decode(self, entries: Sequence[Entry]) -> None:
        """Run these tokens."""
        ...

    def logits(self, row: int) -> object:
        """Wait for the scores after this entry."""
        ...

    def forget(self, sequence: int, start: int = 0) -> None:
        """Drop a sequence."""
        ...


@dataclass(frozen=True)
class Counts:
    """A store's counters: uses that found their expert, and that didn't; bytes read, and seconds in which something was being read;
    how many experts have a place; how many of the uses found an expert that had been read ahead for them (`announced_used`)."""

    hits: int
    misses: int
    bytes: int
    busy_seconds: float
    places: int
    announced_used: int = 0

    def since(self, earlier: "Counts") -> "Counts":
        """What came after `earlier`."""
        return Counts(
            self.hits - earlier.hits,
            self.misses - earlier.misses,
            self.bytes - earlier.bytes,
            self.busy_seconds - earlier.busy_seconds,
            self.places,
            self.announced_used - earlier.announced_used,
        )

    @property
    def uses(self) -> int:
        """Of experts."""
        return self.hits + self.misses

    @property
    def kept(self) -> int:
        """Uses of experts that were in memory because they had been used before: what is read ahead is read all the same."""
        return max(0, self.hits - self.announced_used)

    @property
    def hit_rate(self) -> float:
        """The share of uses that found an expert in memory that was not read for them, 1 where there were none."""
        return self.kept / self.uses if self.uses else 1.0

    @property
    def disk_rate(self) -> float:
        """Bytes a second while something was being read."""
        return self.bytes / self.busy_seconds if self.busy_seconds else 0.0


@dataclass(frozen=True)
class Phase:
    """What so many tokens took; `counts` is None without a store."""

    tokens: int
    seconds: float
    counts: Counts | None

    @property
    def rate(self) -> float:
        """Tokens a second."""
        return self.tokens / self.seconds


@dataclass(frozen=True)
class Measured:
    """A prompt and an answer. `settled`: the answer was measured when the store held what such an answer leaves there."""

    prefill: Phase
    decode: Phase
    settled: bool


@dataclass(frozen=True)
class Job:
    """How many tokens of a `prompt` and of an answer (`tokens`) are measured, in batches of so many; `cells` is how many tokens there is
    room for."""

    prompt: int
    tokens: int
    batch: int
    cells: int


@dataclass(frozen=True)
class Outside:
    """What a measurement needs besides a model: the store's counters, time, and whether somebody wants it to stop."""

    counts: Callable[[], Counts | None] = lambda: None
    clock: Callable[[], float] = time.perf_counter
    stopped: Callable[[], bool] = lambda: False


def distinct(vocabulary: int, seed: int = 0) -> Iterator[int]:
    """Pseudo-random tokens that don't repeat until all have been."""
    random = np.random.default_rng(seed)
    while True:
        yield from random.permutation(vocabulary).tolist()


def measure(model: Model, tokens: Iterator[int], job: Job, outside: Outside) -> Measured:
    """Run it. `tokens` are taken one after the other, 2 × `prompt`, those that warm up, then `tokens`. Raises `EngineError`, and
    `DecodeError` where the model fails."""
    run = _Run(model, tokens, job, outside)
    run.prompt()
    model.forget(0)
    prefill = run.phase(run.prompt)
    settled = run.settle(job.cells - job.prompt - job.tokens)
    return Measured(prefill, run.phase(run.answer), settled)


class _Run:
    """One measurement under way; `_position` is how many tokens the sequence has."""

    def __init__(self, model: Model, tokens: Iterator[int], job: Job, outside: Outside) -> None:
        self._model, self._tokens, self._job, self._outside = model, tokens, job, outside
        self._position = 0

    def phase(self, work: Callable[[], int]) -> Phase:
        """What `work`, which says how many tokens that were, takes."""
        counts, clock = self._outside.counts, self._outside.clock
        before, start = counts(), clock()
        done = work()
        seconds, after = clock() - start, counts()
        return Phase(done, seconds, after.since(before) if before is not None and after is not None else None)

    def prompt(self) -> int:
        """Read one from the beginning."""
        self._position = 0
        left = self._job.prompt
        while left:
            self._decode(min(left, self._job.batch))
            left = self._job.prompt - self._position
        return self._job.prompt

    def answer(self) -> int:
        """Go on by the tokens that are to be measured."""
        end = self._outside.clock() + MOST_SECONDS
        for done in range(self._job.tokens):
            if self._outside.clock() > end:
                return done
            self._decode(1)
        return self._job.tokens

    def settle(self, room: int) -> bool:
        """Answer until the store holds what answers leave there; whether it does."""
        begun, quiet = self._outside.counts(), 0
        end = self._outside.clock() + WARM_SECONDS
        for _ in range(min(room, WARM_TOKENS)):
            before = self._outside.counts()
            self._decode(1)
            after = self._outside.counts()
            if begun is None or before is None or after is None:
                return True
            quiet = 0 if after.misses > before.misses else quiet + 1
            if quiet >= SETTLED or after.misses - begun.misses >= after.places:
                return True
            if self._outside.clock() > end:
                break
        return False

    def _decode(self, count: int) -> None:
        if self._outside.stopped():
            raise StoppedError("stopped")
        entries = [Entry(next(self._tokens), self._position + n, 0, n == count - 1) for n in range(count)]
        self._model.decode(entries)
        self._model.logits(count - 1)
        self._position += count


class StoppedError(EngineError):
    """Somebody wanted the measurement to stop."""

    exit_code = 130
