"""SIGTERM, SIGHUP and SIGINT while the full screen is shown: leave in order, on the event loop, instead of an exception somewhere.

Keys are no signals here: Ctrl+C reaches the application as a key. Only in the main thread; elsewhere nothing is changed.
What this module does not do: restore the terminal (Textual does, when the application is left).
"""

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

_NAMES: Final = ("SIGTERM", "SIGHUP", "SIGINT")
"""Windows has no SIGHUP."""


@contextlib.contextmanager
def leaving(leave: Callable[[], object]) -> Iterator[None]:
    """Within `with`, each of these signals calls `leave` on the loop that runs now."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def told(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(leave)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = [(number, signal.signal(number, told)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
