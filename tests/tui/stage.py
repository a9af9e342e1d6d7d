"""The application on a stage: a recorded session on its main screen, at any size, in any theme, without a terminal or an agent.

    async with staged(EVENTS, size=(120, 36), theme="dark") as (app, pilot): …

`picture` is the screen as SVG, `words` as plain text. What this module does not do: compare.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from kimicode.events import Event
from kimicode.interactive.view.status import Status
from kimicode.interactive.waiting import Waiting
from kimicode.settings import Settings, UiSettings
from kimicode.tui.app import KimicodeApp, Order
from kimicode.tui.player import Player

ENVIRON = {"HOME": "/nowhere/home", "KIMICODE_HOME": "/nowhere/home/kimicode", "PATH": "/nowhere/bin", "TERM": "xterm-256color"}


@asynccontextmanager
async def staged(
    events: Sequence[Event],
    *,
    size: tuple[int, int] = (120, 36),
    theme: str = "dark",
    status: Status | None = None,
    waiting: Waiting = Waiting(),  # noqa: B008
    ui: UiSettings = UiSettings(),  # noqa: B008
) -> AsyncIterator[tuple[KimicodeApp, Pilot[object]]]:
    """The application with `events` on its screen. `status`, where given, is shown in place of what follows from the events."""
    import msgspec

    settings = Settings(ui=msgspec.structs.replace(ui, theme=theme))
    app = KimicodeApp(Order(settings, ENVIRON, Path("/nowhere/bakery")), lambda app: Player(app, events, 0.0))
    async with app.run_test(size=size) as pilot:
        await shown(app, pilot)
        if status is not None:
            app.main.show(status, waiting)
            await pilot.pause()
        yield app, pilot


async def shown(app: KimicodeApp, pilot: Pilot[object]) -> None:
    """Wait until everything is on the screen."""
    while app.conductor is None or any(worker.is_running for worker in app.workers):
        await pilot.pause()
    await pilot.pause()


def picture(app: KimicodeApp) -> str:
    """The screen as SVG, the same for the same screen: identifiers that come from a hash are numbered."""
    svg = app.export_screenshot(title="kimicode")
    return re.sub(r"terminal-\d+", "terminal-0", svg)


def words(app: KimicodeApp) -> str:
    """The screen as text, without blanks at the ends of lines."""
    lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    return "\n".join(lines) + "\n"
