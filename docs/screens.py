"""The pictures of the full-screen UI in the documentation: the real application, a real session, the model in the box.

    python -m docs.screens [full-screen] [approval]

Run it again whenever the user interface or the model in the box changes. What this script does not do: draw anything itself, or edit what
is on the screen, but for the name of the temporary folder.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

from textual.pilot import Pilot

from kimicode.commands.demo import FILES, PROMPT
from kimicode.interactive.view.blocks import Ended
from kimicode.model.target import boxed_model
from kimicode.settings import PermissionRules, Settings, UiSettings
from kimicode.tui.app import KimicodeApp, Order
from kimicode.tui.conductor import Conductor
from kimicode.tui.dialogs.approval import Approval

Act = Callable[[KimicodeApp, Pilot[object]], Awaitable[None]]
_FOLDER = Path(__file__).resolve().parent


def session(name: str, settings: Settings, size: tuple[int, int], act: Act) -> None:
    """Run the demo's prompt on its project and take a picture when `act` is through."""
    with tempfile.TemporaryDirectory(prefix="kimicode-screens-") as folder:
        work = Path(folder, "bakery")
        work.mkdir()
        for file, text in FILES.items():
            (work / file).write_text(text, "utf-8")
        for words in ("init -q -b main", "add .", "-c user.name=Ada -c user.email=ada@example.org commit -q -m start"):
            subprocess.run(["git", *words.split()], cwd=work, check=True)
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        os.environ.update({"PATH": path, "HOME": folder, "KIMICODE_HOME": f"{folder}/home", "PYTHONDONTWRITEBYTECODE": "1"})
        os.chdir(work)
        app = KimicodeApp(Order(settings, dict(os.environ), work, prompt=PROMPT))
        picture = asyncio.run(_played(app, size, act))
        os.chdir(_FOLDER)
    (_FOLDER / f"{name}.svg").write_text(picture.replace(folder, "~"), "utf-8")


async def _played(app: KimicodeApp, size: tuple[int, int], act: Act) -> str:
    async with app.run_test(size=size) as pilot:
        await act(app, pilot)
        picture = app.export_screenshot(title="kimicode")
        await cast("Conductor", app.conductor).end()
    return picture


async def ended(app: KimicodeApp, pilot: Pilot[object]) -> None:
    """Wait until the run is over and everything about it is known."""

    def over() -> bool:
        conductor = app.conductor
        if not isinstance(conductor, Conductor):
            return False
        blocks, status = conductor.desk.transcript.blocks, conductor.desk.status
        return bool(blocks) and isinstance(blocks[-1], Ended) and bool(status.touched) and status.git is not None and status.git.changed > 0

    await until(over, pilot)


async def asked(app: KimicodeApp, pilot: Pilot[object]) -> None:
    """Wait until something has to be approved, and the keys count."""
    await until(lambda: isinstance(app.screen, Approval) and app.screen.ready, pilot)


async def until(true: Callable[[], bool], pilot: Pilot[object]) -> None:
    """Wait for a condition, then for the screen."""
    async with asyncio.timeout(120):
        while not true():
            await pilot.pause(0.05)
    await pilot.pause(0.5)


def settings(theme: str, *rules: str) -> Settings:
    """Settings for a picture: nothing in it moves."""
    return Settings(model=boxed_model(), ui=UiSettings(theme=theme, notify="off"), permissions=PermissionRules(ask=rules))


PICTURES: dict[str, tuple[Settings, tuple[int, int], Act]] = {
    "full-screen": (settings("dark"), (124, 40), ended),
    "approval": (settings("dark", "write(**)"), (100, 28), asked),
}


def main() -> None:
    """Make the pictures that are named, or all."""
    for name in sys.argv[1:] or PICTURES:
        chosen, size, act = PICTURES[name]
        session(name, chosen, size, act)


if __name__ == "__main__":
    main()
