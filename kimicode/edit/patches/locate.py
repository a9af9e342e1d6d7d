"""Where the hunks of one file belong: exactly one place for each, or a refusal that says what was found instead.

A hunk's lines are looked for below its anchors, or in the whole file. Several places are narrowed by the hunks' order: hunks are in
the order of the file, so if that leaves a single way to place all of them, it is meant; otherwise nothing is. A hunk whose lines
are unique may also be out of order. What this module does not do: take the first of several places, ever.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.edit.ladder import LISTED, Rung
from kimicode.edit.nearest import describe_nearest
from kimicode.edit.patches.anchors import scopes
from kimicode.edit.patches.find import NONE, Matches, Source, find
from kimicode.edit.patches.values import Hunk
from kimicode.errors import ToolError

_REMEMBERED: Final = 8
"""Shorter new texts are found in many files by chance; they don't hint that the patch was applied before."""


class Placed(msgspec.Struct, frozen=True):
    """A hunk, perhaps without blank lines at its end that the file does not have, and the number of the line where it starts."""

    hunk: Hunk
    start: int
    rung: Rung | None = None

    @property
    def relied_on(self) -> range:
        """The lines of the file that must be as they are for the hunk to mean this place."""
        size = len(self.hunk.old)
        return range(self.start, self.start + size) if size else range(max(0, self.start - 1), self.start)

    @property
    def removed(self) -> list[int]:
        """The lines that go."""
        return [self.start + number for number, line in enumerate(self.hunk.old) if line.sign == "-"]


class _Found(msgspec.Struct, frozen=True):
    """All places of a hunk; never none."""

    hunk: Hunk
    matches: Matches

    def at(self, start: int) -> Placed:
        return Placed(self.hunk, start, self.matches.rung)


def locate(source: Source, hunks: Sequence[Hunk]) -> tuple[Placed, ...]:
    """The hunks' places, in the order of the file. Raises `ToolError`."""
    found = [_found(source, hunk) for hunk in hunks]
    starts = [each.matches.starts[0] for each in found]
    if any(len(each.matches.starts) > 1 for each in found):
        starts = _by_order(found)
    chosen = sorted((each.at(start) for each, start in zip(found, starts, strict=True)), key=lambda placed: placed.start)
    _refuse_overlaps(chosen)
    return tuple(chosen)


def _found(source: Source, hunk: Hunk) -> _Found:
    if not hunk.old:
        return _Found(hunk, Matches(_insertions(source.lines, hunk)))
    for tried in _variants(hunk):
        for wide in (False, True) if hunk.anchors else (True,):
            within = scopes(source.lines, hunk.anchors, wide=wide)
            if not within:
                raise _no_anchor(source.lines, hunk)
            matches = _fitting(source, tried, within)
            if matches.starts:
                return _Found(tried, _stated(matches, hunk))
    raise _not_found(source, hunk)


def _fitting(source: Source, hunk: Hunk, within: Sequence[range]) -> Matches:
    wanted = [line.text for line in hunk.old]
    if hunk.at_end:
        first = _full(source.lines) - len(wanted)
        within = [range(max(scope.start, first), scope.stop) for scope in within if scope.stop == len(source.lines)]
    return find(source, wanted, within) if within else NONE


def _full(lines: Sequence[str]) -> int:
    """How many lines there are without blank ones at the end."""
    return next((number + 1 for number in reversed(range(len(lines))) if lines[number].strip()), 0)


def _variants(hunk: Hunk) -> list[Hunk]:
    """The hunk, and where it ends with blank lines that stay, the hunk without them at the end of the file, after its last newline."""
    lines = list(hunk.lines)
    while lines and lines[-1].sign == " " and not lines[-1].text.strip():
        lines.pop()
    if len(lines) == len(hunk.lines) or all(line.sign == "+" for line in lines):
        return [hunk]
    return [hunk, msgspec.structs.replace(hunk, lines=tuple(lines), at_end=True)]


def _insertions(lines: Sequence[str], hunk: Hunk) -> list[int]:
    if not lines or (hunk.at_end and not hunk.anchors):
        return [len(lines)]
    if not hunk.anchors:
        advice = "Add lines that stay, or '*** End of File' below them to append."
        raise _error(hunk, f"the new lines have no place: there is no line around them, and no '@@ line' above. {advice}")
    within = scopes(lines, hunk.anchors)
    if not within:
        raise _no_anchor(lines, hunk)
    return [len(lines)] if hunk.at_end else [scope.start + 1 for scope in within]


