"""What is said beside the conversation → lines: where a session begins and ends, notices, going back."""

from typing import Final, assert_never

from kimicode.events import RunFinished, RunStatus
from kimicode.interactive.view.blocks import Ended, Opened, Told, WentBack
from kimicode.interactive.wording import count, duration, money
from kimicode.tui.draw.folding import unfolded
from kimicode.tui.draw.lines import Line, clipped, hung, safe, source_lines, strips, wrapped
from kimicode.tui.draw.values import Drawn, Look

_MOST_CHARS: Final = 4_000


def draw_opening(block: Opened, look: Look) -> Drawn:
    """Who answers and where; below it the folder, what may be done there, and what holds commands."""
    event, palette = block.event, look.palette
    where = "in the box" if event.endpoint == "embedded" else f"at {safe(clipped(event.endpoint, 300))}" if event.endpoint else ""
    beside = ", ".join(filter(None, (where, "resumed" if event.resumed else "")))
    first = [(safe(clipped(event.model, 300)), palette["heading"]), (f"  {beside}" if beside else "", palette["muted"])]
    held = f"sandbox {event.sandbox}" if event.sandbox else ""
    parts = (event.workspace, f"permission {event.permission}" if event.permission else "", held)
    words = "  ·  ".join(safe(clipped(part, 300)) for part in parts if part)
    rows = [*wrapped(first, max(1, look.width - 2)), *wrapped([(words, palette["muted"])], max(1, look.width - 2))]
    return Drawn(strips(hung([("◆ ", palette["accent"])], [("  ", palette["text"])], rows), look.width))


def draw_notice(block: Told, look: Look) -> Drawn:
    """The words, with a sign for how much they matter."""
    palette = look.palette
    sign, token, style = {"info": ("· ", "faint", "muted"), "warning": ("! ", "warning", "warning"), "error": ("✗ ", "error", "error")}[
        block.level
    ]
    rows = [row for line in source_lines(unfolded(block.text).head) for row in wrapped([(line, palette[style])], max(1, look.width - 2))]
    return Drawn(strips(hung([(sign, palette[token])], [("  ", palette["text"])], rows), look.width))


def draw_going_back(block: WentBack, look: Look) -> Drawn:
    """What is again as it was."""
    what = ["the conversation"] if block.conversation else []
    what += [f"{block.files} file{'s' if block.files != 1 else ''}"] if block.files else []
    words = f"Back to before prompt {block.to_turn}: {' and '.join(what) or 'nothing changed'}"
    return _marked("↶ ", "accent", [(words, look.palette["muted"])], look)


def draw_end(block: Ended, look: Look) -> Drawn:
    """One faint line where all went well; else what happened and what can be done."""
    event, palette = block.event, look.palette
    facts = "  ·  ".join(_facts(event))
    if event.status == "done":
        return _marked("─ ", "faint", [(facts, palette["faint"])], look)
    word, token, advice = _ending(event.status)
    pieces: Line = [(word, palette[token])]
    if event.error:
        pieces.append((f": {safe(clipped(event.error, _MOST_CHARS))}", palette["text"]))
    lines = [pieces, [(advice, palette["muted"])], [(facts, palette["faint"])]]
    sign: Line = [("■ " if event.status == "interrupted" else "✗ ", palette[token])]
    rows = [row for line in lines for row in wrapped(line, max(1, look.width - 2))]
    return Drawn(strips(hung(sign, [("  ", palette["text"])], rows), look.width))


def _facts(event: RunFinished) -> list[str]:
    facts = [duration(event.seconds), f"{event.steps} step{'s' if event.steps != 1 else ''}"]
    facts += [f"{count(event.usage.total)} tokens"] if event.usage.total else []
    return facts + [money(event.cost_usd)] * bool(event.cost_usd)


def _ending(status: RunStatus) -> tuple[str, str, str]:
    """The word, its token, and what somebody can do now."""
    match status:
        case "done":
            return "Done", "ok", ""
        case "failed":
            return "Failed", "error", "Say what to do differently, or go back to before this prompt."
        case "contract":
            return "The answer has not the form that was asked for", "error", "Ask again, or ask for less."
        case "unavailable":
            return "The model cannot be reached", "error", "Look whether its server runs, or choose another model; then say: go on."
        case "temporary":
            return "The model does not answer now", "warning", "Wait a little, then say: go on."
        case "refused":
            return "Not allowed", "warning", "Allow what it needs, or say how to do without."
        case "budget":
            return "A limit was reached", "warning", "Say: go on, or raise the limit."
        case "interrupted":
            return "Stopped", "warning", "Say how to go on."
        case _:
            assert_never(status)


def _marked(sign: str, token: str, pieces: Line, look: Look) -> Drawn:
    rows = wrapped(pieces, max(1, look.width - len(sign)))
    return Drawn(strips(hung([(sign, look.palette[token])], [(" " * len(sign), look.palette["text"])], rows), look.width))
