"""`/setup`: the questions of the first start, at any time.

What this module does not do: ask them (`wizard` does).
"""

from typing import Final

from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.switching import reopen
from kimicode.interactive.wizard import set_up


async def setup(desk: Desk, _argument: str) -> None:
    """Choose the model anew, try it, keep it."""
    settings = await set_up(desk)
    if settings is None:
        desk.person.say("Nothing was changed.")
    else:
        await reopen(desk, settings)


COMMANDS: Final = (Command("setup", "Choose and try a model: the one in the box, a key, a file, a server", setup, while_busy=False),)
