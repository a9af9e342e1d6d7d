"""Ctrl-C in a run without a terminal, in three degrees; SIGTERM counts the same.

The first signal interrupts the run, which then ends in order. The second hurries it: what is waited for is given up, commands are
killed, and after `LAST_WORDS_S` the process ends whatever still runs. The third ends it at once. The handlers are Python's own and
not the event loop's, so that they work while the loop is busy. What this module does not do: decide how a run ends.
"""

import asyncio
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Final

from kimicode.agent.loop import Agent
from kimicode.errors import Interrupted

NUMBERS: Final = (signal.SIGINT, signal.SIGTERM)
LAST_WORDS_S: Final = 0.7
_AGAIN_S: Final = 0.05


class Signals:
    """Has both signals inside of `with`, in the running event loop. Until there is an agent they raise `KeyboardInterrupt`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._main = asyncio.current_task()
        self._agent: Agent | None = None
        self._received = 0

    def __enter__(self) -> "Signals":
        self._before = {number: signal.signal(number, self._receive) for number in NUMBERS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def hand_to(self, agent: Agent) -> None:
        """From now on signals interrupt the run of `agent`."""
        self._agent = agent

    def _receive(self, _number: int, _frame: FrameType | None) -> None:
        if self._agent is None:
            raise KeyboardInterrupt
        self._received += 1
        match self._received:
            case 1:
                self._loop.call_soon_threadsafe(self._agent.interrupt)
            case 2:
                last = threading.Timer(LAST_WORDS_S, os._exit, (Interrupted.exit_code,))
                last.daemon = True
                last.start()
                self._loop.call_soon_threadsafe(self._hurry)
            case _:
                os._exit(Interrupted.exit_code)

    def _hurry(self) -> None:
        # Cancelled a second time, a wait for an orderly end becomes a quick one. The run itself goes on to say that it ended.
        for task in asyncio.all_tasks():
            if task is not self._main:
                task.cancel()
        # Again and again: what is cancelled for the first time only now begins its orderly end.
        self._loop.call_later(_AGAIN_S, self._hurry)
