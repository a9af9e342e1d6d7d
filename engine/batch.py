"""Continuous batching: all running requests advance together, one batch of tokens a step, and come and go between steps.

In a step every request that is writing gets its next token; the rest of the batch goes to prompts that are still being read, in
portions that keep the step within a set time. A request whose prompt begins like one that is being read right now waits until that part
is there, so that it is computed once. Interactive requests come before those of a swarm; among equals the shortest rest and the oldest
share the portions. When the cells run out, the youngest of the lowest priority goes back to the queue with what it has written.
What this module does not do: threads, text, or the end of an answer other than by an end token (`engine.service`).
"""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from engine.cache import common
from engine.errors import DecodeError, EngineError
from engine.llama import Entry, Logits
from engine.pool import Decoder, Lease, Pool, PoolState
from engine.sampling import Sampler

STALL_SECONDS: Final = 0.25
"""How much longer than without them a step may take because prompts are read in it, while others are writing."""

ALONE_SECONDS: Final = 2.0
"""How long a step may take while nobody is writing: a request that comes or goes waits for its end."""

_FIRST_PORTION: Final = 32
_LEAST_PORTION: Final = 4
_WORTH_WAITING: Final = 32
_RESERVE: Final = 32
_SWARM_SHARE: Final = 8
_MEMORY: Final = 0.7


class Guide(Protocol):
    """What restricts the tokens of one answer; `engine.guide` has the real one. `steered`: it closed what the model had no room to end."""

    steered: bool

    def apply(self, logits: Logits) -> None:
        """Set the scores of tokens that may not come next to minus infinity, in place."""
        ...

    def accept(self, token: int) -> None:
        """The token that was chosen."""
        ...


