"""What a command or a tool printed → lines with a margin, folded or not."""

from typing import Final

from rich.cells import cell_len

from kimicode.tui.draw.folding import Folded, unfolded
from kimicode.tui.draw.lines import Line, clipped, hung, safe, shortened, wrapped
from kimicode.tui.draw.sgr import colored, final
from kimicode.tui.draw.values import Look, Palette

MARGIN: Final = "    "
_LOOKED_AT: Final = 20_000


def margin(width: int) -> str:
    """The space before a call's output; none where there is no room."""
    return MARGIN if width >= 30 else " " if width >= 12 else ""


def output(part: Folded, look: Look, token: str = "muted", *, fold: bool) -> list[Line]:
    """The lines. `fold`: each takes one line on the screen, and is cut where it would take more."""
    palette = look.palette
    if not part.head and not part.hidden:
        return []
    lines = _texts(part.head, look, token, fold) if part.head else []
    if part.hidden:
        lines.append(more(part.hidden, look))
        lines += _texts(part.tail, look, token, fold) if part.tail else []
    space: Line = [(margin(look.width), palette["text"])]
    return hung(space, space, lines)


def more(hidden: int, look: Look) -> Line:
    """`… 120 more lines`."""
    return [(f"… {hidden:,} more line{'s' if hidden != 1 else ''}", look.palette["faint"])]


def command(text: str, look: Look) -> list[Line]:
    """The whole text of a command, with a bar at its left."""
    bar: Line = [("  │ ", look.palette["border"])] if look.width >= 30 else []
    part = unfolded(text.strip("\n"))
    source = [*part.head.split("\n"), *([f"… {part.hidden:,} more lines", *part.tail.split("\n")] if part.hidden else [])]
    room = max(1, look.width - (4 if bar else 0))
    rows = [row for line in source for row in wrapped([(safe(clipped(line)), look.palette["code_block"])], room, words=False)]
    return hung(bar, bar, rows)


def tail_of(text: str, lines: int) -> Folded:
    """The last lines of what a running command has printed."""
    body = text.rstrip("\n")
    at = len(body)
    for _ in range(lines):
        at = body.rfind("\n", 0, at)
        if at < 0:
            return Folded(body)
    return Folded(body[at + 1 :])


def has_long(text: str, look: Look) -> bool:
    """True where a line takes more than one on the screen; a text that would take long to look through counts as one that has such."""
    room = max(1, look.width - len(margin(look.width)))
    return len(text) > _LOOKED_AT or any(cell_len(safe(final(line))) > room for line in text.split("\n"))


def has_colors(palette: Palette) -> bool:
    """False where nothing may have a colour."""
    return palette["error"].color is not None


def _texts(text: str, look: Look, token: str, fold: bool) -> list[Line]:
    room = max(1, look.width - len(margin(look.width)))
    lines = colored(text, look.palette[token], colors=has_colors(look.palette))
    return [shortened(line, room) for line in lines] if fold else [part for line in lines for part in wrapped(line, room, words=False)]
