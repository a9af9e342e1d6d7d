"""One run without a terminal: a prompt in, a payload on stdout, progress on stderr, and the documented exit code.

A stdout that nobody reads ends the run. What this module does not do: decide settings or build an agent (`app` does).
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kimicode.app import Session, open_session
from kimicode.errors import KimicodeError
from kimicode.events import Event, RunFinished
from kimicode.headless.signals import Signals
from kimicode.headless.writers import Output, Progress, Writer, make_writer
from kimicode.settings import Settings
from kimicode.streams import silence
from kimicode.wish import Wish

HEARTBEAT_SECONDS = 30.0


class Order(msgspec.Struct, frozen=True):
    """What to run and how to write it."""

    prompt: str
    settings: Settings
    wish: Wish = Wish()
    output: Output = "text"


def run(order: Order, environ: Mapping[str, str], workspace: Path) -> int:
    """Run `order`; the exit code. Raises `KimicodeError` for what is wrong before the run begins."""
    return asyncio.run(_run(order, environ, workspace))


async def _run(order: Order, environ: Mapping[str, str], workspace: Path) -> int:
    screen = _Screen(make_writer(order.output, sys.stdout, as_data=order.wish.schema is not None), Progress())
    with Signals() as signals:
        session = open_session(order.settings, order.wish, screen, environ=environ, workspace=workspace)
        screen.watch(session)
        signals.hand_to(session.agent)
        beating = asyncio.create_task(screen.beat())
        try:
            finished = await session.agent.submit(order.prompt)
            screen.end(finished)
            return KimicodeError.exit_code if screen.deaf else finished.exit_code
        finally:
            beating.cancel()
            await session.aclose()


class _Screen:
    """Hands events to the payload writer and to progress; stops the run when stdout takes no more."""

    def __init__(self, writer: Writer, progress: Progress) -> None:
        self.deaf = False
        self._writer = writer
        self._progress = progress
        self._session: Session | None = None
        self._ended = False
        self._started = self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        self._last = time.monotonic()
        self._ended = isinstance(event, RunFinished)
        self._progress(event)
        if self.deaf:
            return
        try:
            self._writer(event)
        except OSError as error:
            self._close(error)

    def watch(self, session: Session) -> None:
        """Stop this session's run when stdout is gone. Until then it is an error."""
        self._session = session

    def end(self, finished: RunFinished) -> None:
        """Say how the run ended, where the log could not take that any more: events are shown only when they are logged."""
        if not self._ended:
            self(finished)

    async def beat(self) -> None:
        """Say now and then that the run is alive, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            now = time.monotonic()
            if now - self._last >= HEARTBEAT_SECONDS:
                self._progress.heartbeat(now - self._started)

    def _close(self, error: OSError) -> None:
        self.deaf = True
        silence(sys.stdout)
        reason = KimicodeError(f"can't write to stdout: {error.strerror}", hint="Read the answer to its end, or send it elsewhere.")
        if self._session is None:
            raise reason from error
        if self._ended:
            self._progress.say(f"error: {reason}")
        self._session.agent.stop(reason)
