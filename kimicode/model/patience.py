"""How often and how long a client tries again. Pure apart from the three injected functions: sleep, random, wall clock.

The delay before attempt N+1 is `first_delay`·2^(N-1), at most `longest_delay`, plus up to a quarter at random so that many
clients do not come back in step. A server's own advice goes before the formula; advice beyond `longest_advice` ends the attempts,
since a person should decide about such a wait. What this module does not do: decide which errors are worth another attempt.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Limits of one request. All times in seconds.

    `attempts` counts the first one. `connect_attempts` and `empty_attempts` are the limits for servers that can't be reached and
    for answers with nothing in them. `idle` is the longest silence on an open stream (None: the endpoint's own); `grace` how long
    usage is waited for once the answer is whole.
    """

    attempts: int = 8
    connect_attempts: int = 3
    empty_attempts: int = 3
    first_delay: float = 0.5
    longest_delay: float = 32.0
    longest_advice: float = 120.0
    connect: float = 15.0
    idle: float | None = None
    grace: float = 5.0
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
    wall_clock: Callable[[], float] = time.time

    def delay(self, attempt: int, advice: float | None = None) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 1), or None: wait no more."""
        if advice is not None:
            return advice if advice <= self.longest_advice else None
        base = min(self.first_delay * 2.0 ** min(attempt - 1, 16), self.longest_delay)
        return base * (1 + self.random() / 4)
