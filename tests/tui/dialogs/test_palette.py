import asyncio

from textual.command import CommandPalette

from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.tui.dialogs.palette import provider_of
from tests.tui.dialogs.app import sitting
from tests.tui.dialogs.test_hostile import checked


def test_the_palette_shows_commands_as_text_and_runs_the_chosen_one():
    async def nothing(desk: Desk, arguments: str) -> None:
        raise NotImplementedError

    commands = [Command("model", "[@click=app.boom]choose[/] \x1b[2J", nothing, "[NAME]"), Command("review", "look at changes", nothing)]
    chosen: list[Command] = []

    async def go() -> None:
        async with sitting() as sit:
            sit.app.push_screen(CommandPalette([provider_of(lambda: commands, chosen.append)]))
            await sit.until(lambda: isinstance(sit.app.screen, CommandPalette))
            await sit.until_text("/review")
            assert "/model [NAME]" in checked(sit)
            assert "[@click=app.boom]choose[/]" in sit.text()
            await sit.pilot.press(*"/mod")
            await sit.until(lambda: "/review" not in sit.text() and "/model" in sit.text())
            await sit.pilot.press("enter")
            await sit.until(lambda: len(sit.app.screen_stack) == 1)
            await sit.until(lambda: chosen == [commands[0]])

    asyncio.run(go())
