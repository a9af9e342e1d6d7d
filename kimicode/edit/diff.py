"""What an edit changed, in few lines: for a tool's answer where the edit was not matched exactly.

Pure and bounded. What this module does not do: make patches that something applies; long texts are cut and said to be.
"""

import difflib
from collections.abc import Iterator
from typing import Final

from kimicode.edit.lines import lf

_MAX_COMPARED: Final = 2000
"""Lines between the first and the last difference that are compared one by one; more are shown as replaced."""

_MAX_WIDTH: Final = 200


def changes(before: str, after: str, *, context: int = 1, max_lines: int = 40) -> str:
    """A unified diff without file names: `@@` lines with line numbers, then lines that start with a blank, `-` or `+`. Empty if equal.

    Newlines of different kinds are taken for the same. Past `max_lines` it ends with a line that says how many more there are.
    """
    a, b = lf(before).split("\n"), lf(after).split("\n")
    head, tail = _ends(a, b)
    if head == len(a) == len(b):
        return ""
    # Only what lies between the first and the last difference is compared, with what is shown around it.
    first = max(0, head - context)
    a, b = (lines[first : len(lines) - max(0, tail - context)] for lines in (a, b))
    blocks = _blocks(a, b, context) if max(len(a), len(b)) <= _MAX_COMPARED else [_whole(a, b, head - first, min(tail, context))]
    shown = [line for block in blocks for line in _lines(a, b, block, first)]
    lines = [line if len(line) <= _MAX_WIDTH else line[:_MAX_WIDTH] + "…" for line in shown[:max_lines]]
    if len(shown) > max_lines:
        lines.append(f"… {len(shown) - max_lines} more lines")
    return "\n".join(lines)


Block = list[tuple[str, int, int, int, int]]
"""Changes that stand near each other, as `difflib` writes them: what, and from where to where in the old and the new lines."""


def _ends(a: list[str], b: list[str]) -> tuple[int, int]:
    """How many lines both share at the start, and then at the end."""
    short = min(len(a), len(b))
    head = next((n for n in range(short) if a[n] != b[n]), short)
    return head, next((n for n in range(short - head) if a[-1 - n] != b[-1 - n]), short - head)


def _blocks(a: list[str], b: list[str], context: int) -> list[Block]:
    groups = difflib.SequenceMatcher(None, a, b, autojunk=False).get_grouped_opcodes(context)
    return [[(tag, i1, i2, j1, j2) for tag, i1, i2, j1, j2 in group] for group in groups]


def _whole(a: list[str], b: list[str], head: int, tail: int) -> Block:
    i, j = len(a) - tail, len(b) - tail
    return [("equal", 0, head, 0, head), ("replace", head, i, head, j), ("equal", i, len(a), j, len(b))]


def _lines(a: list[str], b: list[str], block: Block, first: int) -> Iterator[str]:
    _, i1, _, j1, _ = block[0]
    _, _, i2, _, j2 = block[-1]
    yield f"@@ -{first + i1 + 1},{i2 - i1} +{first + j1 + 1},{j2 - j1} @@"
    for tag, a1, a2, b1, b2 in block:
        if tag == "equal":
            yield from (f" {line}" for line in a[a1:a2])
        else:
            yield from (f"-{line}" for line in a[a1:a2])
            yield from (f"+{line}" for line in b[b1:b2])
