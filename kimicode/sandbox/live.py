"""What a running command prints, for whoever watches: a few small pieces a second, the newest text rather than all of it.

Characters that lie across the borders of pieces stay whole; in a flood the middle is left out, with a line that says so. Feeding it costs
next to nothing and never waits. What this module does not do: keep anything (`sandbox.capture` does), or end the last piece in time: a
command's result has it all.
"""

import asyncio
import codecs
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.1
"""A person sees no more than so many pieces."""

MOST_BYTES: Final = 4_096
"""Of one piece: more than a screen full."""

LEFT_OUT: Final = "\n…\n"


class Live:
    """Feed it bytes on a running event loop; `tell` gets text, from the loop. Close it when the command has ended."""

    def __init__(self, tell: Callable[[str], None], *, every_s: float = EVERY_S, most_bytes: int = MOST_BYTES) -> None:
        self._tell = tell
        self._every_s = every_s
        self._most = most_bytes
        self._pending = bytearray()
        self._cut = False
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises, tells nothing by itself."""
        # Of a flood no more is copied than is needed to see that it is one.
        self._pending += data[-(4 * self._most + 1) :]
        if len(self._pending) > 4 * self._most:
            self._shorten()
        if self._timer is None and not self._closed:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(self._due, loop.time()), self._flush)

    def close(self) -> None:
        """Say nothing more; no timer is left."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._timer = None
        self._due = asyncio.get_running_loop().time() + self._every_s
        if len(self._pending) > self._most:
            self._shorten()
        cut, self._cut = self._cut, False
        if cut:
            self._decoder.reset()
        text = self._decoder.decode(bytes(self._pending))
        self._pending.clear()
        if text:
            self._tell(LEFT_OUT + text if cut else text)

    def _shorten(self) -> None:
        """Keep the newest, from the beginning of a line or at least of a character."""
        del self._pending[: -(self._most - len(LEFT_OUT.encode()))]
        line = self._pending.find(b"\n", 0, len(self._pending) // 2)
        start = line + 1 if line >= 0 else next((at for at in range(min(4, len(self._pending))) if self._pending[at] & 0xC0 != 0x80), 0)
        del self._pending[:start]
        self._cut = True
