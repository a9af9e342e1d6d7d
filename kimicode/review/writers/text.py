"""A report for people: the worst first, each finding with its place, what happens and what to do; then one line that sums up.

No colour, no drawing: it is read in hooks, logs and by screen readers. What this module does not do: wrap to a width.
"""

from collections import Counter

from kimicode.review.finding import Finding
from kimicode.review.report import Gate, Omission, Report

_SHOWN_PATHS = 5
_TOLD_ALIKE = 3


def write_text(report: Report, gate: Gate) -> str:
    """The whole report; one line where there is nothing to say. Of many that are alike and block nothing the first few are told in full."""
    blocks: list[str] = []
    told, others = Counter[tuple[str, str]](), dict[tuple[str, str], list[str]]()
    for each in report.findings:
        alike, blocking = (each.rule, each.title), gate.blocks(each)
        told[alike] += 1
        if blocking or told[alike] <= _TOLD_ALIKE:
            blocks.append(_finding(each, blocking=blocking))
        else:
            others.setdefault(alike, []).append(place(each))
    blocks += [f"{len(places):,} more like that ({rule}): {title}{named(tuple(places))}" for (rule, title), places in others.items()]
    return "".join(f"{block}\n" for block in [*blocks, *map(_omission, report.omissions), summary(report, gate)])


def summary(report: Report, gate: Gate) -> str:
    """One line: how many findings, how many of them block, what was looked at and what it cost."""
    if not report.figures.files:
        return f"kimicode review: there is nothing to review in {report.described}"
    blocking = len(report.blocking(gate))
    figures = report.figures
    parts = [
        f"{counted(len(report.findings), 'finding')} in {report.described}" if report.findings else f"nothing found in {report.described}",
        f"{blocking} {'block' if blocking != 1 else 'blocks'}" if blocking else "",
        f"{len(report.suppressed)} suppressed" if report.suppressed else "",
        f"{counted(figures.files, 'file')}, {counted(figures.added_lines, 'added line')}",
        _model(report),
        f"{figures.total_ms / 1000:.1f} s",
    ]
    return "kimicode review: " + " · ".join(part for part in parts if part)


def counted(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def place(finding: Finding) -> str:
    """`path:3` or `path:3-5`."""
    return f"{finding.path}:{finding.line}" + (f"-{finding.end_line}" if finding.end_line > finding.line else "")


def _model(report: Report) -> str:
    if not report.model:
        return "checks only"
    figures = report.figures
    cached = f", {figures.cached} from the cache" if figures.cached else ""
    return f"{report.model}: {counted(figures.calls, 'call')}{cached}"


def _finding(finding: Finding, *, blocking: bool) -> str:
    notes = [finding.rule]
    if finding.source == "model":
        notes.append(f"{finding.confidence:.0%} sure" if finding.verified else f"{finding.confidence:.0%} sure, not verified")
    if blocking:
        notes.append("blocks")
    lines = [f"{place(finding)}: {finding.severity.word}: {finding.title} ({', '.join(notes)})"]
    lines += _indented("why: ", finding.scenario) + _indented("fix: ", finding.suggestion)
    lines += [f"  > {line}" for line in finding.quote.split("\n")[:6] if line.strip()]
    return "\n".join(lines)


def _indented(head: str, text: str) -> list[str]:
    return ["  " + line for line in f"{head}{text}".split("\n") if line.strip()] if text.strip() else []


def _omission(omission: Omission) -> str:
    return f"not reviewed ({omission.why}): {omission.detail}{named(omission.paths)}"


def named(paths: tuple[str, ...]) -> str:
    """` [a, b, and 3 more]`, or nothing."""
    if not paths:
        return ""
    more = f", and {len(paths) - _SHOWN_PATHS} more" if len(paths) > _SHOWN_PATHS else ""
    return f" [{', '.join(paths[:_SHOWN_PATHS])}{more}]"
