"""The output of a running command, read from a pipe as it comes.

What this module does not do: start or end the command (`sandbox.run`), or bound what is kept (`sandbox.capture`).
"""

import asyncio
import contextlib
import os
from typing import Final

from kimicode.sandbox.capture import Capture, Captured

_READ_BYTES: Final = 64 * 1024
_FINAL_READS: Final = 32


class Output:
    """The reading end of the pipe, fed into a capture as data arrives."""

    def __init__(self, read_end: int, capture: Capture) -> None:
        self._fd = read_end
        self._capture = capture
        self._ended = asyncio.Event()
        self._captured: Captured | None = None
        os.set_blocking(read_end, False)
        asyncio.get_running_loop().add_reader(read_end, self._read)

    async def end(self, grace_s: float) -> None:
        """Wait until every writer has closed the pipe, but no longer than `grace_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), grace_s)

    def close(self) -> Captured:
        """Take what is still in the pipe, close it, and return what was captured. Later calls return the same."""
        if self._captured is None:
            for _ in range(_FINAL_READS):
                if not self._read():
                    break
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._captured = self._capture.close()
        return self._captured

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._capture.feed(data)
            return True
        self._ended.set()
        asyncio.get_running_loop().remove_reader(self._fd)
        return False