def _stated(matches: Matches, hunk: Hunk) -> Matches:
    """Among places that fit exactly, the one at the very line that a unified diff states."""
    if hunk.start is None or matches.rung is not None or hunk.start - 1 not in matches.starts:
        return matches
    return Matches([hunk.start - 1])


def _by_order(found: Sequence[_Found]) -> list[int]:
    """The one way to place all hunks in the order of the file: the earliest way and the latest way must be the same."""
    earliest: list[int] = []
    for number, each in enumerate(found):
        starts = each.matches.starts
        if each.matches.rung is not None and len(starts) > LISTED:
            raise _ambiguous(each.hunk, starts)
        least = earliest[-1] + _gap(found[number - 1].hunk, each.hunk) if earliest else 0
        index = bisect_left(starts, least)
        if index == len(starts):
            several = next(each for each in found if len(each.matches.starts) > 1)
            raise _ambiguous(several.hunk, several.matches.starts)
        earliest.append(starts[index])
    latest = earliest[-1:]
    for number in reversed(range(len(found))):
        starts = found[number].matches.starts
        most = latest[0] - _gap(found[number].hunk, found[number + 1].hunk) if number + 1 < len(found) else starts[-1]
        latest.insert(0, starts[bisect_right(starts, most) - 1])
    for each, first, last in zip(found, earliest, latest, strict=False):
        if first != last:
            raise _ambiguous(each.hunk, [start for start in each.matches.starts if first <= start <= last])
    return earliest


def _gap(above: Hunk, below: Hunk) -> int:
    """How many lines below the start of `above` the hunk `below` may start: they may share lines that stay in both."""
    changed = [number for number, line in enumerate(above.old, 1) if line.sign == "-"]
    stays = next((number for number, line in enumerate(below.lines) if line.sign != " "), 0)
    return max(changed[-1] if changed else 0, len(above.old) - stays)


def _refuse_overlaps(chosen: Sequence[Placed]) -> None:
    removed = {line: placed for placed in chosen for line in placed.removed}
    for placed in chosen:
        for line in placed.relied_on:
            other = removed.get(line, placed)
            if other is not placed:
                also = f"it and the hunk at patch line {other.hunk.at} overlap at line {line + 1} of the file."
                raise _error(placed.hunk, f"{also} Make them one hunk.")


def _ambiguous(hunk: Hunk, starts: Sequence[int]) -> ToolError:
    if not hunk.old:
        above = _numbers([start - 1 for start in starts])
        return _error(hunk, f"'@@ {hunk.anchors[-1]}' is at several places: lines {above}. Add an '@@' line above it to say which.")
    where = "its lines start" if len(hunk.old) > 1 else "its line is"
    return _error(hunk, f"{where} at several places: lines {_numbers(starts)}. Add lines that stay, or an '@@' line, to say which.")


def _numbers(starts: Sequence[int]) -> str:
    more = f" and {len(starts) - LISTED} more" if len(starts) > LISTED else ""
    return ", ".join(str(start + 1) for start in starts[:LISTED]) + more


def _no_anchor(lines: Sequence[str], hunk: Hunk) -> ToolError:
    for number, anchor in enumerate(hunk.anchors):
        if not scopes(lines, hunk.anchors[: number + 1]):
            below = f" below '@@ {hunk.anchors[number - 1]}'" if number else ""
            return _error(hunk, f"no line{below} is '{anchor}'. {describe_nearest(_joined(lines), anchor)}")
    raise AssertionError("an anchor is missing")


def _not_found(source: Source, hunk: Hunk) -> ToolError:
    wanted = [line.text for line in hunk.old]
    everything = [range(len(source.lines))]
    if starts := find(source, wanted, everything).starts:
        place = "at the end of the file" if hunk.at_end else f"below '@@ {hunk.anchors[-1]}'"
        return _error(hunk, f"its lines are at line {_numbers(starts)}, but not {place}.")
    new = [line.text for line in hunk.lines if line.sign != "-"]
    if len("".join(new).strip()) >= _REMEMBERED and (starts := find(source, new, everything).starts):
        at = starts[0] + 1
        return _error(hunk, f"its lines are not there, but what it would make of them is, at line {at}: was it applied before?")
    return _error(hunk, f"its lines are not in the file. {describe_nearest(_joined(source.lines), _joined(wanted))}")


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(lines)


def _error(hunk: Hunk, message: str) -> ToolError:
    return ToolError(f"the hunk at patch line {hunk.at}: {message}")
