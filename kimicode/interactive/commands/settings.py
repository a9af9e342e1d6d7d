"""`/settings` and `/theme`: what the user chose, in the settings file.

Looks change at once; what the agent goes by changes when the session is opened anew, which happens here unless a run goes on. What this
module does not do: know single settings (`settings_form` reads the schema).
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from kimicode.errors import UsageError
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Menu, Option
from kimicode.interactive.settings_form import changes_in, form_of, with_changes
from kimicode.interactive.switching import reopen
from kimicode.interactive.wording import counted
from kimicode.settings import UiSettings, settings_path
from kimicode.settings_file import Key, Value, set_values

THEMES: Final = {
    "auto": "dark or light, as the terminal is",
    "dark": "light on dark",
    "light": "dark on light",
    "high-contrast": "white on black, strong colours",
    "dark-blue-orange": "dark; added is blue and removed orange, for the colour-blind",
    "light-blue-orange": "light; added is blue and removed orange, for the colour-blind",
    "ansi-dark": "the terminal's own 16 colours, on dark",
    "ansi-light": "the terminal's own 16 colours, on light",
    "no-color": "no colours at all",
}
_ELSEWHERE: Final = frozenset({"review", "git", "ui"})
"""Tables that a session at work does not go by."""


async def settings(desk: Desk, _argument: str) -> None:
    """All of them, as a form."""
    path = settings_path(desk.environ)
    form = msgspec.structs.replace(form_of(desk.settings), words=f"They are written to {path}.")
    answers = await desk.person.fill(form)
    if answers is None:
        return
    changes = changes_in(desk.settings, answers)
    if not changes:
        desk.person.say("Nothing was changed.")
        return
    wanted = with_changes(desk.settings, changes)
    await asyncio.to_thread(set_values, path, changes)
    desk.person.say(f"{counted(len(changes), 'setting')} changed, in {path}.")
    if wanted.ui != desk.settings.ui:
        desk.restyle(wanted.ui)
    await _apply(desk, changes)


async def _apply(desk: Desk, changes: Mapping[Key, Value]) -> None:
    wanted = with_changes(desk.settings, changes)
    if all(key[0] in _ELSEWHERE for key in changes):
        desk.settings = wanted
    elif desk.busy:
        desk.settings = wanted
        desk.person.say("What the agent goes by counts when a session is opened again: /new, or /resume.", "warning")
    else:
        await reopen(desk, wanted)


async def theme(desk: Desk, argument: str) -> None:
    """Other colours."""
    if argument and argument not in THEMES:
        raise UsageError(f"there is no theme {argument!r}", hint=f"Choose one of: {', '.join(THEMES)}.")
    wanted = argument
    if not wanted:
        options = tuple(Option(name, words, current=name == desk.settings.ui.theme) for name, words in THEMES.items())
        chosen = await desk.person.choose(Menu("Theme", options))
        if chosen is None:
            return
        wanted = tuple(THEMES)[chosen]
    ui: UiSettings = msgspec.structs.replace(desk.settings.ui, theme=wanted)
    desk.restyle(ui)
    await asyncio.to_thread(set_values, settings_path(desk.environ), {("ui", "theme"): wanted})


COMMANDS: Final = (
    Command("settings", "All settings, in a form", settings, aliases=("config",)),
    Command("theme", "Choose the colours", theme, "[NAME]", complete=lambda _desk: tuple(THEMES)),
)
