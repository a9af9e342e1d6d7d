"""The application on a stage: a scene (`scenes.py`) on its main screen, at any size, in any theme, without a terminal or an agent.

    async with staged(SCENE, size=(120, 36), theme="dark") as (app, pilot): …

`picture` is the screen as SVG, `words` as plain text. Nothing depends on the time: clocks stand still, nothing blinks or moves by itself.
What this module does not do: compare.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
from textual.pilot import Pilot

from kimicode.events import Event
from kimicode.interactive.view.status import Status, advance
from kimicode.interactive.waiting import Waiting
from kimicode.sandbox.approval import FileText
from kimicode.settings import Settings, UiSettings
from kimicode.tui.app import KimicodeApp, Order
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.person import TuiPerson
from kimicode.tui.draw.diff import draw_diff
from kimicode.tui.draw.parts import draw_part
from kimicode.tui.player import Player

ENVIRON = {"HOME": "/nowhere/home", "KIMICODE_HOME": "/nowhere/home/kimicode", "PATH": "/nowhere/bin", "TERM": "xterm-256color"}
SECONDS = 42.0
"""So long everything that is going on goes on already."""


class Clock:
    """It stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Scene(msgspec.Struct, frozen=True):
    """What is on the screen: `events` are all there, `more` is put into the status that follows from them, `diffs` are found for calls.

    Then `prepare` is called, `later` happens after `before` was pressed, `over` opens a dialog, and `keys` are pressed. The scene is there
    when `sign` is on the screen. `early`: an approval in its quiet time.
    """

    sign: str
    events: tuple[Event, ...] = ()
    more: Callable[[Status], Status] = lambda status: status
    waiting: Waiting = Waiting()
    diffs: Mapping[str, tuple[FileText, ...]] = {}
    prepare: Callable[[KimicodeApp], None] | None = None
    before: tuple[str, ...] = ()
    later: tuple[Event, ...] = ()
    over: Callable[[KimicodeApp, TuiPerson], Coroutine[None, None, object]] | None = None
    keys: tuple[str, ...] = ()
    early: bool = False


class Recorded(Player):
    """Plays a scene: what calls changed is known beforehand."""

    def __init__(self, app: KimicodeApp, scene: Scene) -> None:
        super().__init__(app, scene.events, 0.0)
        self._main = app.main
        self._scene = scene

    async def begin(self) -> None:
        """All at once."""
        await super().begin()
        status = Status()
        for event in self._scene.events:
            status = advance(status, event, 0.0)
        self._main.show(self._scene.more(status), self._scene.waiting)
        for call_id in self._scene.diffs:
            self.want_diffs(call_id)

    def happen(self, events: Sequence[Event]) -> None:
        """More of it."""
        for event in events:
            self._main.transcript.changed(self.transcript.apply(event))

    def want_diffs(self, call_id: str) -> None:
        """As the scene says."""
        self._main.transcript.changed(self.transcript.looked_up(call_id, self._scene.diffs.get(call_id, ())))


@asynccontextmanager
async def staged(
    scene: Scene, *, size: tuple[int, int] = (120, 36), theme: str = "dark"
) -> AsyncIterator[tuple[KimicodeApp, Pilot[object]]]:
    """The application with `scene` on its screen."""
    settings = Settings(ui=UiSettings(theme=theme))
    order = Order(settings, ENVIRON, Path("/nowhere/bakery"))
    made: list[Recorded] = []

    def bring(app: KimicodeApp) -> Recorded:
        made.append(Recorded(app, scene))
        return made[0]

    # Textual takes it out of the environment, too, and then obeys it in the one application that found it.
    os.environ.pop("NO_COLOR", None)
    clock = Clock()
    app = KimicodeApp(order, bring, lambda: SECONDS)
    app.animation_level = "none"
    drawing = Drawing(part=draw_part, diff=draw_diff)
    async with app.run_test(size=size) as pilot:
        await _settled(app, pilot)
        if scene.prepare is not None:
            scene.prepare(app)
        await _pressed(app, pilot, scene.before)
        made[0].happen(scene.later)
        async with _over(app, scene, TuiPerson(app, lambda: app.main.look, _never, _heard, drawing=drawing, clock=clock)):
            if scene.over is not None:
                await _until(app, pilot, lambda: app.screen is not app.main and app.screen.is_mounted)
                await _awake(app, pilot, clock, early=scene.early)
            await _pressed(app, pilot, scene.keys)
            await _until(app, pilot, lambda: scene.sign in words(app))
            await _settled(app, pilot)
            yield app, pilot


