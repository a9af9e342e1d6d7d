"""The second pass: the model tries to refute what was found, by quoting code, and here it is decided whether it did.

A finding falls only if the quoted code really stands in what was shown, and is code: words in a comment refute nothing, whoever wrote
them. A critical one falls only for whole lines. What this module does not do: ask the model (`reviewer` does).
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from kimicode.review.answer import Verdict
from kimicode.review.finding import Finding, Severity
from kimicode.review.settle import squeezed, stands_in
from kimicode.review.view import View, inert

BATCH: Final = 8
"""Findings of one call: more of them, and the later ones are judged in passing."""

DOUBT: Final = 0.5
"""What is left of the confidence in a finding that the second pass could neither refute nor hold."""

_LEAST_QUOTE: Final = 6
_COMMENTS: Final = ("#", "//", "/*", "*", "--", "<!--", ";", "%", '"""', "'''")


def listed(findings: Sequence[Finding]) -> str:
    """The findings as the model reads them, numbered from 1. All text is on lines of its own and can't close its block."""
    return "\n".join(_listed(number, each) for number, each in enumerate(findings, 1))


def _listed(number: int, finding: Finding) -> str:
    quote = "\n".join(f"   | {inert(line)}" for line in finding.quote.split("\n"))
    facts = f"{number}. {inert(finding.path)}, line {finding.line} ({finding.severity.word} {finding.category}): {inert(finding.title)}"
    scenario = " ".join(inert(line) for line in finding.scenario.split("\n"))
    return f"{facts}\n   Scenario: {scenario}\n   Code:\n{quote}"


def judge(findings: Sequence[Finding], verdicts: Iterable[Verdict], views: Sequence[View]) -> tuple[tuple[Finding, ...], int]:
    """What is left of the findings, each marked with what its trial gave, and how many fell."""
    said = {verdict.number: verdict for verdict in verdicts}
    kept: list[Finding] = []
    for number, finding in enumerate(findings, 1):
        verdict = said.get(number)
        if verdict is None or verdict.verdict == "unsure":
            kept.append(doubted(finding))
        elif verdict.verdict == "stands" or not refutes(verdict.quote, finding, views):
            kept.append(msgspec.structs.replace(finding, verified=True))
    return tuple(kept), len(findings) - len(kept)


def doubted(finding: Finding) -> Finding:
    """The finding with less confidence, so that it does not block."""
    return msgspec.structs.replace(finding, verified=False, confidence=finding.confidence * DOUBT)


def refutes(quote: str, finding: Finding, views: Sequence[View]) -> bool:
    """True where `quote` is code that was shown."""
    lines = [line for line in quote.split("\n") if squeezed(line)]
    if len(squeezed(quote)) < _LEAST_QUOTE or all(line.strip().startswith(_COMMENTS) for line in lines):
        return False
    if not any(stands_in(quote, view) for view in views):
        return False
    if finding.severity < Severity.CRITICAL:
        return True
    whole = {squeezed(row.text) for view in views for row in view.side(True)}
    return all(squeezed(line) in whole for line in lines)
