"""Every slash command there is, in the order in which help lists them; both user interfaces read this and nothing else.

    COMMANDS            all of them
    find("model")       by name or alias, or None
    await perform(desk, "/model kimi-nano")     run one as it was typed; what is wrong is said to the person

What this package does not do: draw anything. A command talks to the person through `Desk.person`.
"""

import difflib
from typing import Final

from kimicode.errors import KimicodeError
from kimicode.interactive.commands import (
    changes,
    commit,
    context,
    export,
    help,
    models,
    permissions,
    project,
    queue,
    rewind,
    sessions,
    settings,
    setup,
    words,
)
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk

_ALIKE: Final = 0.6


def find(name: str) -> Command | None:
    """The command of this name or alias, with the slash or without."""
    wanted = name.removeprefix("/").lower()
    return next((command for command in COMMANDS if wanted == command.name or wanted in command.aliases), None)


async def perform(desk: Desk, line: str) -> None:
    """Run a command as it was typed. Raises nothing: what is wrong is said to the person."""
    name, _, argument = line.strip().partition(" ")
    command = find(name)
    if command is None:
        desk.person.say(_unknown(name), "error")
        return
    if desk.busy and not command.while_busy:
        desk.person.say(f"/{command.name} has to wait until the agent is done; /interrupt stops it.", "warning")
        return
    try:
        await command.run(desk, argument.strip())
    except KimicodeError as error:
        desk.person.say(str(error), "error")
    except OSError as error:
        desk.person.say(f"/{command.name}: {error.filename or 'input or output'}: {error.strerror or error}", "error")
    except Exception as error:  # noqa: BLE001
        what = f"unexpected {type(error).__name__}: {error}"
        desk.person.say(f"/{command.name}: {what}. This is a fault in kimicode; please report it.", "error")


def _unknown(name: str) -> str:
    names = {alias: command.name for command in COMMANDS for alias in (command.name, *command.aliases)}
    wanted = name.removeprefix("/").lower()
    alike = [names[found] for found in difflib.get_close_matches(wanted, names, 3, _ALIKE)]
    begins = [command.name for command in COMMANDS if wanted and command.name.startswith(wanted)]
    near = ", ".join(f"/{found}" for found in dict.fromkeys((*begins, *alike)))
    return f"There is no command /{wanted}. {f'Did you mean {near}? ' if near else ''}/help lists them all."


COMMANDS: Final[tuple[Command, ...]] = (
    *help.make(lambda: COMMANDS, find),
    *sessions.COMMANDS,
    *rewind.COMMANDS,
    *queue.COMMANDS,
    *models.COMMANDS,
    *permissions.COMMANDS,
    *settings.COMMANDS,
    *setup.COMMANDS,
    *context.COMMANDS,
    *words.COMMANDS,
    *changes.COMMANDS,
    *project.COMMANDS,
    *commit.COMMANDS,
    *export.COMMANDS,
    sessions.QUIT,
)
