"""What the user said, and what the model thought → lines. The user's words are never read as Markdown."""

from typing import Final

from kimicode.interactive.view.blocks import Prompted, Thought
from kimicode.interactive.wording import duration
from kimicode.tui.draw.folding import folded, lines_in, unfolded
from kimicode.tui.draw.lines import Line, clipped, hung, safe, shortened, source_lines, strips, wrapped
from kimicode.tui.draw.output import more
from kimicode.tui.draw.values import Drawn, Look

_PROMPT_LINES: Final = 30
"""Of a longer prompt (something was pasted) so many lines are shown while it is folded."""

_LIVE_LINES: Final = 3
_LIVE_CHARS: Final = 4_000
_FIRST_CHARS: Final = 200


def draw_prompt(block: Prompted, look: Look, *, fold: bool) -> Drawn:
    """The words, with a bar at their left, and the pictures that went along."""
    palette = look.palette
    bar: Line = [("▌ ", palette["user"])]
    room = max(1, look.width - 2)
    part = folded(block.text, _PROMPT_LINES - 5, 5) if fold else unfolded(block.text)
    lines: list[Line] = [[("⤷ said while it worked", palette["muted"])]] if block.steered else []
    for text in (part.head, part.tail):
        if text or (text is part.head and block.text):
            lines += [row for line in source_lines(text) for row in wrapped([(line, palette["text"])], room)]
        if part.hidden and text is part.head:
            lines.append(more(part.hidden, look))
    for name in block.images if "[picture " not in block.text else ():
        lines += wrapped([(f"[image: {safe(clipped(name, _FIRST_CHARS))}]", palette["accent"])], room)
    return Drawn(strips(hung(bar, bar, lines or [[]]), look.width), foldable=lines_in(block.text) > _PROMPT_LINES + 1)


def draw_thought(block: Thought, look: Look, *, fold: bool) -> Drawn:
    """One line when it is over; its last lines while it goes on."""
    palette = look.palette
    if not block.text.strip():
        return Drawn(())
    going = block.seconds is None
    took = f" for {duration(block.seconds)}" if block.seconds and block.seconds >= 0.5 else ""
    head: Line = [("✻ ", palette["thinking"]), ("Thinking…" if going else f"Thought{took}", palette["thinking"])]
    if fold and not going:
        first = " ".join(block.text[:_FIRST_CHARS].split())
        about: Line = [("  ", palette["text"]), (safe(first), palette["faint"])] if look.thinking else []
        return Drawn(strips([shortened([*head, *about], look.width)], look.width), foldable=True)
    lines = [head]
    if not fold or look.thinking:
        text = unfolded(block.text) if not fold else None
        shown = _live(block.text, look) if text is None else _rows(text.head, look)
        lines += shown
        if text is not None and text.hidden:
            lines += [more(text.hidden, look), *_rows(text.tail, look)]
    return Drawn(strips(lines, look.width), foldable=True)


def _live(text: str, look: Look) -> list[Line]:
    return _rows(text[-_LIVE_CHARS:].strip(), look)[-_LIVE_LINES:]


def _rows(text: str, look: Look) -> list[Line]:
    style = look.palette["thinking"]
    space: Line = [("  ", look.palette["text"])]
    rows = [row for line in source_lines(text) for row in wrapped([(line, style)], max(1, look.width - 2))]
    return hung(space, space, rows)
