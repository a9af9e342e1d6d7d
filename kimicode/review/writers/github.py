"""A report as GitHub's workflow commands, which become annotations on the lines; and as Markdown for a job's summary.

GitHub shows the first ten errors and ten warnings of a step, so the worst come first and the last line says how many there are. What a
finding says can neither end its command nor open another. Source: GitHub's documentation, "Workflow commands for GitHub Actions".
What this module does not do: talk to GitHub.
"""

import re

from kimicode.review.finding import Finding, Severity
from kimicode.review.report import Gate, Report
from kimicode.review.writers.text import named, place, summary

SHOWN_BY_GITHUB = 10
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"}
_MARKUP = re.compile(r"[\\`*_{}\[\]()#+!|<>@&~-]")


def write_github(report: Report, gate: Gate) -> str:
    """One command a finding, and one notice that sums up."""
    lines = [_command(each) for each in report.findings]
    lines += [f"::notice title=not reviewed ({_property(each.why)})::{_data(each.detail + named(each.paths))}" for each in report.omissions]
    lines.append(f"::notice title=kimicode review::{_data(summary(report, gate))}")
    return "".join(f"{line}\n" for line in lines)


def write_markdown(report: Report, gate: Gate) -> str:
    """The report for `$GITHUB_STEP_SUMMARY`."""
    lines = ["### kimicode review", "", _plain(summary(report, gate)), ""]
    for each in report.findings:
        lines.append(f"- **{each.severity.word}** {_plain(place(each))}: {_plain(each.title)} ({_plain(each.rule)})")
        lines += [f"  - {_plain(text)}" for text in (each.scenario, each.suggestion) if text.strip()]
    lines += [f"- not reviewed ({each.why}): {_plain(each.detail + named(each.paths))}" for each in report.omissions]
    return "\n".join(lines) + "\n"


def _command(finding: Finding) -> str:
    properties = {
        "file": finding.path,
        "line": str(finding.line),
        "endLine": str(finding.end_line),
        "title": f"{finding.severity.word}: {finding.title}",
    }
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = "\n".join(part for part in (finding.scenario or finding.title, finding.suggestion, f"({finding.rule})") if part)
    return f"::{_LEVELS[finding.severity]} {given}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line; nobody is mentioned, nothing is linked."""
    return _MARKUP.sub(lambda found: f"&#{ord(found[0])};", " ".join(text.split()))
