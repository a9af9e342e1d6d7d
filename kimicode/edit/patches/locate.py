"""Where the hunks of one file belong: exactly one place for each, or a refusal that says what was found instead.

A hunk's lines are looked for below its anchors, or in the whole file. Several places are narrowed by the hunks' order: hunks are in
the order of the file, so if that leaves a single way to place all of them, it is meant; otherwise nothing is. A hunk whose lines
are unique may also be out of order. What this module does not do: take the first of several places, ever.
"""

from collections.abc import Sequence

import msgspec

from kimicode.edit.nearest import describe_nearest
from kimicode.edit.patches.anchors import scopes
from kimicode.edit.patches.find import Match, find
from kimicode.edit.patches.values import Hunk
from kimicode.errors import ToolError

_LISTED = 20
_REMEMBERED = 8
"""Shorter new texts are found in many files by chance; they don't hint that the patch was applied before."""


class Placed(msgspec.Struct, frozen=True):
    """A hunk, perhaps without blank lines at its ends that the file does not have, and its place."""

    hunk: Hunk
    match: Match

    @property
    def relied_on(self) -> range:
        """The lines of the file that must be as they are for the hunk to mean this place."""
        first = self.match.start
        return range(first, first + len(self.hunk.old)) if self.hunk.old else range(max(0, first - 1), first)

    @property
    def removed(self) -> list[int]:
        """The lines that go."""
        return [self.match.start + number for number, line in enumerate(self.hunk.old) if line.sign == "-"]


def locate(lines: Sequence[str], hunks: Sequence[Hunk]) -> tuple[Placed, ...]:
    """The hunks' places in the file's `lines`, in the order of the file. Raises `ToolError`."""
    found = [_candidates(lines, hunk) for hunk in hunks]
    chosen = [places[0] for places in found]
    if any(len(places) > 1 for places in found):
        chosen = _by_order(found)
    chosen.sort(key=lambda placed: placed.match.start)
    _refuse_overlaps(chosen)
    return tuple(chosen)


def _candidates(lines: Sequence[str], hunk: Hunk) -> list[Placed]:
    if not hunk.old:
        return [Placed(hunk, Match(start)) for start in _insertions(lines, hunk)]
    for tried in _variants(hunk):
        for wide in (False, True) if hunk.anchors else (True,):
            within = scopes(lines, hunk.anchors, wide=wide)
            if not within:
                raise _no_anchor(lines, hunk)
            if places := _fitting(lines, tried, within):
                return _stated(places, hunk)
    raise _not_found(lines, hunk)


def _fitting(lines: Sequence[str], hunk: Hunk, within: Sequence[range]) -> list[Placed]:
    if not hunk.old:
        # Only blank lines were named, and the file has none there: the anchor says the place, if there is one.
        return [Placed(hunk, Match(start)) for start in _insertions(lines, hunk)]
    wanted = [line.text for line in hunk.old]
    first = _full(lines) - len(wanted) if hunk.at_end else 0
    tried = [range(max(scope.start, first), scope.stop) for scope in within]
    matches = {match.start: match for scope in tried for match in find(lines, wanted, scope)}
    best = min((match.rank for match in matches.values()), default=0)
    return [Placed(hunk, match) for _, match in sorted(matches.items()) if match.rank == best]


def _full(lines: Sequence[str]) -> int:
    """How many lines there are without blank ones at the end."""
    return next((number + 1 for number in reversed(range(len(lines))) if lines[number].strip()), 0)


def _variants(hunk: Hunk) -> list[Hunk]:
    """The hunk, and where it has blank lines at its ends that stay, the hunk without them: they are often there only to be read."""
    lines = list(hunk.lines)
    while lines and lines[-1].sign == " " and not lines[-1].text.strip():
        lines.pop()
    while lines and lines[0].sign == " " and not lines[0].text.strip():
        lines.pop(0)
    return [hunk] if len(lines) == len(hunk.lines) else [hunk, msgspec.structs.replace(hunk, lines=tuple(lines))]


def _insertions(lines: Sequence[str], hunk: Hunk) -> list[int]:
    if not lines or (hunk.at_end and not hunk.anchors):
        return [len(lines)]
    if not hunk.anchors:
        raise _error(
            hunk,
            "the new lines have no place: there is no line around them, and no '@@ line' above. Add lines that stay, or '*** End of File' below to append.",
        )
    within = scopes(lines, hunk.anchors)
    if not within:
        raise _no_anchor(lines, hunk)
    return [len(lines)] if hunk.at_end else [scope.start + 1 for scope in within]


