"""A recorded session, played back in the full-screen user interface: for demonstrations, reports of faults, and measurements.

What this module does not do: run anything; what is typed goes nowhere.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from kimicode.events import Event, SessionStarted
from kimicode.home import kimicode_home
from kimicode.interactive.looking import texts_of
from kimicode.interactive.view.blocks import Called
from kimicode.interactive.view.status import Status, advance
from kimicode.interactive.view.transcript import Transcript, joined
from kimicode.interactive.waiting import Waiting
from kimicode.messages import Image
from kimicode.session.pace import paced
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore
from kimicode.settings import Settings
from kimicode.tui.acts import Act
from kimicode.tui.app import Conducting, KimicodeApp, Order, run_app

_BATCH_S: Final = 0.05
"""What happens within this is shown together, as `Host` delivers it."""

_RECORDING: Final = "This is a recording: nothing runs here."


class Player:
    """Plays `events` on the main screen of `app`, `speed` times as fast as they came; 0: all at once."""

    def __init__(self, app: KimicodeApp, events: Sequence[Event], speed: float) -> None:
        self._app = app
        self._events = events
        self._speed = speed
        self.transcript = Transcript()
        self._status = Status()
        self._kept = PreImages(SessionStore(kimicode_home(app.order.environ)).preimages)

    @property
    def session_id(self) -> str:
        """Nothing to go on with."""
        return ""

    async def begin(self) -> None:
        """Play to the end."""
        main = self._app.main
        main.listen(self)
        if not self._speed:
            self.transcript = await asyncio.to_thread(Transcript, self._events)
            for event in self._events:
                self._status = advance(self._status, event, 0.0)
            main.transcript.show(self.transcript.blocks)
            main.show(self._status, Waiting())
            return
        main.transcript.show(self.transcript.blocks)
        batch: list[Event] = []
        due = shown = time.monotonic()
        for seconds, event in paced(self._events):
            due += seconds / self._speed
            if batch and (due - shown > _BATCH_S or not isinstance(event, type(batch[0]))):
                self._show(batch)
                batch = []
                shown = time.monotonic()
                await asyncio.sleep(max(0.0, due - shown))
            batch.append(event)
        self._show(batch)

    def _show(self, batch: Sequence[Event]) -> None:
        for event in joined(batch):
            if touched := self.transcript.apply(event):
                self._app.main.transcript.changed(touched)
            self._status = advance(self._status, event, time.monotonic())
        self._app.main.show(self._status, Waiting())

    async def end(self) -> None:
        """Let go of what is kept."""
        self._kept.close()

    def sent(self, text: str, images: Sequence[Image], *, now: bool) -> None:
        """Nothing can be entered."""
        del text, images, now
        self._app.main.hint(_RECORDING)

    def want_diffs(self, call_id: str) -> None:
        """Look up what a call changed, as far as it can still be known."""
        called = next((block for block in self.transcript.blocks if isinstance(block, Called) and block.call.id == call_id), None)
        if called is not None:
            self._app.run_worker(self._look_up(called))

    async def _look_up(self, called: Called) -> None:
        texts = await asyncio.to_thread(texts_of, called.changes, self._app.order.workspace, self._kept)
        self._app.main.transcript.changed(self.transcript.looked_up(called.call.id, texts))

    def copy(self, text: str) -> None:
        """Into the application's own clipboard and, by OSC 52, the terminal's."""
        self._app.copy_to_clipboard(text)

    def open(self, text: str) -> None:
        """There is no editor here."""
        del text
        self._app.main.hint(_RECORDING)

    def give_back(self) -> None:
        """Nothing was borrowed."""

    def arguments(self, name: str) -> Sequence[str]:
        """There are no commands."""
        del name
        return ()

    def act(self, what: Act) -> None:
        """Only what concerns the view."""
        match what:
            case "interrupt" | "leave" | "end":
                self._app.exit(0)
            case "panel" | "find" | "unfold" | "previous" | "following":
                self._app.main.act_here(what)
            case _:
                self._app.main.hint(_RECORDING)


def play(events: Sequence[Event], speed: float, settings: Settings, environ: Mapping[str, str]) -> int:
    """Play a session; the exit code."""
    workspace = next((Path(event.workspace) for event in events if isinstance(event, SessionStarted)), Path("/"))

    def bring(app: KimicodeApp) -> Conducting:
        return Player(app, events, speed)

    return run_app(KimicodeApp(Order(settings, environ, workspace), bring))
