"""One block of a transcript → lines: `draw_block` knows which kind is drawn by whom."""

from typing import assert_never

from kimicode.interactive.view.blocks import Answered, Block, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.tui.draw.answer import draw_answer
from kimicode.tui.draw.called import draw_call
from kimicode.tui.draw.notes import draw_end, draw_going_back, draw_notice, draw_opening
from kimicode.tui.draw.ran import draw_ran
from kimicode.tui.draw.said import draw_prompt, draw_thought
from kimicode.tui.draw.values import Drawn, Look


def draw_block(block: Block, look: Look, *, folded: bool = True, before: Drawn | None = None) -> Drawn:
    """The block as lines of at most `look.width` cells, harmless whatever is in it.

    `before` is what this gave for the same block when it had less text, at the same look: what is sealed in it is not drawn again.
    """
    match block:
        case Opened():
            return draw_opening(block, look)
        case Prompted():
            return draw_prompt(block, look, fold=folded)
        case Thought():
            return draw_thought(block, look, fold=folded)
        case Answered(text=text, done=done):
            return draw_answer(text, done, look, before)
        case Called():
            return draw_call(block, look, fold=folded)
        case Told():
            return draw_notice(block, look)
        case Ran():
            return draw_ran(block, look, fold=folded)
        case WentBack():
            return draw_going_back(block, look)
        case Ended():
            return draw_end(block, look)
        case _:
            assert_never(block)


def plain(drawn: Drawn) -> str:
    """The lines as text, without styles: for tests, searching and copying."""
    return "\n".join(strip.text.rstrip() for strip in drawn.lines)
