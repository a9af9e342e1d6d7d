"""Budgets as a ledger: what a run may spend, what it has spent, and which limit it has reached.

Pure values; one ledger counts one run (one user prompt). Tokens are prompt plus completion of every call, cached ones included,
because that is what endpoints bill and contexts hold. What this module does not do: stop anything (the loop asks before each
request, and a timer keeps the seconds while a stream or a tool is running).
"""

import msgspec

from kimicode.messages import Usage
from kimicode.session.replay import add_cost

DEFAULT_STEPS = 200


class Limits(msgspec.Struct, frozen=True):
    """What one run may spend; None is no limit."""

    steps: int | None = DEFAULT_STEPS
    tokens: int | None = None
    seconds: float | None = None
    usd: float | None = None


class Ledger(msgspec.Struct, frozen=True):
    """What one run has spent. `usd` is None as long as no call had a known price."""

    limits: Limits = Limits()
    steps: int = 0
    usage: Usage = Usage()
    usd: float | None = None

    def charge(self, usage: Usage, usd: float | None) -> "Ledger":
        """The ledger after one more step."""
        return Ledger(self.limits, self.steps + 1, self.usage + usage, add_cost(self.usd, usd))

    def reached(self, seconds: float) -> str:
        """Which limit is reached after `seconds`, in words; empty where none is."""
        limits = self.limits
        if limits.steps is not None and self.steps >= limits.steps:
            return f"the limit of {limits.steps} steps is reached"
        if limits.tokens is not None and self.usage.total >= limits.tokens:
            return f"the limit of {limits.tokens} tokens is reached ({self.usage.total} used)"
        if limits.usd is not None and self.usd is not None and self.usd >= limits.usd:
            return f"the limit of ${limits.usd:g} is reached (${self.usd:.4f} spent)"
        if limits.seconds is not None and seconds >= limits.seconds:
            return out_of_time(limits.seconds)
        return ""


def out_of_time(seconds: float) -> str:
    """The words for a deadline that has passed."""
    return f"the limit of {seconds:g} seconds is reached"
