"""Which session is wanted: a value that a command line makes and the composition root reads.

What this module does not do: open one; it loads nothing, so that a first paint does not wait for the agent.
"""

import msgspec

from kimicode.messages import JsonObject


class Wish(msgspec.Struct, frozen=True):
    """Which session is wanted: a new one, an earlier one by id, or the latest of the workspace; and what its answers must follow."""

    resume: str | None = None
    latest: bool = False
    schema: JsonObject | None = None
