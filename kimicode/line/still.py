"""`Still running npm test, 30 seconds.`: for those who asked to hear it, at growing intervals. Otherwise no timer ever runs.

What this module does not do: print.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from kimicode.line.words import Line, duration

_FIRST_S: Final = 10.0
_GROWTH: Final = 2.0


class Still:
    """Calls `tell` while something named runs. Everything on the event loop."""

    def __init__(self, tell: Callable[[Line], None]) -> None:
        self._tell = tell
        self._name = ""
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def running(self, name: str) -> None:
        """This runs now; an empty name: nothing does."""
        if name == self._name:
            return
        self._name = name
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if name:
            loop = asyncio.get_running_loop()
            self._began = loop.time()
            self._arm(_FIRST_S)

    def _arm(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring, seconds)

    def _ring(self, seconds: float) -> None:
        took = asyncio.get_running_loop().time() - self._began
        self._tell(Line(f"{self._name}, {duration(took)}.", "Still running"))
        self._arm(seconds * _GROWTH)
