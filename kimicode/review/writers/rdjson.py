"""A report in the Reviewdog Diagnostic Format (`reviewdog -f=rdjson`).

Source of the format: reviewdog's `proto/rdf/reviewdog.proto`. What this module does not do: say what was not reviewed; the format has no
place for it.
"""

import msgspec

from kimicode.review.finding import Finding, Severity
from kimicode.review.report import Gate, Report
from kimicode.text import well_formed

_SEVERITIES = {Severity.CRITICAL: "ERROR", Severity.HIGH: "ERROR", Severity.MEDIUM: "WARNING", Severity.LOW: "INFO"}


def write_rdjson(report: Report, gate: Gate) -> str:
    """One object. Columns are left out: a finding is about whole lines."""
    del gate
    found = {"source": {"name": "kimicode"}, "diagnostics": [_diagnostic(each) for each in report.findings]}
    return msgspec.json.encode(found).decode() + "\n"


def _diagnostic(finding: Finding) -> dict[str, object]:
    lines = {"start": {"line": finding.line}, "end": {"line": finding.end_line}}
    message = "\n".join(part for part in (finding.title, finding.scenario, finding.suggestion) if part)
    diagnostic: dict[str, object] = {
        "message": well_formed(message),
        "location": {"path": well_formed(finding.path), "range": lines},
        "severity": _SEVERITIES[finding.severity],
        "code": {"value": finding.rule},
    }
    if finding.replacement is not None:
        # Whole lines: from the first column to the start of the line after.
        whole = {"start": {"line": finding.line, "column": 1}, "end": {"line": finding.end_line + 1, "column": 1}}
        diagnostic["suggestions"] = [{"range": whole, "text": well_formed(finding.replacement.rstrip("\n") + "\n")}]
    return diagnostic
