"""Several calls of one answer: side by side where they may, in call order where their declared accesses conflict.

Reports come strictly in call order, whatever finishes first, so that the conversation is the same on every run. What this module
does not do: know what a call is; it sees accesses, a function that starts call `i`, and a function that takes its result.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from kimicode.tools.base import Accesses

Result = TypeVar("Result")

AT_ONCE = 8
"""Most calls run at the same time: enough to hide latency, few enough for two cores and the limit of open files."""


def waits(accesses: Sequence[Accesses]) -> tuple[tuple[int, ...], ...]:
    """For each call the earlier calls that must be over before it starts."""
    return tuple(tuple(j for j in range(i) if accesses[j].conflicts(mine)) for i, mine in enumerate(accesses))


async def run_calls(
    accesses: Sequence[Accesses], start: Callable[[int], Awaitable[Result]], report: Callable[[int, Result | None], None]
) -> None:
    """Run all calls. `report` is called once for each, in call order, with None for a call that did not finish.

    When cancelled, or when `start` or `report` raises, the running calls are cancelled and awaited, the rest is reported, and the
    exception goes on to the caller. (A `report` that raises in that last round ends it.)
    """
    slots = asyncio.Semaphore(AT_ONCE)
    tasks: list[asyncio.Task[Result]] = []

    async def one(index: int, earlier: tuple[int, ...]) -> Result:
        if earlier:
            await asyncio.wait([tasks[j] for j in earlier])
        async with slots:
            return await start(index)

    tasks += [asyncio.create_task(one(index, earlier)) for index, earlier in enumerate(waits(accesses))]
    reported = 0
    try:
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            while reported < len(tasks) and tasks[reported].done():
                reported += 1
                report(reported - 1, tasks[reported - 1].result())
    finally:
        if reported < len(tasks):
            await _cancel(tasks)
            for index in range(reported, len(tasks)):
                report(index, _result(tasks[index]))


async def _cancel(tasks: Sequence["asyncio.Task[Result]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


def _result(task: "asyncio.Task[Result]") -> Result | None:
    return None if task.cancelled() or task.exception() else task.result()