@asynccontextmanager
async def _over(app: KimicodeApp, scene: Scene, person: TuiPerson) -> AsyncIterator[None]:
    """The scene's dialog is open, or about to be."""
    if scene.over is None:
        yield
        return
    dialog = asyncio.ensure_future(scene.over(app, person))
    try:
        yield
    finally:
        dialog.cancel()
        with suppress(asyncio.CancelledError):
            await dialog


async def _awake(app: KimicodeApp, pilot: Pilot[object], clock: Clock, *, early: bool) -> None:
    """Past the quiet time of an approval, unless that is what is to be seen."""
    await _settled(app, pilot)
    if isinstance(app.screen, Approval) and not early:
        clock.now += 10
        app.screen.wake()


async def _pressed(app: KimicodeApp, pilot: Pilot[object], keys: Sequence[str]) -> None:
    if keys:
        await pilot.press(*keys)
        await _settled(app, pilot)


async def _settled(app: KimicodeApp, pilot: Pilot[object]) -> None:
    """Nothing is under way any more, and the screen stays as it is."""
    before = ""
    while app.conductor is None or any(worker.is_running for worker in app.workers) or words(app) != before:
        before = words(app)
        await pilot.pause()


async def _until(app: KimicodeApp, pilot: Pilot[object], predicate: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    while not predicate():
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError("never became so:\n" + words(app))
        await pilot.pause()


def _never() -> float:
    return float("-inf")


def _heard(waits: bool) -> None:
    del waits


_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
_LINES = re.compile(r'<clipPath id="line-\d+">.*?</clipPath>| clip-path="url\(#line-\d+\)"|<text[^>]*>\s*</text>', re.DOTALL)
_PADDED = re.compile(r'x="([\d.]+)"( y="[\d.]+") textLength="([\d.]+)">((?:&#160;)*)(.*?)((?:&#160;)*)</text>')
_BLANK = len("&#160;")
_CELL = 12.2
"""So wide Rich draws a character."""
_EDGES = ' shape-rendering="crispEdges"'
_RECT = re.compile(rf'<rect fill="([^"]*)" x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)"{_EDGES}/>')


def picture(app: KimicodeApp) -> str:
    """The screen as SVG, the same for the same screen, and without what a picture of a terminal does not need: fonts, a clip for each line,
    a rectangle for each piece of text on the same ground."""
    svg = _FONTS.sub("", app.export_screenshot(title="kimicode"))
    svg = _LINES.sub("", re.sub(r"terminal-\d+-", "", svg))
    first = _RECT.search(svg)
    assert first is not None
    svg = svg[: first.start()] + _grounds(svg) + _RECT.sub("", svg[first.start() :])
    svg = _PADDED.sub(_without_blanks, svg)
    svg = svg.replace("</style>", "rect { shape-rendering: crispEdges }\n</style>")
    return "\n".join(line.strip() for line in svg.splitlines() if line.strip()) + "\n"


def _without_blanks(found: re.Match[str]) -> str:
    """A piece of text without blanks around it: not everything that draws SVG leaves room for them."""
    x, y, width, before, text, after = found.groups()
    left, right = len(before) // _BLANK, len(after) // _BLANK
    return f'x="{float(x) + left * _CELL:.5g}"{y} textLength="{float(width) - (left + right) * _CELL:.5g}">{text}</text>'


def _grounds(svg: str) -> str:
    """All rectangles, with those that touch in a line and look the same made one."""
    joined: list[tuple[str, str, float, float, str]] = []
    for fill, x, y, width, height in _RECT.findall(svg):
        left, right = float(x), float(x) + float(width)
        last = joined[-1] if joined else None
        if last is not None and (last[0], last[1], last[4]) == (fill, y, height) and abs(last[3] - left) < 0.1:
            joined[-1] = (fill, y, last[2], right, height)
        else:
            joined.append((fill, y, left, right, height))
    return "\n".join(
        f'<rect fill="{fill}" x="{left:g}" y="{y}" width="{round(right - left, 1):g}" height="{height}"/>'
        for fill, y, left, right, height in joined
    )


def words(app: KimicodeApp) -> str:
    """The screen as text, without blanks at the ends of lines."""
    lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
    return "\n".join(lines) + "\n"
