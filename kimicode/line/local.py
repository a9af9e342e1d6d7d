"""Commands that only this mode has: what is read out and how much, and things read again in full.

    /speak               what is read out now
    /speak output 20     lines of a command's output (diff: of a file's changes; thinking, running: on or off)
    /output              all that the last command printed
    /thinking show       the last thoughts
    /transcript          the whole session

What this module does not do: print, or touch the session.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.interactive.view.blocks import Block, Called, Ran, Thought
from kimicode.line.calls import title
from kimicode.line.parts import Offered
from kimicode.line.speak import Habits, block_lines
from kimicode.line.words import Line, flat, spoken

OWN: Final = (
    Offered("speak", "What is read out, and how much of it", "[output|diff|thinking|running VALUE]"),
    Offered("output", "All that the last command printed"),
    Offered("picture", "A picture that goes with the next prompt; without a file the one on the clipboard", "[FILE]"),
    Offered("transcript", "The whole session, read out"),
)

_SPEAK: Final = "/speak takes: thinking on or off, running on or off, output and a number, diff and a number."

_SWITCHES: Final = {"on": True, "off": False}


class Reading(msgspec.Struct, frozen=True):
    """What a command of this mode does: lines to print, and habits from now on."""

    lines: tuple[Line, ...]
    habits: Habits


def perform_own(name: str, argument: str, blocks: Sequence[Block], habits: Habits) -> Reading | None:
    """The command of that name; None where it is none of this mode."""
    match name, argument:
        case "speak", _:
            return _speak(argument.split(), habits)
        case "output", _:
            return Reading(_last_output(blocks), habits)
        case "thinking", "show":
            return Reading(_last_thought(blocks), habits)
        case "transcript", _:
            whole = Habits(thinking=habits.thinking, output=habits.output, diff=habits.diff)
            return Reading(tuple(line for block in blocks for line in block_lines(block, whole)), habits)
        case _:
            return None


def _speak(words: list[str], habits: Habits) -> Reading:
    match words:
        case []:
            return Reading(_habit_lines(habits), habits)
        case ["thinking", ("on" | "off") as switch]:
            habits = msgspec.structs.replace(habits, thinking=_SWITCHES[switch])
        case ["running", ("on" | "off") as switch]:
            habits = msgspec.structs.replace(habits, progress=_SWITCHES[switch])
        case ["output", number] if number.isdecimal() and len(number) < 7:
            habits = msgspec.structs.replace(habits, output=int(number))
        case ["diff", number] if number.isdecimal() and len(number) < 7:
            habits = msgspec.structs.replace(habits, diff=int(number))
        case _:
            return Reading(
                (Line("/speak thinking on or off, running on or off, output and a number, diff and a number.", "Error:"),), habits
            )
    return Reading(_habit_lines(habits), habits)


def _habit_lines(habits: Habits) -> tuple[Line, ...]:
    return (
        Line(f"thinking: {'read out' if habits.thinking else 'only for how long'}"),
        Line(f"running: {'said now and then' if habits.progress else 'not said'}"),
        Line(f"output: the last {habits.output} lines of a command's"),
        Line(f"diff: the first {habits.diff} lines of a file's changes"),
    )


def _last_output(blocks: Sequence[Block]) -> tuple[Line, ...]:
    for block in reversed(blocks):
        if isinstance(block, Called) and block.result and block.state != "running":
            return (Line(f"{title(block.call)}:", "Output:"), *spoken("", block.result.strip("\n")))
        if isinstance(block, Ran) and not block.running:
            return (Line(f"{flat(block.command)}:", "Output:"), *spoken("", block.output.strip("\n")))
    return (Line("nothing has run yet.", "Notice:"),)


def _last_thought(blocks: Sequence[Block]) -> tuple[Line, ...]:
    for block in reversed(blocks):
        if isinstance(block, Thought) and block.text.strip():
            return spoken("Thinking:", block.text.strip("\n"))
    return (Line("there are no thoughts yet.", "Notice:"),)
