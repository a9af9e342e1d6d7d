"""Waiting for something to be so in a Textual application under test, without a clock."""

from collections.abc import Callable

from textual.pilot import Pilot

_TURNS = 200


async def until(pilot: Pilot[object], predicate: Callable[[], object]) -> None:
    """Let the application work until `predicate` is true. Fails where it has nothing left to do and it is not."""
    for _ in range(_TURNS):
        if predicate():
            return
        await pilot.pause()
    raise AssertionError(f"never became true: {predicate}")
