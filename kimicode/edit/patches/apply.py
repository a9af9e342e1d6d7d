"""A file's text with hunks applied: only lines that a hunk removes go, only lines it adds come, everything else keeps its bytes.

New lines end as the lines they replace do, or the line above; where a hunk was found on a rung of the ladder they are spelled and
indented as the file is (`splice`). Whether the file ends with a newline stays as it was, unless a hunk says otherwise.
What this module does not do: look for places (`locate`).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import msgspec

from kimicode.edit.lines import split
from kimicode.edit.omission import omitted
from kimicode.edit.patches.find import Source
from kimicode.edit.patches.locate import Placed, locate
from kimicode.edit.patches.values import Hunk
from kimicode.edit.splice import spliced
from kimicode.errors import ToolError


class Applied(msgspec.Struct, frozen=True):
    """The new text, the numbers of lines that came and went, and for hunks not found exactly what was overlooked."""

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
    for hunk in hunks:
        _refuse_omission(hunk)
    source = Source(text)
    placed = locate(source, hunks)
    for place in placed:
        _refuse_doubling(source.lines, place)
    usual = Counter(end for end in source.ends if end).most_common(1)
    default = usual[0][0] if usual else "\n"
    gone = {number for place in placed for number in place.removed}
    new = _merged(source, gone, _insertions(source, placed, default), default)
    newline = next((hunk.newline for hunk in hunks if hunk.newline is not None), not source.ends or bool(source.ends[-1]))
    if new:
        new[-1] = _Ended(new[-1].text, (new[-1].newline or default) if newline else "")
    added = sum(line.sign == "+" for hunk in hunks for line in hunk.lines)
    notes = tuple(f"line {place.start + 1}: {place.rung.name}" for place in placed if place.rung is not None)
    return Applied("".join(line.text + line.newline for line in new), added, len(gone), notes)


def _refuse_omission(hunk: Hunk) -> None:
    old, new = ("\n".join(line.text for line in hunk.lines if line.sign in signs) for signs in (" -", "+"))
    if (line := omitted(old, new)) is not None:
        raise ToolError(f"the hunk at patch line {hunk.at}: {line!r} stands for lines that were left out. Send all that it is to add.")


def _refuse_doubling(lines: Sequence[str], place: Placed) -> None:
    """Two halves without signs don't tell whether a new line that stands right beside the place is meant to be there twice."""
    hunk = place.hunk
    old, new = ([line.text for line in hunk.lines if line.sign in signs] for signs in (" -", " +"))
    if hunk.signed or len(new) < 2:
        return
    end = place.start + len(old)
    above, below = (lines[number] if 0 <= number < len(lines) else "" for number in (place.start - 1, end))
    if (above.strip() and new[0] == above != old[0]) or (below.strip() and new[-1] == below != old[-1]):
        raise ToolError(
            f"the block at patch line {hunk.at}: a line beside the lines to find is also among the new ones, so it would be there twice. "
            "Put it into both halves; or if twice is meant, send more of the lines around."
        )


def _insertions(source: Source, placed: Sequence[Placed], default: str) -> dict[int, list[_Ended]]:
    """New lines by the number of the old line that they come before."""
    inserted: defaultdict[int, list[_Ended]] = defaultdict(list)
    for place in placed:
        number, new = place.start, _new_lines(source, place)
        replaced: list[str] = []
        for line in place.hunk.lines:
            if line.sign == "+":
                newline = replaced.pop(0) if replaced else _neighbour(source.ends, number)
                inserted[number].append(_Ended(next(new), newline or default))
                continue
            replaced = [*replaced, source.ends[number]] if line.sign == "-" else []
            number += 1
    return inserted


def _new_lines(source: Source, place: Placed) -> Iterator[str]:
    """The lines that come, written as the file is."""
    after = [line for line in place.hunk.lines if line.sign != "-"]
    texts = [line.text for line in after]
    if place.rung is not None and any(line.sign == "+" for line in after):
        old = [line.text for line in place.hunk.old]
        try:
            text = spliced(source.page, source.place(place.start, len(old)), "\n".join(old), "\n".join(texts), place.rung)
        except ToolError as error:
            how = "its lines are there with another indentation, and how to indent the new ones is not certain."
            raise ToolError(f"the hunk at patch line {place.hunk.at}: {how} Send the file's own indentation.") from error
        texts = split(text)[0]
    return (text for line, text in zip(after, texts, strict=True) if line.sign == "+")


def _neighbour(ends: Sequence[str], number: int) -> str:
    above = ends[number - 1] if number else ""
    return above or (ends[number] if number < len(ends) else "")


def _merged(source: Source, gone: set[int], inserted: dict[int, list[_Ended]], default: str) -> list[_Ended]:
    new: list[_Ended] = []
    for number, (line, end) in enumerate(zip(source.lines, source.ends, strict=True)):
        new.extend(inserted.get(number, ()))
        if number not in gone:
            new.append(_Ended(line, end))
    new.extend(inserted.get(len(source.lines), ()))
    return [line if line.newline else _Ended(line.text, default) for line in new[:-1]] + new[-1:]
