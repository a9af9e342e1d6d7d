"""Reading many files with several processes: in order, within a time, and to the end whatever a file does to its reader.

A few files are read here, since starting processes takes longer. A process that dies, or says nothing for `SILENCE_S`, is replaced and
tried once more with the same file; then that file counts as one that can't be read. What this module does not do: store what comes out.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Final, TypeAlias

import msgspec

import kimicode
from kimicode.repo.frames import Ended, receive, send
from kimicode.repo.reading import Outcome, Wanted, hopeless, outcome

SILENCE_S: Final = 20.0
"""No file takes longer than a second or two, but a machine may be busy with other things."""

_FEW: Final = 24
_MOST_PROCESSES: Final = 8
_BATCH: Final = 32
_TOGETHER: Final = 256
_WAITING: Final = 512
_LOOK_S: Final = 0.1
_TOGETHER_S: Final = 1.0
_OUTCOME: Final = msgspec.msgpack.Decoder(Outcome)

Read: TypeAlias = tuple[Wanted, Outcome]
Store: TypeAlias = Callable[[Sequence[Read]], None]
Filter: TypeAlias = Callable[[Sequence[Wanted]], Sequence[Wanted]]


class Limits(msgspec.Struct, frozen=True):
    """When to stop: at `end` of `time.monotonic()`, or when `stop` is set. `processes`: how many read; 0 for as many as there are cores."""

    end: float | None
    stop: threading.Event
    processes: int = 0

    @property
    def over(self) -> bool:
        """True when it is time to stop."""
        return self.stop.is_set() or (self.end is not None and time.monotonic() >= self.end)


def build(root: Path, wanted: Sequence[Wanted], store: Store, *, still: Filter, limits: Limits) -> None:
    """Read `wanted` and give everything to `store`, some hundred at a time, in this thread. `still` says which are still to be read."""
    if len(wanted) <= _FEW:
        _here(root, wanted, store, limits)
        return
    pool = _Pool(root, wanted, still)
    try:
        pool.start(min(limits.processes or _cores(), _MOST_PROCESSES, -(-len(wanted) // _BATCH)))
        for some in pool.results(limits):
            store(some)
    finally:
        pool.stop()


def _here(root: Path, wanted: Sequence[Wanted], store: Store, limits: Limits) -> None:
    done: list[Read] = []
    for each in wanted:
        if limits.over:
            break
        done.append((each, outcome(root, each)))
    if done:
        store(done)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Pool:
    """Processes, each with a thread that talks to it."""

    def __init__(self, root: Path, wanted: Iterable[Wanted], still: Filter) -> None:
        self._root = root
        self._rest = iter(wanted)
        self._still = still
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._done: Queue[Read | BaseException | None] = Queue(_WAITING)
        self._threads: list[threading.Thread] = []
        self._processes: set[_Process] = set()

    def start(self, count: int) -> None:
        self._threads = [threading.Thread(target=self._serve, name=f"reading-{number}", daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def results(self, limits: Limits) -> Iterator[list[Read]]:
        """What was read, as it comes, until all is read or it is time to stop. Raises what a thread met."""
        serving, some, since = len(self._threads), [], time.monotonic()
        while serving and not limits.over:
            with suppress(Empty):
                match self._done.get(timeout=_LOOK_S):
                    case None:
                        serving -= 1
                    case BaseException() as error:
                        raise error
                    case read:
                        some.append(read)
            if len(some) >= _TOGETHER or (some and time.monotonic() - since > _TOGETHER_S):
                yield some
                some, since = [], time.monotonic()
        if some:
            yield some

    def stop(self) -> None:
        """End all processes and threads."""
        self._stopping.set()
        with self._lock:
            for process in self._processes:
                process.kill()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        process: _Process | None = None
        try:
            while not self._stopping.is_set() and (batch := self._next()) is not None:
                process = self._read(process, batch)
        except BaseException as error:  # noqa: BLE001
            self._put(error)
        finally:
            if process is not None:
                self._end(process)
            self._put(None)

    def _read(self, process: "_Process | None", batch: list[Wanted]) -> "_Process | None":
        """Have a batch read. Returns the process that is good for the next one."""
        failed = False
        while batch and not self._stopping.is_set():
            process = process or self._begin()
            got = 0
            try:
                for each, result in zip(batch, process.read(batch), strict=True):
                    self._put((each, result))
                    got += 1
                return process
            except Ended:
                self._end(process)
                process = None
            batch, failed = batch[got:], failed and not got
            if failed:
                self._put((batch[0], hopeless(self._root, batch[0])))
                batch, failed = batch[1:], False
            else:
                failed = True
        return process

    def _next(self) -> list[Wanted] | None:
        while True:
            with self._lock:
                batch = list(islice(self._rest, _BATCH))
            if not batch:
                return None
            if left := list(self._still(batch)):
                return left

    def _begin(self) -> "_Process":
        process = _Process(self._root)
        with self._lock:
            self._processes.add(process)
            if self._stopping.is_set():
                process.kill()
        return process

    def _end(self, process: "_Process") -> None:
        with self._lock:
            self._processes.discard(process)
        process.close()

    def _put(self, item: Read | BaseException | None) -> None:
        while not self._stopping.is_set():
            with suppress(Full):
                self._done.put(item, timeout=_LOOK_S)
                return


class _Process:
    """One process of `kimicode.repo.worker`."""

    def __init__(self, root: Path) -> None:
        # Away from the workspace, where a module of the same name may lie; and out of reach of the terminal's Ctrl-C.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "kimicode.repo.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": str(Path(kimicode.__file__).parents[1]), "PATH": os.defpath},
            start_new_session=True,
        )
        self._root: bytes | None = os.fsencode(root)

    def read(self, batch: Sequence[Wanted]) -> Iterator[Outcome]:
        """The outcomes for `batch`. Raises `Ended`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        write, answers = self._process.stdin.fileno(), self._process.stdout.fileno()
        if self._root is not None:
            send(write, self._root)
            self._root = None
        send(write, msgspec.msgpack.encode(batch))
        for _ in batch:
            yield _OUTCOME.decode(receive(answers, SILENCE_S))

    def kill(self) -> None:
        """End it; whoever reads from it gets `Ended`."""
        self._process.kill()

    def close(self) -> None:
        """End it and let go of it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
