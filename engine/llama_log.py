"""llama.cpp's log as a short memory instead of lines on stderr, so that a failure has a reason.

What this module does not do: start llama.cpp (`engine.llama` does).
"""

import ctypes
from collections import deque
from typing import Final

import llama_cpp.llama_cpp as api

LOG_LINES: Final = 40
"""How many of llama.cpp's latest complaints are remembered: enough to hold the cause of a failed load."""

_WARNING: Final = 3
_ERROR: Final = 4
_CONTINUED: Final = 5


class Log:
    """llama.cpp's log callback, one for the process as in llama.cpp itself: keeps the latest warnings and errors."""

    def __init__(self) -> None:
        self._kept: dict[int, deque[str]] = {level: deque(maxlen=LOG_LINES) for level in (_ERROR, _WARNING)}
        self._level = 0
        self._callback = api.llama_log_callback(self._receive)

    def take(self) -> None:
        """Have llama.cpp tell this log, whoever it told before."""
        api.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _receive(self, level: int, text: bytes, _data: object) -> None:
        if level != _CONTINUED:
            self._level = level
        if self._level in self._kept and (line := text.decode("utf-8", "replace").strip()):
            self._kept[self._level].append(line)

    def clear(self) -> None:
        """Forget what was said so far."""
        for lines in self._kept.values():
            lines.clear()

    def reason(self) -> str:
        """The first error of the latest failure, or else the first warning: later ones only say that what called it failed too."""
        lines = (line for kept in self._kept.values() for line in kept)
        return next((line.split(": ", 1)[-1] for line in lines), "llama.cpp gave no reason")
