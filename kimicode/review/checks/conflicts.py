"""Conflict markers that a merge left behind: the whole set of them, or one that was forgotten.

Seven characters at the start of a line, as git and others write them. A row of `=` alone says nothing: it underlines titles. Documents
that show a conflict in a code block, and tests that hold one in a text, are left alone. What this module does not do: resolve.
"""

import re
from collections.abc import Iterator
from typing import Final

from kimicode.edit.syntax import parses
from kimicode.review.checks.rule import Rule
from kimicode.review.checks.subject import Subject
from kimicode.review.finding import Finding, Severity

MARKER: Final = Rule(
    id="conflict/marker",
    severity=Severity.CRITICAL,
    category="correctness",
    title="A merge conflict is not resolved",
    scenario="Both sides of a conflict stand in the file, with the markers between them: it can't be read as what it was before.",
    suggestion="Decide for one side or join them, and delete all lines of markers.",
    example="<<<<<<< HEAD … ======= … >>>>>>> feature",
)
LEFTOVER: Final = Rule(
    id="conflict/leftover",
    severity=Severity.HIGH,
    category="correctness",
    title="A conflict marker was left behind",
    scenario="One marker of a conflict is left from a merge that was resolved by hand; most languages can't read the file.",
    suggestion="Delete the line, and see whether the right side of the conflict was kept.",
    example=">>>>>>> feature",
    confidence=0.95,
)
RULES: Final = (MARKER, LEFTOVER)

_STARTS: Final = "<<<<<<<"
_BASE: Final = "|||||||"
_MIDDLE: Final = "======="
_ENDS: Final = ">>>>>>>"
_LABELLED: Final = re.compile(r"(?:<{7}|>{7}|\|{7})(?: \S.*)?$")
_FENCE: Final = re.compile(r"\s{0,3}(?:```|~~~)")
_ON_PURPOSE: Final = re.compile(r"conflict|merge", re.IGNORECASE)


def conflicts(subject: Subject) -> Iterator[Finding]:
    """The conflicts in what was added to a file."""
    if _STARTS not in subject.added_text and _ENDS not in subject.added_text:
        return
    markers = [(number, text) for number, text in subject.fresh if _LABELLED.match(text) or text == _MIDDLE]
    if not any(text != _MIDDLE for _, text in markers) or _on_purpose(subject):
        return
    fenced = _fenced(subject)
    markers = [each for each in markers if each[0] not in fenced]
    at = 0
    while at < len(markers):
        end = _whole(markers, at)
        number, text = markers[at]
        if end is not None:
            yield MARKER.at(subject.path, number, end_line=markers[end][0], quote=text)
            at = end
        elif text[:7] in (_STARTS, _ENDS) and len(text) > 8 and not subject.kind.made_up:
            yield LEFTOVER.at(subject.path, number, quote=text)
        at += 1


def _whole(markers: list[tuple[int, str]], start: int) -> int | None:
    """The index of the end marker of the conflict that starts at `start`; None where it is not one."""
    if markers[start][1][:7] != _STARTS:
        return None
    seen = False
    for at in range(start + 1, len(markers)):
        kind = markers[at][1][:7]
        if kind == _ENDS:
            return at if seen else None
        if kind == _STARTS:
            return None
        seen = seen or kind == _MIDDLE
    return None


def _on_purpose(subject: Subject) -> bool:
    """A test that is about conflicts, or holds one in a text: then its language reads the file all the same."""
    if not subject.kind.made_up:
        return False
    text = subject.new_text
    return _ON_PURPOSE.search(subject.path) is not None or (text is not None and parses(subject.path, text) is True)


def _fenced(subject: Subject) -> frozenset[int]:
    """The lines that stand in a code block of Markdown."""
    if not subject.path.lower().endswith((".md", ".mdx", ".markdown")) or subject.new_text is None:
        return frozenset()
    inside, lines = False, set[int]()
    for number, line in enumerate(subject.new_text.split("\n"), 1):
        if _FENCE.match(line):
            inside = not inside
        elif inside:
            lines.add(number)
    return frozenset(lines)
