"""`/queue`, `/steer`, `/interrupt`: what the user wants while the agent is at work."""

from typing import Final

from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Field, Menu, Option
from kimicode.interactive.waiting import Prompt
from kimicode.interactive.wording import counted, one_line

_GO_ON: Final = "Send them in order"


async def queue(desk: Desk, _argument: str) -> None:
    """What waits: to be sent now, changed or dropped."""
    waiting = desk.waiting
    if not waiting.prompts:
        desk.person.say("Nothing waits.")
        return
    options = [
        Option(one_line(prompt.text) or counted(len(prompt.images), "picture"), f"{at}.") for at, prompt in enumerate(waiting.prompts, 1)
    ]
    if waiting.paused:
        options.append(Option(_GO_ON, "they wait because the run was stopped", key="g"))
    chosen = await desk.person.choose(Menu("What waits for its turn", tuple(options)))
    if chosen is None:
        return
    if chosen == len(waiting.prompts):
        desk.go_on()
        return
    await _change(desk, waiting.prompts[chosen])


async def _change(desk: Desk, prompt: Prompt) -> None:
    now = Option("Send now", "into the run that goes on" if desk.busy else "and the others after it", key="s")
    what = await desk.person.choose(Menu(one_line(prompt.text), (now, Option("Edit", key="e"), Option("Drop", key="d"))))
    text: str | None = None
    if what == 1:
        text = await desk.person.word(Field("prompt", "Your words", value=prompt.text))
    # Meanwhile it may have had its turn.
    if what is None or (what == 1 and not text) or prompt not in desk.waiting.prompts:
        return
    index = desk.waiting.prompts.index(prompt)
    match what:
        case 0 if desk.busy:
            desk.pull(index)
            desk.steer(prompt.text, prompt.images)
        case 0:
            _send_first(desk, index)
        case 1:
            _put_back(desk, index, Prompt(text or "", prompt.images))
        case _:
            desk.pull(index)


def _send_first(desk: Desk, index: int) -> None:
    """All are taken out, so that this one runs at once; then the others wait for it."""
    order = (desk.pull(index), *[desk.pull(0) for _ in desk.waiting.prompts])
    for each in order:
        if each is not None:
            desk.send(each)


def _put_back(desk: Desk, index: int, prompt: Prompt) -> None:
    """In the same place: what stands after it is taken out and sent again."""
    after = [desk.pull(index) for _ in range(len(desk.waiting.prompts) - index)][1:]
    for each in (prompt, *after):
        if each is not None:
            desk.send(each)


async def steer(desk: Desk, argument: str) -> None:
    """Words for the run that goes on."""
    text = argument or await desk.person.word(Field("steer", "What the agent should mind"))
    if text:
        desk.steer(text)


async def interrupt(desk: Desk, _argument: str) -> None:
    """Stop the run."""
    if not desk.interrupt():
        desk.person.say("Nothing runs.")


COMMANDS: Final = (
    Command("queue", "What waits for its turn: send now, edit, drop", queue),
    Command("steer", "Say something to the run that goes on, after its present step", steer, "[TEXT]"),
    Command("interrupt", "Stop the run; a second time at once", interrupt, aliases=("stop",)),
)
