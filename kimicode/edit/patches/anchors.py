"""Where the lines after `@@` are in a file, and how far what they open reaches.

An anchor is a whole line of the file, or its beginning up to the end of a word; blanks around it do not count. What it opens ends
before the next line that is indented no deeper, closing brackets aside: that is how a function or a class looks in most languages,
and where it does not, the hunk is looked for in all that follows. What this module does not do: choose between several places.
"""

from collections.abc import Callable, Sequence
from typing import Final

_CONTINUES: Final = ")]}{"
"""First characters of lines that, though not indented, still belong to what was opened."""

_Same = Callable[[str, str], bool]


def scopes(lines: Sequence[str], anchors: Sequence[str], *, wide: bool = False) -> list[range]:
    """For each place of the last anchor below all the others, the lines it opens, its own included; if `wide`, all that follow.

    Without anchors that is the whole file.
    """
    found = [range(len(lines))]
    for anchor in anchors:
        starts = _starts(lines, anchor, found)
        found = [range(start, len(lines) if wide else _end(lines, start)) for start in starts]
    return found


def _starts(lines: Sequence[str], anchor: str, within: Sequence[range]) -> list[int]:
    numbers = within[0] if len(within) == 1 else sorted({number for scope in within for number in scope})
    for same in _SAMES:
        if starts := [number for number in numbers if same(lines[number], anchor)]:
            return starts
    return []


def _begins(line: str, anchor: str) -> bool:
    line, anchor = line.strip(), anchor.strip()
    return line.startswith(anchor) and not (_in_word(anchor[-1:]) and _in_word(line[len(anchor) : len(anchor) + 1]))


def _in_word(char: str) -> bool:
    return char.isalnum() or char == "_"


_SAMES: Final[tuple[_Same, ...]] = (
    lambda line, anchor: line == anchor,
    lambda line, anchor: line.strip() == anchor.strip(),
    _begins,
)


def _end(lines: Sequence[str], start: int) -> int:
    depth = _depth(lines[start])
    for number in range(start + 1, len(lines)):
        line = lines[number].strip()
        if line and line[0] not in _CONTINUES and _depth(lines[number]) <= depth:
            return number
    return len(lines)


def _depth(line: str) -> int:
    wide = line.expandtabs(8)
    return len(wide) - len(wide.lstrip())
