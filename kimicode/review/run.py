"""A review: instant checks, then the model's two passes over each group, within a deadline; what is not done is said in the report.

Nothing that goes wrong with the model is an error here: the report names it, and who reads it decides. Checks run first and wholly, so a
change whose text talks the model out of its findings is still checked. What this module does not do: read a change from git (`target`),
decide what blocks (`report.Gate`), or write anything but the cache.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

from kimicode.errors import ToolError
from kimicode.messages import Usage
from kimicode.model.client import ModelClient, ModelInfo
from kimicode.review.change import Change, Contents, FileChange
from kimicode.review.checks import RULES, CheckConfig, run_checks
from kimicode.review.clock import SYSTEM, Clock
from kimicode.review.finding import Finding
from kimicode.review.order import Order
from kimicode.review.plan import Plan, load_words, plan
from kimicode.review.report import Figures, Omission, Report, ordered
from kimicode.review.rounds import Outcome, Rounds, merged
from kimicode.review.suppress import Silenced, silence

Checks: TypeAlias = Callable[[Change, Contents, CheckConfig], tuple[Finding, ...]]


async def review(
    change: Change, contents: Contents, order: Order, *, client: ModelClient | None, checks: Checks = run_checks, clock: Clock = SYSTEM
) -> Report:
    """Review `change`. Without a client the checks run, and what `order.model` answered earlier counts. The client is not closed.

    Raises `ToolError` for a pattern in the order that is none; whatever the model does is in the report.
    """
    started = clock.now()
    found = checks(change, contents, order.checks)
    checks_ms = (clock.now() - started) * 1e3
    until = None if order.deadline_s is None else started + order.deadline_s
    part = await _asked(change, contents, order, client, found, clock, until)
    findings = (*found, *_new((each for outcome in part.outcomes for each in outcome.findings), found))
    silenced = _silenced(change, contents, order, findings)
    return Report(
        described=change.described,
        change=change.name,
        findings=ordered(silenced.findings),
        suppressed=silenced.suppressed,
        omissions=merged(part.omissions),
        refuted=sum(each.refuted for each in part.outcomes),
        model=part.model,
        figures=Figures(
            files=len(change.files),
            added_lines=sum(file.added_count for file in change.files),
            checks_ms=checks_ms,
            total_ms=(clock.now() - started) * 1e3,
            calls=part.calls,
            cached=sum(each.cached for each in part.outcomes),
            prompt_tokens=part.usage.prompt,
            completion_tokens=part.usage.completion,
        ),
    )


def review_now(change: Change, contents: Contents, order: Order, *, client: ModelClient | None, checks: Checks = run_checks) -> Report:
    """`review` for callers without an event loop. The client is closed."""

    async def whole() -> Report:
        try:
            return await review(change, contents, order, client=client, checks=checks)
        finally:
            if client is not None:
                await client.aclose()

    return asyncio.run(whole())


class _Part:
    """The model's part of a review."""

    def __init__(self, omissions: Sequence[Omission], model: str = "", rounds: Rounds | None = None) -> None:
        self.outcomes: tuple[Outcome, ...] = rounds.outcomes if rounds is not None else ()
        self.omissions = (*omissions, *(each.omission for each in self.outcomes if each.omission is not None))
        self.calls, self.usage = rounds.cost if rounds is not None else (0, Usage())
        self.model = model if self.calls or any(each.answered for each in self.outcomes) else ""


async def _asked(
    change: Change,
    contents: Contents,
    order: Order,
    client: ModelClient | None,
    found: Sequence[Finding],
    clock: Clock,
    until: float | None,
) -> _Part:
    info: ModelInfo | None = client.info if client is not None else order.model
    if change.merging:
        return _Part([Omission("merge", (), "A merge, pick, revert or rebase is being concluded: checks alone look at it.")])
    if info is None:
        return _Part([Omission("no model", (), "No model was asked.")])
    words = load_words()
    planned: Plan = plan(change, contents, order, info, found, words)
    rounds = Rounds(planned, order, client, words, clock)
    await rounds.run(until)
    return _Part(planned.omissions, info.model, rounds)


def _new(findings: Iterable[Finding], found: Sequence[Finding]) -> Iterator[Finding]:
    """What the model found and no check has said already about the same lines."""
    for each in findings:
        if not any(_same(each, other) for other in found):
            yield each


def _same(one: Finding, other: Finding) -> bool:
    overlap = one.line <= other.end_line and other.line <= one.end_line
    return one.path == other.path and one.category == other.category and overlap


def _silenced(change: Change, contents: Contents, order: Order, findings: Sequence[Finding]) -> Silenced:
    """A comment counts where there is a finding, or where it is new; other files are not read for that."""
    concerned = {each.path for each in findings}
    files = [file for file in change.files if file.path in concerned or any("kimicode:" in text for _, text in file.added)]

    def read(file: FileChange) -> bytes | None:
        try:
            return contents.new(file)
        except ToolError:
            return None

    return silence(findings, files, read, order.silences, known=frozenset(rule.id for rule in RULES))
