"""Time as a review sees it: seconds that only go forward, and a way to wait for them.

What this module does not do: decide how long anything may take (`order` does).
"""

import asyncio
import time
from typing import Final, Protocol


class Clock(Protocol):
    """A clock that can be another one in tests."""

    def now(self) -> float:
        """Seconds since some moment."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when so many seconds are over."""
        ...


class SystemClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        """See `Clock.now`."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(seconds)


SYSTEM: Final = SystemClock()
