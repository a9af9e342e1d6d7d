"""SIGINT and SIGTERM while a session is open: on the event loop, instead of an exception somewhere.

Only in the main thread; elsewhere nothing is changed. What this module does not do: decide what they mean.
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Final

_PATIENCE: Final = 3
"""After so many Ctrl-C that nothing answered, the process ends as it would without us."""


class Signals:
    """Within `with`, SIGINT calls `stop` and SIGTERM calls `leave`, both on `loop`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stop: Callable[[], object], leave: Callable[[], object]) -> None:
        self._loop = loop
        self._stop = stop
        self._leave = leave
        self._unanswered = 0

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            self._before = [(signal.SIGINT, signal.signal(signal.SIGINT, self._sigint))]
            self._before.append((signal.SIGTERM, signal.signal(signal.SIGTERM, self._sigterm)))
        else:
            self._before = []
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _sigint(self, _number: int, _frame: FrameType | None) -> None:
        self._unanswered += 1
        if self._unanswered > _PATIENCE:
            raise KeyboardInterrupt
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self._unanswered = 0
        self._stop()

    def _sigterm(self, _number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._leave)
