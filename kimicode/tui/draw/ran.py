"""A command that the user ran by hand → lines: what it was, and what it printed, in its own colours."""

from kimicode.interactive.view.blocks import CallState, Ran
from kimicode.interactive.wording import duration
from kimicode.tui.draw.folding import folded, lines_in, unfolded
from kimicode.tui.draw.head import Fact, first_line, headline, state_of
from kimicode.tui.draw.lines import Line, strips
from kimicode.tui.draw.output import command, has_long, output, tail_of
from kimicode.tui.draw.values import Drawn, Look


def draw_ran(block: Ran, look: Look, *, fold: bool) -> Drawn:
    """A command that the user ran: what it printed, in its own colours."""
    if block.running:
        state: CallState = "running"
    else:
        state = "stopped" if block.exit_code is None else "done" if block.exit_code == 0 else "failed"
    sign: Line = [("! ", look.palette["user"])]
    facts: list[Fact] = [] if block.exit_code in (None, 0) else [[(f"exit {block.exit_code}", "error")]]
    facts += [[(duration(block.seconds), "faint")]] if block.seconds is not None and block.seconds >= 0.5 else []
    _, word, token = state_of(state, grave=True)
    facts += [[(word, token)]] if state in ("running", "stopped") else []
    first, more = first_line(block.command)
    facts += [[(more, "faint")]] if more else []
    lines = headline(sign, "", [(first, look.palette["strong"])], facts, look)
    if not fold and more:
        lines += command(block.command, look)
    keep = look.fold_lines
    part = (
        tail_of(block.output, keep)
        if block.running
        else folded(block.output, keep // 2, keep - keep // 2)
        if fold
        else unfolded(block.output)
    )
    lines += output(part, look, "text", fold=fold)
    return Drawn(strips(lines, look.width), foldable=bool(more) or lines_in(block.output) > keep or has_long(block.output, look))
