"""What a block of the transcript sounds like, as lines of plain text. Pure.

    You: …          Assistant: …     Thinking: Thought for 4 seconds.
    Tool: …         Output: …        Changed: a.py, 3 lines added, 1 removed
    Notice: …       Error: …         Done in 12 seconds, 3 steps, 4,512 tokens.

Markdown is left as it is written: it reads well. What this module does not do: remember what was said already (`telling` does).
"""

from typing import Final, assert_never

import msgspec

from kimicode.events import RunFinished, SessionStarted
from kimicode.interactive.view.blocks import Answered, Block, Called, Ended, Opened, Prompted, Ran, Thought, Told, WentBack
from kimicode.line.calls import is_quick, plan_lines, size, title
from kimicode.line.diffs import diff_lines, summary
from kimicode.line.words import Line, blank, count, duration, flat, safe, spoken

_NOTICE: Final = {"info": "Notice:", "warning": "Warning:", "error": "Error:"}
_ENDING_LINES: Final = 24
_ERROR_LINES: Final = 12


class Habits(msgspec.Struct, frozen=True):
    """What somebody wants to hear. `thoughts`: that the model thought; `thinking`: what, as a whole. `progress`: that a command is still
    running, at growing intervals.
    `output` is how many lines of a command's output are read out, `diff` how many of a file's changes."""

    thoughts: bool = True
    thinking: bool = False
    progress: bool = False
    output: int = 8
    diff: int = 40


def block_lines(block: Block, habits: Habits) -> tuple[Line, ...]:
    """All there is to say of a block that grows no more."""
    match block:
        case Opened(event=event):
            return (Line(session_words(event), "Notice:"),)
        case Prompted():
            return prompt_lines(block)
        case Thought():
            return thought_lines(block, block.seconds or 0.0, habits)
        case Answered(text=text):
            return spoken("Assistant:", text.strip("\n")) if not blank(text) else ()
        case Called():
            said = () if is_quick(block.call) else call_begins(block)
            return (*said, *call_ends(block, habits), *changed_lines(block, habits))
        case Told(text=text, level=level):
            return notice_lines(text, level)
        case Ran():
            printed = spoken("Output:", block.output.strip("\n")) if block.output.strip() else ()
            return (Line(flat(block.command), "You ran:"), *printed, *ran_ends(block, printed=bool(printed)))
        case WentBack():
            return (Line(back_words(block), "Notice:"),)
        case Ended(event=event):
            return ending_lines(event)
        case _:
            assert_never(block)


def session_words(event: SessionStarted) -> str:
    """Which session it is, in a sentence."""
    word = "resumed" if event.resumed else "started"
    held = f"permission {flat(event.permission)}, sandbox {flat(event.sandbox) or 'none'}"
    return f"Session {flat(event.session_id)} {word}: {flat(event.model)} at {flat(event.endpoint)}, {held}."


def prompt_lines(block: Prompted) -> tuple[Line, ...]:
    """What the user said, or what the model was told in the middle of a run, by whomever."""
    lines = spoken("Said to the run:" if block.steered else "You:", block.text)
    return (*lines, Line(f"with the pictures {flat(', '.join(block.images))}")) if block.images else lines


def thought_lines(block: Thought, seconds: float, habits: Habits) -> tuple[Line, ...]:
    """That the model thought, for so long; and what, where that is wanted."""
    if blank(block.text) or not (habits.thoughts or habits.thinking):
        return ()
    if habits.thinking:
        return (*spoken("Thinking:", block.text.strip("\n")), Line(f"Thought for {duration(seconds)}."))
    return (Line(f"Thought for {duration(seconds)}.", "Thinking:"),)


def notice_lines(text: str, level: str) -> tuple[Line, ...]:
    """A notice, a warning or an error."""
    return spoken(_NOTICE.get(level, "Notice:"), text.strip("\n"))


def call_begins(block: Called) -> tuple[Line, ...]:
    """That a call runs."""
    return (Line(title(block.call), "Tool:"),)


def call_ends(block: Called, habits: Habits) -> tuple[Line, ...]:
    """What came of a call."""
    quick = is_quick(block.call)
    named = title(block.call)
    match block.state:
        case "running":
            return ()
        case "stopped":
            return (Line(f"{named}, stopped", "Tool:"),)
        case "refused" | "failed":
            role, said = ("Error:", "Error: ") if block.state == "failed" else ("Refused:", "Refused: ")
            why = spoken(role, block.result.strip("\n").removeprefix(said))
            shown = why if len(why) <= _ERROR_LINES else (*why[:_ERROR_LINES], Line(f"… {count(len(why) - _ERROR_LINES, 'more line')}"))
            return (Line(f"{named}, {block.state}", "Tool:"), *shown)
        case "done" if quick:
            counted = size(block.call, block.result)
            return (Line(f"{named}, {counted}" if counted else named, "Tool:"), *(Line(item) for item in plan_lines(block.call)))
        case "done":
            return output_lines(block.result, habits.output)
        case _:
            assert_never(block.state)


def output_lines(text: str, most: int) -> tuple[Line, ...]:
    """What a command printed: all of it where that is short, else its end."""
    lines = [line.rstrip() for line in safe(text).expandtabs(4).strip("\n").split("\n")]
    if lines == [""]:
        return (Line("nothing", "Output:"),)
    if len(lines) == 1:
        return (Line(lines[0], "Output:"),)
    if len(lines) <= most + 1:
        return (Line(count(len(lines), "line"), "Output:"), *map(Line, lines))
    told = f"{count(len(lines), 'line')}, the last {most}; /output reads all" if most else f"{count(len(lines), 'line')}; /output reads all"
    return (Line(told, "Output:"), *map(Line, lines[len(lines) - most :] if most else ()))


def changed_lines(block: Called, habits: Habits) -> tuple[Line, ...]:
    """What a call did to files, once their texts are known. What a person has just allowed they have read already."""
    most = 0 if block.decided else habits.diff
    lines: list[Line] = []
    for file in block.diffs or ():
        lines.append(Line(summary(file), "Changed:"))
        lines += map(Line, diff_lines(file, most) if most else ())
    return tuple(lines)


def ran_ends(block: Ran, *, printed: bool) -> tuple[Line, ...]:
    """How a command ended that the user ran; its output is said before, where there was any."""
    if block.running:
        return ()
    how = "stopped" if block.exit_code is None else f"exit code {block.exit_code}"
    took = "" if block.seconds is None else f" after {duration(block.seconds)}"
    nothing = () if printed else (Line("nothing", "Output:"),)
    return (*nothing, Line(f"{how}{took}.", "Command ended:"))


def back_words(block: WentBack) -> str:
    """Where the session was taken back to."""
    what = "conversation" if block.conversation else ""
    files = count(block.files, "file") if block.files else ""
    return f"Back to before turn {block.to_turn}: {' and '.join(part for part in (what, files) if part) or 'nothing'} brought back."


def ending_lines(event: RunFinished) -> tuple[Line, ...]:
    """How a run ended."""
    cost = "" if event.cost_usd is None else f", {event.cost_usd:.4f} dollars"
    counts = f"{duration(event.seconds)}, {count(event.steps, 'step')}, {count(event.usage.total, 'token')}{cost}."
    match event.status:
        case "done":
            return (Line(f"in {counts}", "Done"),)
        case "interrupted":
            return (Line(f"after {counts}", "Interrupted"),)
        case _:
            error = spoken("Error:", event.error.strip("\n") or event.status)
            return (*error[:_ENDING_LINES], Line(f"after {counts}", "Failed"))
