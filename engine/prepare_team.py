"""Threads that each have a buffer for direct I/O, and work through items in order.

What this module does not do: know what the items are.
"""

import mmap
import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
Item = TypeVar("Item")


def aligned(size: int) -> memoryview:
    """Memory of so many bytes on a page boundary, which direct I/O wants and mmap gives."""
    return memoryview(mmap.mmap(-1, size))


class Team:
    """`workers` threads with a buffer of `size` bytes each. A context manager."""

    def __init__(self, workers: int, size: int) -> None:
        self._buffers: queue.SimpleQueue[memoryview] = queue.SimpleQueue()
        for _ in range(workers):
            self._buffers.put(aligned(size))
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="prepare")
        self._ahead = 2 * workers

    def __enter__(self) -> "Team":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def each(self, items: Iterable[Item], work: Callable[[Item, memoryview], T]) -> Iterator[tuple[Item, T]]:
        """Every item with what `work` returns for it, in order; a few are begun before they are asked for."""
        waiting: deque[tuple[Item, Future[T]]] = deque()
        for item in items:
            waiting.append((item, self._pool.submit(self._held, item, work)))
            if len(waiting) >= self._ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        for first, future in waiting:
            yield first, future.result()

    def _held(self, item: Item, work: Callable[[Item, memoryview], T]) -> T:
        buffer = self._buffers.get()
        try:
            return work(item, buffer)
        finally:
            self._buffers.put(buffer)