@dataclass(eq=False)
class Task:
    """A request on its way through the batcher. `room` is the most tokens of its answer; the lower `priority`, the sooner."""

    prompt: Sequence[int]
    sampler: Sampler
    room: int
    priority: int = 0
    guide: Guide | None = None
    tokens: list[int] = field(init=False)
    lease: Lease | None = field(init=False, default=None)
    cached: int = field(init=False, default=0)
    seated: bool = field(init=False, default=False)
    order: int = field(init=False, default=0)
    alike: dict[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.tokens = list(self.prompt)

    @property
    def rest(self) -> int:
        """How many of its tokens are not in the cache yet."""
        return len(self.tokens) - (self.lease.held if self.lease else 0)

    @property
    def written(self) -> int:
        """How many tokens its answer has."""
        return len(self.tokens) - len(self.prompt)


@dataclass(frozen=True, slots=True)
class Prefilled:
    """`done` of the prompt's `total` tokens are in the cache; `cached` of them were there before, or on disk."""

    cached: int
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """One new token."""

    token: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The answer is over: by an end token, or for want of room. `closed`: its guide closed what there was no room to end."""

    closed: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer can't go on."""

    error: EngineError


Step: TypeAlias = Prefilled | Sampled | Ended | Failed
Event: TypeAlias = tuple[Task, Step]


@dataclass(frozen=True)
class BatchState:
    """`steps` so far, in which `read` prompt tokens were computed and `reused` ones were not; requests `active` and `waiting` now."""

    steps: int
    read: int
    reused: int
    active: int
    waiting: int
    preempted: int


class Pace:
    """How many prompt tokens fit into a step's time, learned from the steps so far."""

    def __init__(self, stall: float, alone: float) -> None:
        self._stall = stall
        self._alone = alone
        self._step = 0.0  # seconds of a step in which nothing is read
        self._token = 0.0  # seconds for each token read

    def portion(self, *, writing: bool) -> int:
        """The most prompt tokens of the next step."""
        if self._token <= 0:
            return _FIRST_PORTION
        return max(_LEAST_PORTION, int((self._stall if writing else self._alone) / self._token))

    def learn(self, seconds: float, *, read: int, writing: int) -> None:
        """A step of `read` prompt tokens and `writing` answers took so long."""
        if read == 0:
            self._step = _blend(self._step, seconds)
        else:
            extra = seconds - (self._step if writing else 0.0)
            self._token = _blend(self._token, max(extra, 0.0) / read)


class Batcher:
    """The one user of `decoder` and `pool`. `parallel` requests run at a time, of at most `context` tokens; `ends` are end tokens."""

    def __init__(
        self,
        decoder: Decoder,
        pool: Pool,
        *,
        context: int,
        ends: frozenset[int],
        parallel: int,
        stall: float = STALL_SECONDS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._decoder = decoder
        self._pool = pool
        self._context = context
        self._ends = ends
        self._parallel = min(parallel, decoder.sequences, decoder.batch)
        self._pace = Pace(stall, max(stall, ALONE_SECONDS))
        self._stall = stall
        self._clock = clock
        self._waiting: list[Task] = []
        self._active: list[Task] = []
        self._events: list[Event] = []
        self._numbers = itertools.count()
        self._steps = self._read = self._reused = self._preempted = 0

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._active or self._waiting)

    @property
    def state(self) -> BatchState:
        """The counters."""
        return BatchState(self._steps, self._read, self._reused, len(self._active), len(self._waiting), self._preempted)

    @property
    def pool(self) -> PoolState:
        """The cells."""
        return self._pool.state

    def submit(self, task: Task) -> None:
        """Take a request. Its prompt has at least one token and is shorter than the context."""
        task.order = next(self._numbers)
        task.room = min(task.room, self._context - len(task.prompt))
        self._waiting.append(task)

    def cancel(self, task: Task) -> None:
        """The answer is not wanted any more; nothing comes of it after this."""
        if task in self._waiting:
            self._waiting.remove(task)
        if task in self._active:
            self._leave(task)

    def save_some(self) -> bool:
        """Something useful for a time without requests: save a block of what is parked. False where nothing is left."""
        return self._pool.save_some()

    def step(self) -> list[Event]:
        """Advance everybody. What came of it, in order; errors of the model are events too."""
        self._events = []
        self._admit()
        self._fetch()
        portions = self._portions()
        if portions:
            self._run(portions)
        self._pool.save_some(crowded_only=True)
        return self._events

    def _admit(self) -> None:
        for task in sorted(self._waiting, key=_urgency):
            full = len(self._active) >= self._parallel
            last = max(self._active, key=_urgency, default=None)
            if full and (last is None or last.priority <= task.priority):
                return
            if self._is_being_read(task):
                continue
            if full and last is not None:
                self._preempt(last)
            if not self._seat(task):
                return

    def _seat(self, task: Task) -> bool:
        promised = sum(other.rest for other in self._active)
        lease = self._pool.lease(task.tokens, len(task.tokens) + min(task.room, _RESERVE) + promised)
        if lease is None:
            return False
        self._waiting.remove(task)
        self._active.append(task)
        task.lease = lease
        if not task.seated:
            task.seated, task.cached = True, lease.held
        return True

    def _is_being_read(self, task: Task) -> bool:
        """Whether a good part of its prompt is just being computed for somebody else."""
        for other in self._active:
            # What is urgent never waits for what is not.
            if other.lease is None or other.rest <= 1 or other.priority > task.priority:
                continue
            if other.order not in task.alike:
                task.alike[other.order] = common(task.tokens, 0, other.prompt, 0)
            alike = min(task.alike[other.order], len(task.tokens) - 1)
            if alike >= _WORTH_WAITING and alike > other.lease.held:
                return True
        return False

    def _fetch(self) -> None:
        """Bring blocks from disk, for no longer than a step may be stalled."""
        begun = self._clock()
        for task in self._active:
            while task.lease is not None and task.lease.on_disk:
                before = task.lease.held
                self._pool.fetch(task.lease, task.tokens)
                task.cached += task.lease.held - before if not task.written else 0
                if self._clock() - begun > self._stall:
                    return

    def _portions(self) -> list[tuple[Task, int]]:
        """Who gets how many tokens of the next batch; cells for all of them are free."""
        while True:
            ready = [task for task in self._active if task.lease is not None and not task.lease.on_disk]
            writers = [task for task in ready if task.rest == 1]
            room = min(self._decoder.batch - len(writers), self._pace.portion(writing=bool(writers)))
            readers = _shares([task for task in ready if task.rest > 1], room)
            portions = [*((task, 1) for task in writers), *readers]
            if self._pool.make_room(sum(count for _, count in portions)):
                return portions
            if len(self._active) == 1:
                self._end(self._active[0])
                return []
            self._preempt(max(self._active, key=_urgency))

    def _run(self, portions: list[tuple[Task, int]]) -> None:
        entries: list[Entry] = []
        rows: list[tuple[Task, int]] = []
        for task, count in portions:
            lease = task.lease
            assert lease is not None
            done = lease.held
            last = count == task.rest
            entries += [Entry(token, done + n, lease.sequence, False) for n, token in enumerate(task.tokens[done : done + count])]
            if last:
                entries[-1] = entries[-1]._replace(wanted=True)
                rows.append((task, len(entries) - 1))
        read = sum(count for task, count in portions if task.rest > 1)
        writing = sum(task.rest == 1 for task, _ in portions)
        begun = self._clock()
        try:
            self._decoder.decode(entries)
        except DecodeError as error:
            self._fail([task for task, _ in portions], error)
            return
        self._pace.learn(self._clock() - begun, read=read, writing=writing)
        self._steps += 1
        self._note(portions)
        for task, row in rows:
            self._choose(task, row)

    def _note(self, portions: list[tuple[Task, int]]) -> None:
        for task, count in portions:
            lease = task.lease
            assert lease is not None
            self._pool.grow(lease, task.tokens[lease.held : lease.held + count])
            if not task.written:
                self._read += count
                self._reused += task.cached if lease.held == len(task.prompt) else 0
                self._events.append((task, Prefilled(task.cached, lease.held, len(task.prompt))))

    def _choose(self, task: Task, row: int) -> None:
        logits = self._decoder.logits(row)
        if task.guide is not None:
            task.guide.apply(logits)
        token = task.sampler.choose(logits)
        if task.guide is not None:
            task.guide.accept(token)
        task.tokens.append(token)
        self._events.append((task, Sampled(token)))
        if token in self._ends or task.written >= task.room:
            self._end(task)

    def _end(self, task: Task) -> None:
        self._events.append((task, Ended(task.guide is not None and task.guide.steered)))
        self._leave(task)

    def _leave(self, task: Task) -> None:
        """Give up its seat; what it computed stays parked."""
        self._active.remove(task)
        if task.lease is not None:
            self._pool.park(task.lease)
            task.lease = None

    def _preempt(self, task: Task) -> None:
        self._preempted += 1
        self._leave(task)
        self._waiting.append(task)

    def _fail(self, tasks: list[Task], error: EngineError) -> None:
        # What of the batch is in the cache is unknown: only without these sequences the rest is certain.
        for task in tasks:
            assert task.lease is not None
            self._pool.drop(task.lease)
            self._active.remove(task)
            task.lease = None
            self._events.append((task, Failed(error)))


def _urgency(task: Task) -> tuple[int, int]:
    return task.priority, task.order


def _shares(readers: list[Task], room: int) -> list[tuple[Task, int]]:
    """Portions of `room` tokens: most for the most urgent kind, a part for the others so that they never starve; in each kind half for
    the oldest and the rest for those that are soonest done."""
    found: dict[int, int] = {}
    by_priority = [list(group) for _, group in itertools.groupby(sorted(readers, key=_urgency), key=lambda task: task.priority)]
    for number, group in enumerate(by_priority):
        left = room - sum(found.values())
        share = left if number == len(by_priority) - 1 else left - left // _SWARM_SHARE
        oldest, *others = group
        found[oldest.order] = min(oldest.rest, share if not others else max(share // 2, 1))
        share -= found[oldest.order]
        for task in sorted(others, key=lambda task: task.rest):
            count = min(task.rest, share)
            share -= count
            found[task.order] = count
    return [(task, found[task.order]) for task in readers if found[task.order] > 0]


def _blend(old: float, new: float) -> float:
    return new if old <= 0 else _MEMORY * old + (1 - _MEMORY) * new
