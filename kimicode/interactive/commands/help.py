"""`/help` and `/keys`: what can be said, and what keys do."""

from collections.abc import Callable, Sequence
from typing import Final

from kimicode.interactive.abilities import ExplainsKeys
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Page, Prose, Rows, Words

_KEYS: Final = """\
| key | what it does |
|---|---|
| Enter | send what is written; while the agent works it waits for its turn |
| Ctrl+C | stop the agent; a second time at once |
| Ctrl+D | leave, on an empty line |
| Tab | complete a command, an argument, a file |
| `/` | a command: `/help` lists them |
| `!` | a command of your own shell |
| `@` | name a file of this folder |
"""

Find = Callable[[str], Command | None]


def make(everything: Callable[[], Sequence[Command]], find: Find) -> tuple[Command, ...]:
    """The commands of this module. `everything` and `find` know all commands, these included."""

    async def show_help(desk: Desk, argument: str) -> None:
        if argument == "keys":
            await show_keys(desk, "")
        elif argument:
            await _one(desk, argument, find)
        else:
            rows = tuple((usage(command), command.summary) for command in everything())
            words = Words("What you write goes to the agent. `!command` runs in your own shell, `@` names a file.")
            await desk.person.show(Page("Commands", (words, Rows(rows))))

    async def show_keys(desk: Desk, _argument: str) -> None:
        known = isinstance(desk.person, ExplainsKeys)
        await desk.person.show(desk.person.keys() if isinstance(desk.person, ExplainsKeys) and known else Page("Keys", (Prose(_KEYS),)))

    return (
        Command(
            "help", "Commands, or one of them; `/help keys` for keys", show_help, "[COMMAND]", ("?",),
            complete=lambda _desk: ("keys", *(command.name for command in everything())),
        ),
        Command("keys", "What keys do", show_keys),
    )  # fmt: skip


def usage(command: Command) -> str:
    """How it is written: `/resume [ID]`."""
    return f"/{command.name} {command.arguments}".rstrip()


async def _one(desk: Desk, name: str, find: Find) -> None:
    command = find(name)
    if command is None:
        desk.person.say(f"There is no command /{name.lstrip('/')}. /help lists them.", "error")
        return
    rows = [("Write", usage(command))]
    if command.aliases:
        rows.append(("Or", ", ".join(alias if alias.startswith(":") else f"/{alias}" for alias in command.aliases)))
    if not command.while_busy:
        rows.append(("When", "while the agent does not work"))
    await desk.person.show(Page(f"/{command.name}", (Words(f"{command.summary}."), Rows(tuple(rows)))))
