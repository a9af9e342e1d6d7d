"""From a model's own words to findings: each is held against the code that was shown, and what has no place there is dropped.

A finding counts if it quotes code of a file that was shown, and points at or near a changed line. What this module does not do: ask
whether it is true (`refute` does).
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, cast, get_args

from kimicode.review.answer import Said
from kimicode.review.change import Hunk
from kimicode.review.checks.rule import shortened
from kimicode.review.finding import Category, Finding, Severity
from kimicode.review.view import MASKED, Row, View
from kimicode.text import well_formed

NEAR: Final = 3
"""So many lines a finding may lie off a changed line: models count badly."""

_MOST_TITLE: Final = 100
_MOST_WORDS: Final = 2_000
_LEAST_QUOTE: Final = 3
_GUTTER: Final = re.compile(r"^[ \t]*\d*[ \t]*[+-]?[ \t]", re.MULTILINE)
_SPACE: Final = re.compile(r"\s+")
_CATEGORIES: Final = frozenset(get_args(Category))
_SEVERITIES: Final = {each.word: each for each in Severity}


def settle(said: Sequence[Said], views: Sequence[View]) -> tuple[tuple[Finding, ...], int]:
    """The findings that hold, unverified, and how many were dropped."""
    settled = [finding for each in said if (finding := _settled(each, views)) is not None]
    unique = {(each.path, each.line, each.title): each for each in settled}
    return tuple(unique.values()), len(said) - len(unique)


def changed_lines(hunk: Hunk) -> tuple[int, ...]:
    """The numbers of the lines of the new file that `hunk` changed; of what was only deleted, the line that now stands there."""
    numbers: set[int] = set()
    number, last = hunk.new_start, hunk.new_start + max(0, hunk.new_count - 1)
    for line in hunk.lines:
        if line[:1] != " ":
            numbers.add(max(1, min(number, last)))
        number += line[:1] != "-"
    return tuple(sorted(numbers))


def squeezed(text: str) -> str:
    """`text` without white space: quotes are compared so."""
    return _SPACE.sub("", text)


def stands_in(quote: str, view: View) -> bool:
    """True where `quote` stands in the code as shown, before or after the change, white space and a copied gutter aside."""
    return any(_place(form, view, new) is not None for form in _forms(quote) for new in (True, False))


def _forms(quote: str) -> Iterator[str]:
    for form in (quote, _GUTTER.sub("", quote)):
        bare = squeezed(form)
        if len(bare) >= _LEAST_QUOTE and squeezed(MASKED) not in bare:
            yield bare


class _Found(NamedTuple):
    rows: tuple[Row, ...]


def _place(bare: str, view: View, new: bool) -> list[_Found] | None:
    """Where the squeezed text stands on one side: the rows of each occurrence; None where it does not."""
    rows = [row for row in view.side(new) if row.mark != "…"]
    texts = [squeezed(row.text) for row in rows]
    whole = "".join(texts)
    starts: list[int] = []
    at = whole.find(bare)
    while at >= 0 and len(starts) < 50:
        starts.append(at)
        at = whole.find(bare, at + 1)
    if not starts:
        return None
    ends = _ends(texts)
    return [_Found(tuple(_between(rows, ends, start, start + len(bare)))) for start in starts]


def _ends(texts: Iterable[str]) -> list[int]:
    total, ends = 0, []
    for text in texts:
        total += len(text)
        ends.append(total)
    return ends


def _between(rows: Sequence[Row], ends: Sequence[int], start: int, end: int) -> Iterator[Row]:
    before = 0
    for row, after in zip(rows, ends, strict=True):
        if before < end and after > start:
            yield row
        before = after


def _settled(said: Said, views: Sequence[View]) -> Finding | None:
    severity = _SEVERITIES.get(said.severity.strip().lower())
    if severity is None or not math.isfinite(said.line) or not said.title.strip() or not said.scenario.strip():
        return None
    line = round(said.line)
    end = round(said.end_line) if math.isfinite(said.end_line) else line
    for view in _views(said.path, line, views):
        quoted = next(((form, found) for form in _forms(said.quote) for new in (True, False) if (found := _place(form, view, new))), None)
        if quoted is not None:
            claimed = _claimed(line, max(line, end), quoted[1])
            place = _on_changes(view.piece.hunks, *claimed)
            if place is not None:
                return _finding(said, view, severity, place, exact=place == (line, max(line, end)))
    return None


def _views(path: str, line: int, views: Sequence[View]) -> list[View]:
    """The views of the file that is meant, the one nearest to the line first: a large file has several."""
    bare = path.strip().strip("`'\"")
    meant = [view for view in views if view.name == bare] or [view for view in views if bare and view.name.endswith(f"/{bare}")]
    if not meant and len({view.name for view in views}) == 1:
        meant = [*views]
    return sorted(meant, key=lambda view: min((abs(line - row.number) for row in view.rows if row.number), default=0))


def _claimed(line: int, end: int, found: Sequence[_Found]) -> tuple[int, int]:
    """The claimed lines, or those of the quote where it stands elsewhere: a copied line is surer than a counted one."""
    spans = [(min(numbers), max(numbers)) for each in found if (numbers := [row.number for row in each.rows if row.number])]
    if not spans or any(first <= end and line <= last for first, last in spans):
        return line, end
    return min(spans, key=lambda span: min(abs(span[0] - line), abs(span[1] - line)))


def _on_changes(hunks: Sequence[Hunk], line: int, end: int) -> tuple[int, int] | None:
    """The changed lines of one hunk within the range, or else the nearest one; None where none is near."""
    changed = [changed_lines(hunk) for hunk in hunks]
    for numbers in changed:
        if inside := [number for number in numbers if line <= number <= end]:
            return inside[0], inside[-1]
    nearest = min(
        (number for numbers in changed for number in numbers), key=lambda number: min(abs(number - line), abs(number - end)), default=None
    )
    if nearest is None or min(abs(nearest - line), abs(nearest - end)) > NEAR:
        return None
    return nearest, nearest


def _finding(said: Said, view: View, severity: Severity, place: tuple[int, int], *, exact: bool) -> Finding:
    category = cast("Category", said.category if said.category in _CATEGORIES else "correctness")
    return Finding(
        rule=f"model/{category}",
        path=view.piece.file.path,
        line=place[0],
        end_line=place[1],
        severity=severity,
        confidence=min(1.0, max(0.0, said.confidence)) if math.isfinite(said.confidence) else 0.0,
        category=category,
        title=shortened(" ".join(well_formed(said.title).split()), _MOST_TITLE),
        scenario=_words(said.scenario),
        suggestion=_words(said.suggestion),
        # Where the lines are not those that the model meant, its text does not fit them.
        replacement=well_formed(said.replacement) if said.replacement.strip() and exact else None,
        quote=_words(said.quote),
        source="model",
        verified=False,
    )


def _words(text: str) -> str:
    return shortened(well_formed(text).strip(), _MOST_WORDS)
