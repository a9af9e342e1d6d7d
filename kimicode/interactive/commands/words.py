"""`/plan`, `/find`, `/editor`, `/init`: the plan, what was said, and longer words to say.

What this module does not do: draw, or know an editor's keys.
"""

from collections.abc import Iterator
from typing import Final

import prompts
from kimicode.errors import UsageError
from kimicode.interactive.abilities import LendsTerminal
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Page, Rows, Words
from kimicode.interactive.prompt.external import edit_outside, run_in_terminal
from kimicode.interactive.view.blocks import Answered, Block, Called, Prompted, Ran, Thought, Told
from kimicode.interactive.wording import counted, one_line

_MOST_FOUND: Final = 200
_AROUND: Final = 50
_MARKS: Final = {"done": "[x]", "in_progress": "[>]", "pending": "[ ]"}


async def plan(desk: Desk, _argument: str) -> None:
    """What the model means to do."""
    items = desk.status.plan
    if not items:
        desk.person.say("The model has made no plan.")
        return
    await desk.person.show(Page("Plan", (Rows(tuple((_MARKS.get(item.status, "[ ]"), item.text) for item in items)),)))


async def find(desk: Desk, argument: str) -> None:
    """Where in this session a text stands."""
    if not argument:
        raise UsageError("/find wants a text", hint="For example: /find TypeError")
    found = [row for block in desk.transcript.blocks for row in _matches(block, argument)]
    if not found:
        desk.person.say(f"{argument!r} stands nowhere in this session.")
        return
    more = "" if len(found) <= _MOST_FOUND else f" The last {_MOST_FOUND} are shown."
    await desk.person.show(Page(f"Find: {argument}", (Words(f"{counted(len(found), 'place')}.{more}"), Rows(tuple(found[-_MOST_FOUND:])))))


def _matches(block: Block, text: str) -> Iterator[tuple[str, str]]:
    wanted = text.casefold()
    for who, said in _said(block):
        for line in said.split("\n"):
            at = line.casefold().find(wanted)
            if at >= 0:
                start = max(0, at - _AROUND)
                yield who, ("…" if start else "") + one_line(line[start:], 2 * _AROUND + len(text))


def _said(block: Block) -> Iterator[tuple[str, str]]:
    match block:
        case Prompted(text=text):
            yield "you", text
        case Answered(text=text):
            yield "answer", text
        case Thought(text=text):
            yield "thought", text
        case Called(call=call, result=result):
            yield call.name, call.arguments
            yield call.name, result
        case Ran(command=command, output=output):
            yield "your shell", f"{command}\n{output}"
        case Told(text=text):
            yield "notice", text
        case _:
            return


async def editor(desk: Desk, argument: str) -> None:
    """Write the prompt in the editor that the environment names."""
    if not isinstance(desk.person, LendsTerminal):
        raise UsageError("the terminal can't be lent to an editor here", hint="Write the prompt right here.")
    text = await desk.person.lend(lambda: edit_outside(argument, desk.environ, run_in_terminal))
    if text is not None and text.strip():
        desk.enter(text.strip())
    else:
        desk.person.say("Nothing was written, so nothing was sent.")


async def init(desk: Desk, argument: str) -> None:
    """Ask the model for an AGENTS.md."""
    there = (desk.workspace / "AGENTS.md").exists()
    if there and not await desk.person.confirm("There is an AGENTS.md already. Let the model bring it up to date?"):
        return
    words = prompts.load("init").text
    desk.enter(f"{words}\n\n{argument}".strip())


COMMANDS: Final = (
    Command("plan", "The model's plan", plan, aliases=("todo",)),
    Command("find", "Where a text stands in this session", find, "TEXT"),
    Command("editor", "Write the prompt in your editor ($VISUAL, $EDITOR)", editor, "[TEXT]"),
    Command("init", "Ask the model to write AGENTS.md, notes for agents about this project", init, "[MORE]"),
)
