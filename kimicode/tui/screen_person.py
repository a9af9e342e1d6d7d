"""The person at the full screen, with what the terminal can do besides dialogs: lend itself, carry sequences, explain its keys.

What this module does not do: dialogs (`kimicode.tui.dialogs` does).
"""

from collections.abc import Callable
from inspect import cleandoc
from typing import TypeVar

from textual.app import SuspendNotSupported

from kimicode.errors import ToolError
from kimicode.interactive.person import Level, Page, Prose
from kimicode.interactive.prompt.external import edit_outside, run_in_terminal
from kimicode.tui.app import KimicodeApp
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.help import help_page
from kimicode.tui.dialogs.person import TuiPerson
from kimicode.tui.draw.diff import draw_diff
from kimicode.tui.draw.parts import draw_part

T = TypeVar("T")


class ScreenPerson(TuiPerson):
    """See the module."""

    def __init__(self, app: KimicodeApp) -> None:
        super().__init__(
            app, lambda: app.main.look, lambda: app.last_key, self._approval_waits, drawing=Drawing(part=draw_part, diff=draw_diff)
        )
        self._application = app

    def say(self, text: str, level: Level = "info") -> None:
        """See `Person.say`. Once the application is left there is nobody to say it to."""
        if self._application.is_running:
            super().say(text, level)

    async def lend(self, work: Callable[[], T]) -> T:
        """See `abilities.LendsTerminal`."""
        try:
            with self._application.suspend():
                return work()
        except SuspendNotSupported as error:
            raise ToolError("the terminal can't be handed to another program here") from error

    def write_sequence(self, sequence: str) -> None:
        """See `abilities.WritesSequences`."""
        self._application.write_sequence(sequence)

    def put_draft(self, text: str) -> None:
        """See `abilities.TakesDraft`."""
        if self._application.main.prompt.is_empty:
            self._application.main.prompt.set_text(text)

    def keys(self) -> Page:
        """See `abilities.ExplainsKeys`."""
        return Page("Help", (Prose(cleandoc(self._application.main.HELP)),))

    async def help(self) -> None:
        """What there is to know where the focus is."""
        screen = self._application.screen
        await self.show(self.keys() if screen is self._application.main else help_page(screen))

    async def read_outside(self, text: str) -> None:
        """Text in the user's own editor; what is changed there goes nowhere."""
        await self.lend(lambda: edit_outside(text, self._application.order.environ, run_in_terminal))

    def _approval_waits(self, waits: bool) -> None:
        self._application.main.hint("Your answer is wanted: the question opens when you stop typing." if waits else "")
