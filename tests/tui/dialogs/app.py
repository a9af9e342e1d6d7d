"""An application for the tests of dialogs, and ways to look at it: the text of the screen, waiting for something to be so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.app import App
from textual.pilot import Pilot

from kimicode.tui.dialogs.person import TuiPerson
from kimicode.tui.draw.values import Look
from kimicode.tui.themes import theme_for


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bare(App[None]):
    """Nothing but dialogs."""

    def __init__(self) -> None:
        super().__init__()
        self.copied: list[str] = []
        self.quit_by_markup = False

    def copy_to_clipboard(self, text: str) -> None:
        self.copied.append(text)

    def action_boom(self) -> None:
        """What hostile markup would like to run."""
        self.quit_by_markup = True


class Sitting:
    """An application at work, with its person. `typed` is when somebody last typed in the prompt."""

    def __init__(self, app: Bare, pilot: "Pilot[None]", clock: Clock) -> None:
        self.app = app
        self.pilot = pilot
        self.clock = clock
        self.typed = float("-inf")
        self.hints: list[bool] = []
        self.person = TuiPerson(app, look, lambda: self.typed, self.hints.append, clock=clock)

    def text(self) -> str:
        return screen_text(self.app)

    async def until(self, predicate: Callable[[], bool]) -> None:
        await until(self.pilot, predicate)

    async def top(self, kind: type) -> None:
        """Until a dialog of this kind is on top and drawn."""
        await self.until(lambda: isinstance(self.app.screen, kind) and self.app.screen.is_mounted and self.app.screen.size.width > 0)
        await self.pilot.pause()

    async def until_text(self, text: str) -> None:
        await self.until(lambda: text in self.text())


def look() -> Look:
    return Look(80, theme_for("dark").palette)


def screen_text(app: "App[None]") -> str:
    """What stands on the screen on top, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: "Pilot[None]", predicate: Callable[[], bool]) -> None:
    """Let the application work until something is so. Fails with the screen's text if it never is."""
    deadline = asyncio.get_running_loop().time() + 15
    while not predicate():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("never became so:\n" + screen_text(pilot.app))
        await asyncio.sleep(0.002)  # Only the others' turn: what counts is the predicate


@asynccontextmanager
async def sitting(width: int = 80, height: int = 24) -> AsyncIterator[Sitting]:
    """An application of this size."""
    app = Bare()
    async with app.run_test(size=(width, height), notifications=True) as pilot:
        yield Sitting(app, pilot, Clock())
