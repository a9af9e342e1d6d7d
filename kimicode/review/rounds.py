"""All groups of a plan answered: from the cache, else by the model, as many at once as it bears, until the deadline.

Every group has an outcome at any moment, so a review can stop at any moment; calls that are under way then are cancelled. What was found
and not yet tried to refute is kept, unverified. What this module does not do: look at code.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Final

import msgspec

from kimicode.errors import ContractError, KimicodeError
from kimicode.messages import Usage
from kimicode.model.client import ModelClient
from kimicode.model.faults import ContextOverflowError
from kimicode.review.cache import Cache, entry_of, findings_of
from kimicode.review.clock import Clock
from kimicode.review.finding import Finding
from kimicode.review.order import Order
from kimicode.review.plan import Group, Plan, Words
from kimicode.review.refute import doubted
from kimicode.review.report import Omission, Undone
from kimicode.review.reviewer import Found, Reviewer, UnusableAnswer

LOCAL: Final = "embedded"
"""The endpoint of the engine in the box: it answers one call after another, and several would only wait for each other."""


class Outcome(msgspec.Struct, frozen=True):
    """What is known of one group. `omission`: why that is not all. `answered`: a model did answer, now or earlier."""

    findings: tuple[Finding, ...] = ()
    refuted: int = 0
    omission: Omission | None = None
    answered: bool = False
    cached: bool = False


class Rounds:
    """One run over the groups of `plan`. Without a client only the cache answers."""

    def __init__(self, plan: Plan, order: Order, client: ModelClient | None, words: Words, clock: Clock) -> None:
        self._groups = plan.groups
        self._order = order
        self._clock = clock
        self._cache = Cache(order.cache) if order.cache is not None else None
        # The messages that all calls begin with name the cache that they find warm.
        session_id = f"review-{plan.name}"
        self._reviewer = Reviewer(client, plan.opening, words, order.effort, session_id=session_id) if client is not None else None
        self._at_once = asyncio.Semaphore(1 if client is not None and client.info.endpoint == LOCAL else order.bounds.at_once)
        self._failed: Omission | None = None
        self._outcomes: dict[int, Outcome] = {}

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """One for each group, in the order of the plan."""
        return tuple(self._outcomes.get(at) or self._late(at) for at in range(len(self._groups)))

    @property
    def cost(self) -> tuple[int, Usage]:
        """How many calls were made, and their tokens as far as they ended."""
        return (self._reviewer.calls, self._reviewer.usage) if self._reviewer is not None else (0, Usage())

    async def run(self, until: float | None) -> None:
        """Answer what can be answered before `until` on the clock."""
        for at, group in enumerate(self._groups):
            if (known := self._known(group)) is not None:
                self._outcomes[at] = known
            elif self._reviewer is None:
                self._outcomes[at] = Outcome(omission=Omission("no model", group.paths, "No model was asked, and the cache has no answer."))
        late = until is not None and self._clock.now() >= until
        if self._reviewer is not None and not late:
            await self._until(until, [self._answer(self._reviewer, at) for at in range(len(self._groups)) if at not in self._outcomes])

    async def _until(self, until: float | None, work: Iterable[Coroutine[None, None, None]]) -> None:
        tasks = {asyncio.create_task(each) for each in work}
        alarm = asyncio.create_task(self._wait(until))
        waiting = set(tasks)
        try:
            while waiting and not alarm.done():
                done, _ = await asyncio.wait({*waiting, alarm}, return_when=asyncio.FIRST_COMPLETED)
                waiting -= done
        finally:
            for task in (*tasks, alarm):
                task.cancel()
            await asyncio.gather(*tasks, alarm, return_exceptions=True)

    async def _wait(self, until: float | None) -> None:
        if until is None:
            await asyncio.Event().wait()
        else:
            await self._clock.sleep(max(0.0, until - self._clock.now()))

    async def _answer(self, reviewer: Reviewer, at: int) -> None:
        async with self._at_once:
            group = self._groups[at]
            if self._failed is not None:
                self._outcomes[at] = Outcome(omission=msgspec.structs.replace(self._failed, paths=group.paths))
                return
            try:
                await self._passes(reviewer, at, group)
            except KimicodeError as error:
                self._fail(at, error, error.message)
            except Exception as error:  # noqa: BLE001 - whatever a client does, the checks' findings are reported, and so is this
                self._fail(at, error, f"{type(error).__name__}: {error}")

    async def _passes(self, reviewer: Reviewer, at: int, group: Group) -> None:
        first = await reviewer.find(group)
        late = Omission("deadline", group.paths, "There was no time to try to refute what was found.")
        self._outcomes[at] = Outcome(tuple(map(doubted, first.findings)), first.dropped, late if first.findings else None, answered=True)
        second = await reviewer.refute(group, first.findings) if first.findings else Found((), 0)
        cut = Omission("answer unusable", group.paths, "The model's answer was longer than it may be; its end is missing.")
        refuted = first.dropped + second.dropped
        self._outcomes[at] = Outcome(second.findings, refuted, cut if first.cut else None, answered=True)
        if self._cache is not None and not first.cut:
            self._cache.put(group.key, entry_of(second.findings, refuted, group.hunks))

    def _fail(self, at: int, error: Exception, message: str) -> None:
        why: Undone = "model failed"
        if isinstance(error, UnusableAnswer):
            why = "answer unusable"
        elif isinstance(error, ContextOverflowError):
            why = "too large"
        omission = Omission(why, self._groups[at].paths, message)
        if not isinstance(error, ContractError | ContextOverflowError):
            # What can't be reached now, after the client's own patience, is not waited for again in this review.
            self._failed = omission
        known = self._outcomes.get(at, Outcome())
        self._outcomes[at] = msgspec.structs.replace(known, omission=omission)

    def _known(self, group: Group) -> Outcome | None:
        entry = self._cache.get(group.key) if self._cache is not None else None
        findings = findings_of(entry, group.hunks) if entry is not None else None
        return Outcome(findings, entry.refuted, answered=True, cached=True) if entry is not None and findings is not None else None

    def _late(self, at: int) -> Outcome:
        return Outcome(omission=Omission("deadline", self._groups[at].paths, f"{self._order.deadline_s or 0:g} s were over."))


def merged(omissions: Sequence[Omission]) -> tuple[Omission, ...]:
    """One for each reason, with all its paths."""
    paths: dict[tuple[Undone, str], dict[str, None]] = {}
    for each in omissions:
        paths.setdefault((each.why, each.detail), {}).update(dict.fromkeys(each.paths))
    return tuple(Omission(why, tuple(files), detail) for (why, detail), files in paths.items())
