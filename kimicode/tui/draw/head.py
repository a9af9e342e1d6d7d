"""The one line that a call or a command has: sign, verb, what it is about, how long, how it went.

What it is about is shortened first; where even then there is no room, the line goes on below. What this module does not do: know tools.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, assert_never

from rich.cells import cell_len

from kimicode.interactive.view.blocks import CallState
from kimicode.tui.draw.folding import lines_in
from kimicode.tui.draw.lines import Line, clipped, length, safe, shortened, wrapped
from kimicode.tui.draw.values import Look

Fact: TypeAlias = Sequence[tuple[str, str]]
"""A few words with their tokens."""

_LEAST_TARGET: Final = 12


def headline(sign: Line, verb: str, target: Line, facts: Sequence[Fact], look: Look) -> list[Line]:
    """The line. `facts` stand behind the target."""
    palette = look.palette
    tail: Line = []
    for at, fact in enumerate(facts):
        tail.append(("  " if at == 0 else " · ", palette["faint"]))
        tail += [(text, palette[token]) for text, token in fact]
    start: Line = [*sign, (verb, palette["tool"])] if verb else [*sign]
    gap: Line = [(" ", palette["text"])] if target and verb else []
    room = look.width - length(start) - len(gap) - length(tail)
    if length(target) <= room:
        return [[*start, *gap, *target, *tail]]
    if room >= _LEAST_TARGET:
        return [[*start, *gap, *shortened(target, room), *tail]]
    indent = sum(cell_len(text) for text, _ in sign)
    short = shortened(target, max(1, look.width - length(start) - len(gap)))
    rows = wrapped([*start[len(sign) :], *gap, *short], max(1, look.width - indent))
    rows += wrapped(tail[1:], max(1, look.width - indent)) if tail else []
    return [[*(sign if at == 0 else [(" " * indent, palette["text"])]), *row] for at, row in enumerate(rows)]


def state_of(state: CallState, *, grave: bool) -> tuple[str, str, str]:
    """The sign, the word and the token of a state. What failed is quiet until it turns out to matter."""
    match state:
        case "running":
            return "▸", "running", "accent"
        case "done":
            return "✓", "", "ok"
        case "failed":
            return "✗", "failed", "error" if grave else "muted"
        case "refused":
            return "⊘", "refused", "warning" if grave else "muted"
        case "stopped":
            return "■", "stopped", "warning"
        case _:
            assert_never(state)


def first_line(text: str) -> tuple[str, str]:
    """The first line that says something, and a word about the others."""
    bare = text.strip("\n")
    first, _, rest = bare.partition("\n")
    more = lines_in(rest)
    return safe(clipped(first, 1_000)).strip(), f"and {more:,} more line{'s' if more != 1 else ''}" if more else ""
