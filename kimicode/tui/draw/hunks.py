"""Two texts → what differs, in bounded time: hunks of lines, and spans inside two lines that resemble each other.

Lines that both texts begin or end with are set aside first; what is left goes to difflib while that is small, and is taken as replaced
whole where it is not. What this module does not do: draw.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final

import msgspec

NO_END: Final = "\0\0"
"""After the last line of a file that ends without a line feed, so that it differs from one that has it."""

_MOST_LINES: Final = 4_000
"""Lines on both sides together that are compared one with another."""

_MOST_PRODUCT: Final = 4_000_000
_WORD: Final = re.compile(r"\w+|\s+|[^\w\s]")
_MOST_CHARS: Final = 500
"""Beyond this, what differs inside a line is not looked for."""

_ALIKE: Final = 0.4
_HEADING: Final = re.compile(
    r"\s*(?:(?:pub|async|export|public|private|protected|static|default|abstract|final)\s+)*"
    r"(?:def|class|func|fn|function|impl|struct|enum|trait|interface|module|namespace)\b.*"
)


class Row(msgspec.Struct, frozen=True):
    """One line: its index (from 0) in the old and in the new text; None where it is not in that one."""

    old: int | None
    new: int | None

    @property
    def number(self) -> int:
        """Its number, from 1, in the text that has it."""
        return (self.new if self.new is not None else self.old or 0) + 1


class Hunk(msgspec.Struct, frozen=True):
    """Changed lines with their neighbours; never empty. `heading` is the definition that they stand in, or empty."""

    rows: tuple[Row, ...]
    heading: str = ""


def lines_of(text: str | None) -> list[str]:
    """The lines of a file, without their line feeds. One that is missing at the end is told by `NO_END`."""
    if not text:
        return []
    lines = text.split("\n")
    if lines[-1]:
        lines[-1] += NO_END
    else:
        lines.pop()
    return lines


@functools.lru_cache(maxsize=8)
def compare(before: str | None, after: str | None, context: int) -> tuple[Hunk, ...]:
    """The hunks between two texts; None is no file. The last few answers are kept: what is drawn is counted, too, and drawn again."""
    if before == after:
        return ()
    old, new = lines_of(before), lines_of(after)
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    middle = _middle(old[head : len(old) - tail], new[head : len(new) - tail])
    changes = [(i + head, j + head, k + head, m + head) for i, j, k, m in middle]
    return tuple(_hunks(changes, old, context))


def differing(old: str, new: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]] | None:
    """Which parts of each line are not in the other, by words; None where the lines have too little in common for that to help."""
    if len(old) > _MOST_CHARS or len(new) > _MOST_CHARS:
        return None
    one, other = _WORD.findall(old), _WORD.findall(new)
    matcher = SequenceMatcher(None, one, other, autojunk=False)
    same = sum(len(word.strip()) for block in matcher.get_matching_blocks() for word in one[block.a : block.a + block.size])
    if same < _ALIKE * max(len(old.strip()), len(new.strip()), 1):
        return None
    left: list[tuple[int, int]] = []
    right: list[tuple[int, int]] = []
    starts, ends = _offsets(one), _offsets(other)
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind != "equal":
            left += [(starts[i], starts[j])] if j > i else []
            right += [(ends[k], ends[m])] if m > k else []
    return left, right


def _offsets(words: Sequence[str]) -> list[int]:
    out = [0]
    for word in words:
        out.append(out[-1] + len(word))
    return out


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _middle(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int, int, int]]:
    """What differs, as (from, to) in the old and in the new text."""
    if not old and not new:
        return []
    if not old or not new or len(old) + len(new) > _MOST_LINES or len(old) * len(new) > _MOST_PRODUCT:
        return [(0, len(old), 0, len(new))]
    matcher = SequenceMatcher(None, old, new)
    return [(i, j, k, m) for kind, i, j, k, m in matcher.get_opcodes() if kind != "equal"]


def _hunks(changes: Sequence[tuple[int, int, int, int]], old: Sequence[str], context: int) -> Iterator[Hunk]:
    groups: list[list[tuple[int, int, int, int]]] = []
    for change in changes:
        if groups and change[0] - groups[-1][-1][1] <= 2 * context:
            groups[-1].append(change)
        else:
            groups.append([change])
    for group in groups:
        yield Hunk(tuple(_rows(group, len(old), context)), _heading(old, group[0][0]))


def _rows(group: Sequence[tuple[int, int, int, int]], size: int, context: int) -> Iterator[Row]:
    first, last = group[0], group[-1]
    shift = first[2] - first[0]
    at = max(0, first[0] - context)
    for i, j, k, m in group:
        yield from (Row(line, line + shift) for line in range(at, i))
        yield from (Row(line, None) for line in range(i, j))
        yield from (Row(None, line) for line in range(k, m))
        at, shift = j, m - j
    yield from (Row(line, line + shift) for line in range(at, min(size, last[1] + context)))


def _heading(old: Sequence[str], at: int) -> str:
    """The last definition above, as far as that is near."""
    return next(
        (old[line].strip()[:200] for line in range(min(at, len(old)) - 1, max(-1, at - 200), -1) if _HEADING.fullmatch(old[line])), ""
    )
