"""What a slash command is: its name, what a person reads about it, and a function. All of them are in `kimicode.interactive.commands`."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from kimicode.interactive.desk import Desk


class Command(msgspec.Struct, frozen=True):
    """One command. `arguments` is a hint such as `[ID]`; `while_busy` is false for what would disturb a run; `complete` offers
    arguments."""

    name: str
    summary: str
    run: Callable[[Desk, str], Awaitable[None]]
    arguments: str = ""
    aliases: tuple[str, ...] = ()
    while_busy: bool = True
    complete: Callable[[Desk], Sequence[str]] | None = None
