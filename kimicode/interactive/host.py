"""A session at work on a thread of its own, so that no disk, no git and no model ever holds up a key press.

The agent's event loop runs on that thread; what it emits comes to the loop of the user interface in batches, at most every `BATCH_S`,
with consecutive pieces of text joined. Requests go the other way and return at once. While nothing happens no timer runs.
What this module does not do: decide what is shown, or which prompt comes next (`Desk` does).
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from kimicode.app import Session, open_session
from kimicode.errors import KimicodeError
from kimicode.events import Event, FileChange, FilesChanged, RunFinished, ToolFinished
from kimicode.files.state import FileState
from kimicode.home import kimicode_home
from kimicode.interactive.looking import since, texts_of
from kimicode.interactive.view.transcript import joined
from kimicode.messages import Image
from kimicode.model.client import ModelClient
from kimicode.sandbox.approval import Answer, FileText, Question
from kimicode.sandbox.grants import Grants
from kimicode.session.log import read_events
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore
from kimicode.settings import Settings
from kimicode.wish import Wish

BATCH_S: Final = 0.05
_HURRY_AGAIN_S: Final = 0.05

_T = TypeVar("_T")


class LookedUp(msgspec.Struct, frozen=True):
    """The texts of what a call changed."""

    call_id: str
    files: tuple[FileText, ...]


Item = Event | LookedUp

Deliver = Callable[[Sequence[Item]], None]
"""Takes a batch, on the loop of the user interface."""

Approve = Callable[[Question], Awaitable[Answer]]
"""Asks the person, on the loop of the user interface. Cancelled where the question is void."""

Ask = Callable[[str, tuple[str, ...]], Awaitable[str | None]]
"""Puts a question of the model to the person, with options they may choose from; None: no answer."""


class Host:
    """Holds one session at a time. To be made and used on the loop of the user interface; `aclose` ends the thread."""

    def __init__(
        self,
        deliver: Deliver,
        approve: Approve,
        ask: Ask,
        *,
        environ: Mapping[str, str],
        workspace: Path,
        model: ModelClient | None = None,
    ) -> None:
        self.store = SessionStore(kimicode_home(environ))
        self._deliver = deliver
        self._approve = approve
        self._ask = ask
        self._environ = environ
        self._workspace = workspace
        self._model = model
        self._home = asyncio.get_running_loop()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="agent", daemon=True)
        self._thread.start()
        self._session: Session | None = None
        self._grants: Grants | None = None
        self._run: Future[RunFinished] | None = None
        self._kept = PreImages(self.store.preimages)
        self._changes: dict[str, list[FileChange]] = {}
        self._lock = threading.Lock()
        self._batch: list[Item] = []
        self._armed = False
        self._opening = False
        self._last = 0.0

    @property
    def context(self) -> int:
        """How many tokens the model's context has; 0 without a session."""
        return 0 if self._session is None else self._session.model.info.context

    @property
    def grants(self) -> Grants:
        """What the person has allowed so far."""
        granted = self._session.grants if self._session is not None else self._grants
        return granted or Grants()

    async def open(self, settings: Settings, wish: Wish) -> tuple[Event, ...]:
        """Open a session in place of the one that is open; its events so far. What was granted holds on.

        Raises `KimicodeError`; then no session is open.
        """
        return await self._over_there(self._open(settings, wish))

    async def shut(self) -> None:
        """Close the session, so that its log can be changed by somebody else."""
        await self._over_there(self._shut())

    async def run(self, text: str, images: Sequence[Image] = ()) -> RunFinished:
        """Run a prompt to its end."""
        session = self._opened()
        self._run = asyncio.run_coroutine_threadsafe(session.agent.submit(text, tuple(images)), self._loop)
        return await asyncio.wrap_future(self._run)

    def steer(self, text: str, images: Sequence[Image] = ()) -> None:
        """Say something between two steps of the run."""
        session = self._opened()
        self._loop.call_soon_threadsafe(session.agent.steer, text, tuple(images))

    def interrupt(self) -> None:
        """End the run in order."""
        if self._session is not None:
            self._loop.call_soon_threadsafe(self._session.agent.interrupt)

    def hurry(self) -> None:
        """End the run without waiting for anything."""
        if self._run is not None:
            self._loop.call_soon_threadsafe(self._cancel_all, self._run)

    async def emit(self, event: Event) -> None:
        """Put an event of the user's own into the log and the stream."""
        session = self._opened()

        async def there() -> None:
            session.emit(event)

        await self._over_there(there())

    async def look_up(self, changes: Sequence[FileChange]) -> tuple[FileText, ...]:
        """The texts of recorded changes."""
        return await asyncio.to_thread(texts_of, tuple(changes), self._workspace.resolve(), self._kept)

    async def since(self, files: Sequence[tuple[str, FileState]]) -> list[tuple[str, FileText | None]]:
        """What became of files since they were in a given state, by their recorded paths; None for those that are so again."""
        return await asyncio.to_thread(since, tuple(files), self._workspace.resolve(), self._kept)

    def drain(self) -> None:
        """Deliver what has come so far, now."""
        self._drain()

    async def aclose(self) -> None:
        """Close the session and end the thread."""
        try:
            await self._over_there(self._shut())
        finally:
            self._kept.close()
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join, 2.0)
            if not self._thread.is_alive():
                self._loop.close()

    def _opened(self) -> Session:
        if self._session is None:
            raise KimicodeError("no session is open", hint="Start one with /new.")
        return self._session

    async def _over_there(self, work: Coroutine[object, object, _T]) -> _T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _open(self, settings: Settings, wish: Wish) -> tuple[Event, ...]:
        await self._shut()
        self._flush()
        self._opening = True
        try:
            self._session = open_session(
                settings,
                wish,
                self._face,
                environ=self._environ,
                workspace=self._workspace,
                model=self._model,
                approver=_Approver(self),
                asker=_Asker(self),
                grants=self._grants,
            )
        finally:
            self._opening = False
        return tuple(read_events(self.store.path(self._session.id)))

    async def _shut(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            self._grants = session.grants
            await session.aclose()

    def _flush(self) -> None:
        """Forget what has not been delivered yet: it is in the log, which is read whole."""
        with self._lock:
            self._batch.clear()

    def _face(self, event: Event) -> None:
        self._put(event)
        match event:
            case FilesChanged(call_id=call_id):
                self._changes.setdefault(call_id, []).extend(event.changes)
            case ToolFinished(result=result) if made := self._changes.pop(result.call_id, []):
                # Right now the files are as the call left them.
                self._put(LookedUp(result.call_id, texts_of(made, self._workspace.resolve(), self._kept)))
            case _:
                pass

    def _put(self, item: Item) -> None:
        if self._opening:
            return  # it is in the log, which is read whole
        with self._lock:
            self._batch.append(item)
            if self._armed:
                return
            self._armed = True
        with contextlib.suppress(RuntimeError):  # the user interface's loop has ended
            self._home.call_soon_threadsafe(self._arm)

    def _arm(self) -> None:
        self._home.call_later(max(0.0, self._last + BATCH_S - time.monotonic()), self._drain)

    def _drain(self) -> None:
        with self._lock:
            items, self._batch = self._batch, []
            self._armed = False
        self._last = time.monotonic()
        if items:
            self._deliver(_joined(items))

    def _cancel_all(self, run: "Future[RunFinished]") -> None:
        if run.done():
            return
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        # What is cancelled for the first time only now begins its orderly end.
        self._loop.call_later(_HURRY_AGAIN_S, self._cancel_all, run)

    async def ask_home(self, question: Awaitable[_T]) -> _T:
        """From the agent's thread: await something on the loop of the user interface. Cancelling it here cancels it there."""

        async def there() -> _T:
            return await question

        asked: Future[_T] = asyncio.run_coroutine_threadsafe(there(), self._home)
        return await asyncio.wrap_future(asked)

    async def approve(self, question: Question) -> Answer:
        """From the agent's thread: ask about a call."""
        return await self.ask_home(self._approve(question))

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        """From the agent's thread: put the model's question."""
        return await self.ask_home(self._ask(question, options))


class _Approver:
    def __init__(self, host: Host) -> None:
        self._host = host

    async def ask(self, question: Question) -> Answer:
        """See `sandbox.approval.Approver`."""
        return await self._host.approve(question)


class _Asker:
    def __init__(self, host: Host) -> None:
        self._host = host

    async def ask(self, question: str, options: tuple[str, ...]) -> str | None:
        """See `tools.ask.Asker`."""
        return await self._host.ask(question, options)


def _joined(items: Sequence[Item]) -> list[Item]:
    """The batch with consecutive pieces of text joined."""
    found: list[Item] = []
    run: list[Event] = []
    for item in items:
        if isinstance(item, LookedUp):
            found += [*joined(run), item]
            run = []
        else:
            run.append(item)
    return [*found, *joined(run)]