def _stated(places: list[Placed], hunk: Hunk) -> list[Placed]:
    """Among equal places, the one at the very line that a unified diff states."""
    at = [placed for placed in places if hunk.start is not None and placed.match.start == hunk.start - 1 and not placed.match.rank]
    return at if len(places) > 1 and at else places


def _by_order(found: Sequence[list[Placed]]) -> list[Placed]:
    """The one way to place all hunks in the order of the file: the earliest way and the latest way must be the same."""
    earliest: list[Placed] = []
    for places in found:
        fitting = [place for place in places if not earliest or place.match.start >= earliest[-1].match.start + _gap(earliest[-1], place)]
        if not fitting:
            raise _ambiguous(next(places for places in found if len(places) > 1))
        earliest.append(fitting[0])
    latest: list[Placed] = []
    for places in reversed(found):
        fitting = [place for place in places if not latest or place.match.start + _gap(place, latest[-1]) <= latest[-1].match.start]
        latest.append(fitting[-1])
    for places, first, last in zip(found, earliest, reversed(latest), strict=True):
        if first != last:
            raise _ambiguous([place for place in places if first.match.start <= place.match.start <= last.match.start])
    return earliest


def _gap(above: Placed, below: Placed) -> int:
    """How many lines below the start of `above` the hunk `below` may start: they may share lines that stay in both."""
    changed = [number for number, line in enumerate(above.hunk.old, 1) if line.sign == "-"]
    stays = next((number for number, line in enumerate(below.hunk.lines) if line.sign != " "), 0)
    return max(changed[-1] if changed else 0, len(above.hunk.old) - stays)


def _refuse_overlaps(chosen: Sequence[Placed]) -> None:
    removed = {line: placed for placed in chosen for line in placed.removed}
    for placed in chosen:
        for line in placed.relied_on:
            other = removed.get(line, placed)
            if other is not placed:
                also = f"it and the hunk at patch line {other.hunk.at} overlap at line {line + 1} of the file."
                raise _error(placed.hunk, f"{also} Make them one hunk.")


def _ambiguous(places: Sequence[Placed]) -> ToolError:
    hunk = places[0].hunk
    more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
    if not hunk.old:
        above = ", ".join(str(placed.match.start) for placed in places[:_LISTED]) + more
        return _error(hunk, f"'@@ {hunk.anchors[-1]}' is at {len(places)} places: lines {above}. Add an '@@' line above it to say which.")
    numbers = ", ".join(str(placed.match.start + 1) for placed in places[:_LISTED]) + more
    where = "its lines start" if len(hunk.old) > 1 else "its line is"
    return _error(hunk, f"{where} at {len(places)} places: lines {numbers}. Add lines that stay, or an '@@' line, to say which.")


def _no_anchor(lines: Sequence[str], hunk: Hunk) -> ToolError:
    for number, anchor in enumerate(hunk.anchors):
        if not scopes(lines, hunk.anchors[: number + 1]):
            below = f" below '@@ {hunk.anchors[number - 1]}'" if number else ""
            return _error(hunk, f"no line{below} is '{anchor}'. {describe_nearest(_joined(lines), anchor)}")
    raise AssertionError("an anchor is missing")


def _not_found(lines: Sequence[str], hunk: Hunk) -> ToolError:
    wanted = [line.text for line in hunk.old]
    everywhere = find(lines, wanted, range(len(lines)))
    if everywhere:
        numbers = ", ".join(str(match.start + 1) for match in everywhere[:_LISTED])
        place = "at the end of the file" if hunk.at_end else f"below '@@ {hunk.anchors[-1]}'"
        return _error(hunk, f"its lines are at line {numbers}, but not {place}.")
    new = [line.text for line in hunk.lines if line.sign != "-"]
    if len("".join(new).strip()) >= _REMEMBERED and (done := find(lines, new, range(len(lines)))):
        return _error(
            hunk, f"its lines are not there, but what it would make of them is, at line {done[0].start + 1}: was it applied before?"
        )
    return _error(hunk, f"its lines are not in the file. {describe_nearest(_joined(lines), _joined(wanted))}")


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _error(hunk: Hunk, message: str) -> ToolError:
    return ToolError(f"the hunk at patch line {hunk.at}: {message}")
