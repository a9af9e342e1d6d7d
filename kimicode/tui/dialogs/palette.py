"""Slash commands in Textual's command palette.

    class App(…):
        COMMANDS = {provider_of(lambda: COMMANDS, self.run_command)}

Textual reads the `help` of a hit as markup, so a command's summary goes into what is shown, as text.
What this module does not do: run a command, or ask for its arguments (whoever is called back does).
"""

from collections.abc import Callable, Sequence
from functools import partial

from rich.text import Text
from textual.command import DiscoveryHit, Hit, Hits, Provider

from kimicode.interactive.commands.values import Command
from kimicode.tui.dialogs.matching import matching
from kimicode.tui.dialogs.words import one_line


def provider_of(commands: Callable[[], Sequence[Command]], chosen: Callable[[Command], None]) -> type[Provider]:
    """A provider for `App.COMMANDS`. `commands` is asked whenever the palette is; `chosen` gets the command."""

    class Commands(Provider):
        """The commands that were given."""

        async def search(self, query: str) -> Hits:
            """Those that fit, best first."""
            known = commands()
            found = matching(query.removeprefix("/"), [(_names(command), command.summary.casefold()) for command in known])
            for rank, index in enumerate(found):
                command = known[index]
                yield Hit(1.0 - rank / (len(found) + 1), _shown(command), partial(chosen, command), text=one_line(command.name))

        async def discover(self) -> Hits:
            """All of them."""
            for command in commands():
                yield DiscoveryHit(_shown(command), partial(chosen, command), text=one_line(command.name))

    return Commands


def _names(command: Command) -> str:
    return " ".join((command.name, *command.aliases)).casefold()


def _shown(command: Command) -> Text:
    name = f"/{one_line(command.name)} {one_line(command.arguments)}".rstrip()
    return Text.assemble((name, "bold"), "  ", (one_line(command.summary), "dim not bold"))
