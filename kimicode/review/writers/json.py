"""A report as one JSON object, whose schema is published: `docs/review.schema.json`, made by `schema`.

New fields may come; those that are there keep their meaning while `version` is 1. What this module does not do: read it back.
"""

from typing import Literal, TypeAlias

import msgspec

from kimicode import __version__
from kimicode.review.finding import Category, Finding, Source
from kimicode.review.report import Figures, Gate, Omission, Report, Suppressed, Undone

Verdict: TypeAlias = Literal["pass", "block", "incomplete"]
"""`incomplete`: nothing blocks, but not everything that should have been reviewed was."""

SeverityWord: TypeAlias = Literal["low", "medium", "high", "critical"]


class FindingPayload(msgspec.Struct, kw_only=True):
    """One finding. Lines count from 1 in the new file. `replacement` is the text for these lines, or null."""

    fingerprint: str
    rule: str
    path: str
    line: int
    end_line: int
    severity: SeverityWord
    confidence: float
    category: Category
    title: str
    scenario: str
    suggestion: str
    replacement: str | None
    quote: str
    source: Source
    verified: bool
    blocks: bool


class SuppressedPayload(msgspec.Struct):
    """A finding that was silenced, and the reason that was given."""

    finding: FindingPayload
    reason: str


class OmissionPayload(msgspec.Struct):
    """What was not reviewed by the model. No paths: everything."""

    why: Undone
    paths: list[str]
    detail: str


class Payload(msgspec.Struct, kw_only=True):
    """One report."""

    version: Literal[1]
    tool: str
    reviewed: str
    change: str
    verdict: Verdict
    model: str
    findings: list[FindingPayload]
    suppressed: list[SuppressedPayload]
    omissions: list[OmissionPayload]
    refuted: int
    figures: Figures


def write_json(report: Report, gate: Gate) -> str:
    """The report on one line."""
    return msgspec.json.encode(payload(report, gate)).decode() + "\n"


def payload(report: Report, gate: Gate) -> Payload:
    """The report in the published form."""
    blocks = bool(report.blocking(gate))
    return Payload(
        version=1,
        tool=f"kimicode {__version__}",
        reviewed=report.described,
        change=report.change,
        verdict="block" if blocks else "incomplete" if report.incomplete else "pass",
        model=report.model,
        findings=[_finding(each, gate) for each in report.findings],
        suppressed=[_suppressed(each, gate) for each in report.suppressed],
        omissions=[_omission(each) for each in report.omissions],
        refuted=report.refuted,
        figures=report.figures,
    )


def schema() -> dict[str, object]:
    """The JSON Schema (2020-12) of what `write_json` gives."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kimicode review",
        "description": "One object on stdout of `kimicode review --format json`.",
        **msgspec.json.schema(Payload),
    }


def _finding(finding: Finding, gate: Gate) -> FindingPayload:
    return FindingPayload(
        fingerprint=finding.fingerprint,
        rule=finding.rule,
        path=_clean(finding.path),
        line=finding.line,
        end_line=finding.end_line,
        severity=finding.severity.word,  # type: ignore[arg-type]
        confidence=finding.confidence,
        category=finding.category,
        title=_clean(finding.title),
        scenario=_clean(finding.scenario),
        suggestion=_clean(finding.suggestion),
        replacement=None if finding.replacement is None else _clean(finding.replacement),
        quote=_clean(finding.quote),
        source=finding.source,
        verified=finding.verified,
        blocks=gate.blocks(finding),
    )


def _suppressed(suppressed: Suppressed, gate: Gate) -> SuppressedPayload:
    return SuppressedPayload(_finding(suppressed.finding, gate), _clean(suppressed.reason))


def _omission(omission: Omission) -> OmissionPayload:
    return OmissionPayload(omission.why, [_clean(path) for path in omission.paths], _clean(omission.detail))


def _clean(text: str) -> str:
    """Without lone surrogates, which a file name can carry and JSON can't."""
    return text.encode("utf-8", "replace").decode()
