"""The model's part of the benchmark of reviews: what it finds of mutants, and what it says about clean hunks.

A mutant counts as found where a finding's lines meet its hunk; verified ones are counted beside it, since only they may block. What this
module does not do: choose hunks, or run instant checks by themselves.
"""

import asyncio
import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING

from review_corpus import Sample, change_of

from kimicode.model.client import ModelClient
from kimicode.model.factory import make_client
from kimicode.model.target import resolve
from kimicode.review.finding import Finding
from kimicode.review.order import Order
from kimicode.review.run import review

if TYPE_CHECKING:
    from review_mutants import Mutant

SEED = 20260727


def asked(model: str, endpoint: str | None, clean: list[Sample], mutants: "list[Mutant]", count: int) -> dict[str, object]:
    """The model's figures on `count` clean hunks and `count` mutants, the kinds in turn."""
    chance = random.Random(SEED)
    hunks = chance.sample(clean, min(count, len(clean)))
    chosen = _in_turn(mutants, chance)[:count]
    target = resolve(endpoint, model, os.environ)
    return asyncio.run(_all(make_client(target, os.environ), hunks, chosen))


def _in_turn(mutants: "list[Mutant]", chance: random.Random) -> "list[Mutant]":
    """Those that only a reader finds, one of each kind after the other."""
    kinds: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        if not mutant.kind.checks:
            kinds.setdefault(mutant.kind.name, []).append(mutant)
    for each in kinds.values():
        chance.shuffle(each)
    return [each[turn] for turn in range(max(map(len, kinds.values()), default=0)) for each in kinds.values() if turn < len(each)]


async def _all(client: ModelClient, hunks: list[Sample], mutants: "list[Mutant]") -> dict[str, object]:
    alarms, verified_alarms, undone, taken = 0, 0, Counter[str](), list[float]()
    found, verified, total = Counter[str](), Counter[str](), Counter[str]()
    try:
        for sample in hunks:
            said = await _said(client, sample, undone, taken)
            alarms += bool(said)
            verified_alarms += any(each.verified for each in said)
        for mutant in mutants:
            said = [each for each in await _said(client, mutant.sample, undone, taken) if _meets(each, mutant.sample)]
            total[mutant.kind.name] += 1
            found[mutant.kind.name] += bool(said)
            verified[mutant.kind.name] += any(each.verified for each in said)
    finally:
        await client.aclose()
    for kind, count in total.items():
        print(f"model, {kind:<40} {found[kind]:>3} of {count:>3} found, {verified[kind]:>3} held")
    print(f"model, clean hunks: {alarms} of {len(hunks)} flagged, {verified_alarms} held; not answered: {dict(undone) or 'none'}")
    return {
        "model_clean": [alarms, verified_alarms, len(hunks)],
        "model_found": [found.total(), verified.total(), total.total()],
        "model_by_kind": {kind: [found[kind], verified[kind], count] for kind, count in total.items()},
        "model_undone": dict(undone),
        "model_s_each": round(sum(taken) / max(1, len(taken)), 2),
    }


async def _said(client: ModelClient, sample: Sample, undone: Counter[str], taken: list[float]) -> list[Finding]:
    change, held = change_of([sample])
    started = time.monotonic()
    report = await review(change, held, Order(deadline_s=None), client=client)
    taken.append(time.monotonic() - started)
    undone.update(each.why for each in report.omissions)
    return [each for each in report.findings if each.source == "model"]


def _meets(finding: Finding, sample: Sample) -> bool:
    return finding.line <= sample.start + max(1, len(sample.added)) and finding.end_line > sample.start
