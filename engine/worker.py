"""The thread that computes: it takes requests and cancellations from any thread between two steps, and hands out what each step brought.

While there is nothing to compute it saves parked sequences, a block at a time, and then sleeps. What this module does not do: decide
what a step computes (`engine.batch`), or make sense of it (`engine.service`).
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from engine.batch import Batcher, BatchState, Ended, Failed, Step, Task
from engine.errors import EngineError
from engine.pool import PoolState

SAVE_SECONDS: Final = 5.0
"""How long ending may take because parked sequences are saved."""


class Mailbox:
    """What became of one request, for a coroutine of the loop it was made in."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._steps: list[Step] = []
        self._filled = asyncio.Event()

    def put(self, steps: list[Step]) -> None:
        """Add `steps`; in the loop's thread."""
        self._steps += steps
        self._filled.set()

    async def take(self, patience: float) -> list[Step]:
        """All that has come, in order; nothing where nothing came for `patience` seconds."""
        try:
            async with asyncio.timeout(patience):
                await self._filled.wait()
        except TimeoutError:
            return []
        self._filled.clear()
        steps, self._steps = self._steps, []
        return steps


class Worker:
    """Runs `batcher` in a thread of its own until it is closed. `on_failure` is called in that thread should it ever fail unexpectedly."""

    def __init__(self, batcher: Batcher, on_failure: Callable[[EngineError], None] = lambda _: None) -> None:
        self._batcher = batcher
        self._on_failure = on_failure
        self._inbox: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._mailboxes: dict[Task, Mailbox] = {}
        self._closing = False
        self._failure: EngineError | None = None
        self._thread = threading.Thread(target=self._run, name="decode")
        self._thread.start()

    @property
    def states(self) -> tuple[BatchState, PoolState]:
        """The counters of the batcher and its pool. They may be a step apart."""
        return self._batcher.state, self._batcher.pool

    def submit(self, task: Task, mailbox: Mailbox) -> None:
        """Begin `task` at the next step."""
        self._inbox.put(lambda: self._begin(task, mailbox))

    def cancel(self, task: Task) -> None:
        """End `task` before the next step, if it has not ended."""
        self._inbox.put(lambda: self._cancel(task))

    def close(self) -> None:
        """Stop after the step that is running, save what is parked, and wait for both."""
        self._inbox.put(self._stop)
        self._thread.join()

    def _begin(self, task: Task, mailbox: Mailbox) -> None:
        self._mailboxes[task] = mailbox
        if self._failure is not None:
            self._deliver([(task, Failed(self._failure))])
        else:
            self._batcher.submit(task)

    def _cancel(self, task: Task) -> None:
        if self._mailboxes.pop(task, None) is not None:
            self._batcher.cancel(task)

    def _stop(self) -> None:
        self._closing = True

    def _run(self) -> None:
        while not self._closing:
            try:
                self._turn()
            except Exception as problem:  # noqa: BLE001 - whoever waits for an answer must hear of it
                self._fail(problem)
        deadline = time.monotonic() + SAVE_SECONDS
        while self._failure is None and time.monotonic() < deadline and self._batcher.save_some():
            pass

    def _turn(self) -> None:
        self._read(wait=self._failure is not None or not (self._batcher.busy or self._batcher.save_some()))
        if self._failure is None and self._batcher.busy and not self._closing:
            self._deliver(self._batcher.step())

    def _read(self, *, wait: bool) -> None:
        """Do what was asked for; with `wait` wait until something is."""
        try:
            self._inbox.get(block=wait)()
            while True:
                self._inbox.get_nowait()()
        except queue.Empty:
            return

    def _deliver(self, events: list[tuple[Task, Step]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, dict[Mailbox, list[Step]]] = {}
        for task, step in events:
            mailbox = self._mailboxes.pop(task) if isinstance(step, Ended | Failed) else self._mailboxes[task]
            by_loop.setdefault(mailbox.loop, {}).setdefault(mailbox, []).append(step)
        for loop, filled in by_loop.items():
            # The loop may be closed by now: then nobody wants to know.
            if not loop.is_closed():
                loop.call_soon_threadsafe(_fill, filled)

    def _fail(self, problem: Exception) -> None:
        self._failure = EngineError(f"the engine failed unexpectedly ({type(problem).__name__}: {problem}); start it again")
        self._deliver([(task, Failed(self._failure)) for task in list(self._mailboxes)])
        self._on_failure(self._failure)


def _fill(filled: dict[Mailbox, list[Step]]) -> None:
    for mailbox, steps in filled.items():
        mailbox.put(steps)
