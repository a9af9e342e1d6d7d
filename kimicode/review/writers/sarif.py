"""A report as SARIF 2.1.0, for code scanning.

One run. Rules are those that occur. Suppressed findings are in it, marked so; what was not reviewed is a notification. Fingerprints keep
a finding the same while its lines move. Within GitHub's limits: 25,000 results a run. Source: the OASIS standard, and GitHub's "SARIF
support for code scanning" for `security-severity`, `precision` and `partialFingerprints`. What this module does not do: upload.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from kimicode import __version__
from kimicode.review.finding import Finding, Severity
from kimicode.review.report import Gate, Omission, Report
from kimicode.review.writers.text import named
from kimicode.text import well_formed

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MAX_RESULTS = 25_000
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_SCORES = {Severity.CRITICAL: "9.5", Severity.HIGH: "8.0", Severity.MEDIUM: "5.0", Severity.LOW: "2.0"}


def write_sarif(report: Report, gate: Gate) -> str:
    """One log."""
    found = [(each, None) for each in report.findings]
    silenced = [(each.finding, each.reason) for each in report.suppressed]
    results: list[tuple[Finding, str | None]] = [*found, *silenced][:MAX_RESULTS]
    rules = sorted({each.rule: each for each, _ in results}.items())
    places = {rule: number for number, (rule, _) in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": "kimicode",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule, each) for rule, each in rules],
            }
        },
        "automationDetails": {"id": "kimicode/review/"},
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The top of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report.omissions, strict=gate.strict)],
        "results": [_result(each, places[each.rule], reason) for each, reason in results],
        "properties": {"reviewed": report.described, "change": report.change, "model": report.model, "refuted": report.refuted},
    }
    return msgspec.json.encode({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}).decode() + "\n"


def _rule(rule: str, example: Finding) -> dict[str, object]:
    words = rule.replace("/", ": ").replace("-", " ")
    properties: dict[str, object] = {"tags": [example.category], "precision": "high" if example.source == "check" else "medium"}
    if example.category == "security":
        properties["security-severity"] = _SCORES[example.severity]
    return {
        "id": rule,
        "name": "".join(part.capitalize() for part in words.replace(":", "").split()),
        "shortDescription": {"text": words},
        "fullDescription": {"text": f"{words}, of the category {example.category}: a finding of kimicode review."},
        "help": {"text": f"{words}. To silence it where it is right: a comment `kimicode: ignore[{rule}]` with the reason."},
        "defaultConfiguration": {"level": _LEVELS[example.severity]},
        "properties": properties,
    }


def _result(finding: Finding, rule_index: int, reason: str | None) -> dict[str, object]:
    text = "\n".join(part for part in (finding.title, finding.scenario, finding.suggestion) if part)
    result: dict[str, object] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": _LEVELS[finding.severity],
        "message": {"text": well_formed(text)},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(finding.path), "region": _region(finding)}}],
        "partialFingerprints": {"primaryLocationLineHash": f"{finding.fingerprint}:1"},
        "rank": round(100 * finding.confidence, 1),
        "properties": {"severity": finding.severity.word, "confidence": finding.confidence, "verified": finding.verified},
    }
    if finding.replacement is not None:
        result["fixes"] = [_fix(finding, finding.replacement)]
    if reason is not None:
        result["suppressions"] = [{"kind": "inSource", "justification": well_formed(reason)}]
    return result


def _artifact(path: str) -> dict[str, object]:
    return {"uri": quote(path.encode("utf-8", "surrogateescape")), "uriBaseId": "SRCROOT"}


def _region(finding: Finding) -> dict[str, object]:
    region: dict[str, object] = {"startLine": finding.line, "endLine": finding.end_line}
    if finding.quote:
        region["snippet"] = {"text": well_formed(finding.quote)}
    return region


def _fix(finding: Finding, replacement: str) -> dict[str, object]:
    change = {
        "deletedRegion": {"startLine": finding.line, "endLine": finding.end_line},
        "insertedContent": {"text": well_formed(replacement)},
    }
    return {
        "description": {"text": well_formed(finding.suggestion or finding.title)},
        "artifactChanges": [{"artifactLocation": _artifact(finding.path), "replacements": [change]}],
    }


def _invocation(omissions: Sequence[Omission], *, strict: bool) -> dict[str, object]:
    level = "error" if strict else "warning"
    return {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            {
                "level": "note" if each.why in ("no model", "skipped", "merge") else level,
                "descriptor": {"id": f"not-reviewed/{each.why.replace(' ', '-')}"},
                "message": {"text": well_formed(each.detail + named(each.paths))},
            }
            for each in omissions
        ],
    }
