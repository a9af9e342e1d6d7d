"""One run without a terminal: a prompt in, a payload on stdout, progress on stderr, and the documented exit code.

SIGINT and SIGTERM end the run in order; a second one ends the process at once. What this module does not do: decide settings or
build an agent (`app` does).
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from kimicode.app import Session, Wish, open_session
from kimicode.errors import Interrupted
from kimicode.events import Event
from kimicode.headless.writers import Output, Progress, Writer, make_writer
from kimicode.settings import Settings

HEARTBEAT_SECONDS = 30.0
EXIT_NO_READER = 1


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
    screen = _Screen(make_writer(order.output, sys.stdout), Progress(sys.stderr))
    session = open_session(order.settings, order.wish, screen, environ=environ, workspace=workspace)
    screen.watch(session)
    handler = _Signals(session)
    handler.install()
    beating = asyncio.create_task(screen.beat())
    try:
        finished = await session.agent.submit(order.prompt)
        return EXIT_NO_READER if screen.deaf else finished.exit_code
    finally:
        beating.cancel()
        handler.remove()
        await session.aclose()


class _Screen:
    """Hands events to the payload writer and to progress; interrupts the run when nobody reads stdout any more."""

    def __init__(self, writer: Writer, progress: Progress) -> None:
        self.deaf = False
        self._writer = writer
        self._progress = progress
        self._session: Session | None = None
        self._started = self._last = time.monotonic()

    def __call__(self, event: Event) -> None:
        self._last = time.monotonic()
        self._progress(event)
        if self.deaf:
            return
        try:
            self._writer(event)
        except OSError as error:
            self._close(error)

    def watch(self, session: Session) -> None:
        """Interrupt this session's run when stdout is gone."""
        self._session = session
        if self.deaf:
            session.agent.interrupt()

    async def beat(self) -> None:
        """Say now and then that the run is alive, until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            now = time.monotonic()
            if now - self._last >= HEARTBEAT_SECONDS:
                self._progress.heartbeat(now - self._started)

    def _close(self, error: OSError) -> None:
        self.deaf = True
        if not isinstance(error, BrokenPipeError):
            self._progress.say(f"error: can't write the answer to stdout: {error.strerror}")
        # Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if self._session is not None:
            self._session.agent.interrupt()


class _Signals:
    """The first SIGINT or SIGTERM interrupts the run, the second ends the process."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._received = 0

    def install(self) -> None:
        """Take over both signals in the running event loop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._receive)

    def remove(self) -> None:
        """Give them back."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)

    def _receive(self) -> None:
        self._received += 1
        if self._received > 1:
            os._exit(Interrupted.exit_code)
        self._session.agent.interrupt()
