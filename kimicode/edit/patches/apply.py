"""A file's text with hunks applied: only lines that a hunk removes go, only lines it adds come, everything else keeps its bytes.

New lines end as the lines they replace do, or the line above; whether the file ends with a newline stays as it was, unless a hunk
says otherwise. What this module does not do: look for places (`locate`).
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import msgspec

from kimicode.edit.patches.locate import Placed, locate
from kimicode.edit.patches.values import Hunk

_LINE = re.compile(r"([^\n]*?)(\r?\n|\Z)")


class Applied(msgspec.Struct, frozen=True):
    """The new text, the lines that came and went, and for hunks not found exactly what was overlooked."""

    text: str
    added: int
    removed: int
    notes: tuple[str, ...]


class _Ended(msgspec.Struct, frozen=True):
    """A line and its newline, which only a last line may lack."""

    text: str
    newline: str


def apply_hunks(text: str, hunks: Sequence[Hunk]) -> Applied:
    """`text` changed by `hunks`, all of them found in it as it is now. Raises `ToolError`."""
    lines = _split(text)
    placed = locate([line.text for line in lines], hunks)
    usual = Counter(line.newline for line in lines if line.newline).most_common(1)
    default = usual[0][0] if usual else "\n"
    gone = {number for place in placed for number in place.removed}
    new = _spliced(lines, gone, _insertions(lines, placed, default), default)
    newline = next((hunk.newline for hunk in hunks if hunk.newline is not None), not lines or bool(lines[-1].newline))
    if new:
        new[-1] = _Ended(new[-1].text, (new[-1].newline or default) if newline else "")
    added = sum(line.sign == "+" for hunk in hunks for line in hunk.lines)
    notes = tuple(f"line {place.match.start + 1}: {place.match.how}" for place in placed if place.match.how)
    return Applied("".join(line.text + line.newline for line in new), added, len(gone), notes)


def _split(text: str) -> list[_Ended]:
    return [_Ended(*found.groups()) for found in _LINE.finditer(text) if found[0]]


def _insertions(lines: Sequence[_Ended], placed: Sequence[Placed], default: str) -> dict[int, list[_Ended]]:
    """New lines by the number of the old line that they come before."""
    inserted: defaultdict[int, list[_Ended]] = defaultdict(list)
    for place in placed:
        number = place.match.start
        replaced: list[str] = []
        for line in place.hunk.lines:
            if line.sign == "+":
                newline = replaced.pop(0) if replaced else _neighbour(lines, number)
                inserted[number].append(_Ended(place.match.adapted(line.text), newline or default))
                continue
            replaced = [*replaced, lines[number].newline] if line.sign == "-" else []
            number += 1
    return inserted


def _neighbour(lines: Sequence[_Ended], number: int) -> str:
    above = lines[number - 1].newline if number else ""
    return above or (lines[number].newline if number < len(lines) else "")


def _spliced(lines: Sequence[_Ended], gone: set[int], inserted: dict[int, list[_Ended]], default: str) -> list[_Ended]:
    new: list[_Ended] = []
    for number in range(len(lines) + 1):
        new.extend(inserted.get(number, ()))
        if number < len(lines) and number not in gone:
            new.append(lines[number])
    return [line if line.newline else _Ended(line.text, default) for line in new[:-1]] + new[-1:]
