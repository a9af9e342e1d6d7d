"""What ends the application from outside: SIGTERM and SIGINT in order, SIGHUP where the terminal has gone. Keys are no signals.

When a terminal goes away the kernel sends SIGHUP and, right behind it, SIGCONT, on which Textual takes the terminal again; its writes then
fail, and whoever waits for them waits for ever. So then what is open is closed and the process ends by itself, drawn or not; and
either way it ends after `LAST_WORDS_S`, whatever still runs. The log is on disk event by event, so nothing is lost.
What this module does not do: know what there is to close.
"""

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterator
from types import FrameType
from typing import Final

from kimicode.errors import Interrupted

LAST_WORDS_S: Final = 5.0
_NAMES: Final = ("SIGTERM", "SIGINT", "SIGHUP")
"""Windows has no SIGHUP."""


@contextlib.contextmanager
def leaving(leave: Callable[[], object], close: Callable[[], Coroutine[object, object, None]]) -> Iterator[None]:
    """Within `with`, these call `leave` on the loop that runs now; SIGHUP without a terminal awaits `close` there and ends the process.

    Only in the main thread; elsewhere nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    async def hang_up() -> None:
        try:
            await close()
        finally:
            os._exit(Interrupted.exit_code)

    def told(number: int, _frame: FrameType | None) -> None:
        last = threading.Timer(LAST_WORDS_S, os._exit, (Interrupted.exit_code,))
        last.daemon = True
        last.start()
        hung_up = number == getattr(signal, "SIGHUP", None) and not _terminal_is_there()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe((lambda: tasks.add(loop.create_task(hang_up()))) if hung_up else leave)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = [(number, signal.signal(number, told)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _terminal_is_there() -> bool:
    """False once the terminal of stdin has gone. SIGHUP can come from somebody who only wants the process to end."""
    try:
        os.tcgetpgrp(0)
    except OSError:
        return False
    return True
