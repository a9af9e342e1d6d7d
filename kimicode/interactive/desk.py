"""The controller of a session with a person at it: what both user interfaces do, without knowing either.

    desk = Desk(person, watcher, settings=…, environ=…, workspace=…)
    await desk.open(Wish(latest=True))
    desk.enter("Fix the failing test.")      # runs, or waits for its turn
    desk.steer("Don't touch the tests.")     # into the run that goes on
    desk.interrupt()                         # in order; again: at once
    await desk.aclose()

It keeps the transcript and the status, holds what waits, looks after git and the engine when something may have changed there (never by a
timer), and tells the `Watcher` what is new. Everything happens on the loop of the user interface and takes no time there.
What this module does not do: know commands (`kimicode.interactive.commands`), keys or widgets.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec

from kimicode.errors import KimicodeError
from kimicode.events import (
    Event,
    FilesChanged,
    Rewound,
    RunFinished,
    SessionStarted,
    ShellRan,
    StepFinished,
    TextDelta,
    ThinkingDelta,
    ToolFinished,
)
from kimicode.interactive.abilities import SeesTyping
from kimicode.interactive.changed import Changed, with_counts
from kimicode.interactive.host import Host, Item, LookedUp
from kimicode.interactive.person import Field, Menu, Option, Person
from kimicode.interactive.surroundings import look_at_engine, look_at_git
from kimicode.interactive.view.blocks import Called, Ended
from kimicode.interactive.view.status import Status, advance
from kimicode.interactive.view.transcript import Transcript
from kimicode.interactive.waiting import Prompt, Waiting
from kimicode.interactive.watcher import Watcher
from kimicode.messages import Image
from kimicode.model.client import ModelClient
from kimicode.sandbox.approval import Answer, Question
from kimicode.session.title import with_shell
from kimicode.settings import Settings, UiSettings
from kimicode.wish import Wish

_OTHER = "Something else…"
_LATEST = 20
"""Among so many blocks the end of a run is found that has just ended: the user may have run commands meanwhile."""


class Desk:
    """See the module. Others read `person`, `settings`, `environ`, `workspace`, `host`, `transcript`, `status` and `waiting`."""

    def __init__(
        self,
        person: Person,
        watcher: Watcher,
        *,
        settings: Settings,
        environ: Mapping[str, str],
        workspace: Path,
        model: ModelClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.person = person
        self.watcher = watcher
        self.settings = settings
        self.environ = environ
        self.workspace = workspace
        self.transcript = Transcript()
        self.status = Status(workspace=str(workspace))
        self.waiting = Waiting()
        self.host = Host(self._take, self._approve, self._ask, environ=environ, workspace=workspace, model=model)
        self._clock = clock
        self._tasks: set[asyncio.Task[object]] = set()
        self._run: asyncio.Task[object] | None = None
        self._interrupted = False
        self._changed = Changed()
        self._ran: list[ShellRan] = []
        self._looking: dict[str, asyncio.Task[object]] = {}

    @property
    def busy(self) -> bool:
        """True while a run goes on."""
        return self._run is not None

    @property
    def session_id(self) -> str:
        """The id of the open session, or empty."""
        return self.status.session_id

    async def open(self, wish: Wish, settings: Settings | None = None) -> None:
        """Open the wanted session, with other settings where they are given. Raises `KimicodeError`; then none is open.

        A run that goes on is ended first.
        """
        await self._end_run()
        wanted = settings or self.settings
        events = await self.host.open(wanted, wish)
        self.settings = wanted
        self.transcript, status = await asyncio.to_thread(_read_back, events, Status(workspace=str(self.workspace)), self._clock())
        self.status = msgspec.structs.replace(status, context=self.host.context, phase="idle", calls=(), progress=None)
        self._changed = Changed(events)
        self.watcher.replaced()
        self.watcher.status(self.status)
        self._look_around()
        self._soon(self._count(self._changed.paths))

    async def reopen(self, settings: Settings | None = None) -> None:
        """The same session once more, with other settings. Raises `KimicodeError`."""
        await self.open(Wish(resume=self.session_id), settings)

    def enter(self, text: str, images: Sequence[Image] = ()) -> None:
        """The user's next prompt: it runs now, or waits for its turn."""
        self.send(Prompt(text, tuple(images)))

    def send(self, prompt: Prompt) -> None:
        """As `enter`."""
        if self.busy or self.waiting.prompts:
            self._set_waiting(self.waiting.with_prompt(prompt))
            self.next()
        else:
            self._begin(prompt)

    def next(self) -> None:
        """Send what waits, if nothing runs and it is not paused."""
        if self.busy:
            return
        prompt, rest = self.waiting.take()
        if prompt is not None:
            self._set_waiting(rest)
            self._begin(prompt)

    def go_on(self) -> None:
        """Send what waits, although it was paused."""
        self._set_waiting(self.waiting.resume())
        self.next()

    def pull(self, index: int = -1) -> Prompt | None:
        """Take a prompt that waits back, to edit or drop it."""
        prompt, rest = self.waiting.pull(index)
        self._set_waiting(rest)
        return prompt

    def steer(self, text: str, images: Sequence[Image] = ()) -> None:
        """Into the run that goes on, after the present step; a prompt of its own where none does."""
        if self.busy:
            self.host.steer(text, tuple(images))
        else:
            self.enter(text, images)

    def interrupt(self) -> bool:
        """End the run: in order the first time, at once the second. What waits is paused. False where nothing runs."""
        if not self.busy:
            return False
        self._set_waiting(self.waiting.pause())
        if self._interrupted:
            self.host.hurry()
        else:
            self._interrupted = True
            self.host.interrupt()
            self._set(msgspec.structs.replace(self.status, phase="stopping", since=self._clock()))
        return True

    async def record(self, event: Event) -> None:
        """Put an event of the user's own (a command they ran, a title) into the session."""
        await self.host.emit(event)
        if isinstance(event, ShellRan):
            self._ran.append(event)

    def shell_began(self, command: str) -> None:
        """A command of the user's own begins; `record(ShellRan(…))` ends it."""
        self.watcher.changed(self.transcript.begin_shell(command))

    def shell_printed(self, text: str) -> None:
        """What it printed."""
        self.watcher.changed(self.transcript.shell_printed(text))

    def want_diffs(self, call_id: str) -> None:
        """Have the texts of a call's changes looked up, if they are not there; `Watcher.changed` tells when they are."""
        if call_id in self._looking:
            return
        called = next((b for b in self.transcript.blocks if isinstance(b, Called) and b.call.id == call_id), None)
        if called is not None and called.changes and called.diffs is None:
            self._looking[call_id] = self._soon(self._look_up(called))

    def restyle(self, ui: UiSettings) -> None:
        """Other looks, from now on."""
        self.settings = msgspec.structs.replace(self.settings, ui=ui)
        self.watcher.restyled(ui)

    def look_around(self) -> None:
        """Look at git and the engine again."""
        self._look_around()

    def background(self, work: Coroutine[object, object, object]) -> None:
        """Do `work` beside everything else; its failure is said. It is cancelled when the desk closes."""
        self._soon(work)

    def leave(self) -> None:
        """The user wants to go."""
        self.watcher.leave()

    async def aclose(self) -> None:
        """End the run, close the session, cancel what is left."""
        await self._end_run()
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks), timeout=2.0)
        await self.host.aclose()

    def _begin(self, prompt: Prompt) -> None:
        ran, self._ran = tuple(self._ran), []
        words = with_shell(ran, prompt.text) if ran else prompt.text
        self._interrupted = False
        self._set(msgspec.structs.replace(self.status, phase="waiting", since=self._clock()))
        self._run = self._soon(self._running(words, prompt))

    async def _running(self, words: str, prompt: Prompt) -> None:
        finished: RunFinished | None = None
        try:
            finished = await self.host.run(words, prompt.images)
        except asyncio.CancelledError:
            # Hurried: the run was cancelled over there, and has said how it ended. Unless it is us who are cancelled.
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
        finally:
            self.host.drain()
            if finished is not None and not self._shows(finished):
                # Where the log can't be written, nobody is told of it by an event.
                self._take((finished,))
            self._run = None
            if self.status.phase != "idle":
                self._set(msgspec.structs.replace(self.status, phase="idle", since=self._clock(), calls=(), progress=None))
        if finished is not None and finished.status != "interrupted":
            self.watcher.attention("done" if finished.status == "done" else "failed")
            self.next()
        self._look_around()

    def _shows(self, finished: RunFinished) -> bool:
        latest = self.transcript.blocks[-_LATEST:]
        return any(isinstance(block, Ended) and block.event == finished for block in latest)

    async def _end_run(self) -> None:
        run = self._run
        if run is not None:
            self.interrupt()
            done, _ = await asyncio.wait({run}, timeout=5.0)
            if not done:
                self.host.hurry()
                await asyncio.wait({run}, timeout=2.0)

    def _take(self, items: Sequence[Item]) -> None:
        first = last = -1
        before = self.status
        for item in items:
            if isinstance(item, LookedUp):
                touched = self.transcript.looked_up(item.call_id, item.files)
            else:
                touched = self.transcript.apply(item)
                self._advance(item)
            if touched:
                first = touched.start if first < 0 else min(first, touched.start)
                last = max(last, touched.stop)
        if first >= 0:
            self.watcher.changed(range(first, last))
        if self.status is not before:
            self.watcher.status(self.status)

    def _advance(self, event: Event) -> None:
        status = advance(self.status, event, self._clock())
        if status.phase != "idle" and self._interrupted:
            status = msgspec.structs.replace(status, phase="stopping")
        self.status = status
        self._changed.note(event)
        match event:
            case FilesChanged() | Rewound():
                self._soon(self._count(tuple(dict.fromkeys(change.path for change in event.changes))))
            case ToolFinished() if not self.status.calls:
                self._look_around(engine=False)
            case StepFinished():
                self.status = msgspec.structs.replace(self.status, context=self.host.context)
                if self.status.engine is not None and self.status.engine.state != "ok":
                    self._look_around()
            case SessionStarted() | RunFinished():
                self._look_around()
            case _:
                pass

    async def _count(self, paths: tuple[str, ...]) -> None:
        """How many lines of these files are other than before the session."""
        found = await self.host.since(self._changed.first(paths))
        self._set(msgspec.structs.replace(self.status, touched=with_counts(self.status.touched, found)))

    async def _look_up(self, called: Called) -> None:
        files = await self.host.look_up(called.changes)
        self.watcher.changed(self.transcript.looked_up(called.call.id, files))
        self._looking.pop(called.call.id, None)

    def _look_around(self, *, engine: bool = True) -> None:
        if "git" not in self._looking:
            self._looking["git"] = self._soon(self._look_at_git())
        if engine and "engine" not in self._looking:
            self._looking["engine"] = self._soon(self._look_at_engine())

    async def _look_at_git(self) -> None:
        try:
            git = await asyncio.to_thread(look_at_git, self.workspace, self.environ)
        finally:
            self._looking.pop("git", None)
        if git != self.status.git:
            self._set(msgspec.structs.replace(self.status, git=git))

    async def _look_at_engine(self) -> None:
        try:
            engine = await look_at_engine(self.settings, self.environ, self.status.engine)
        finally:
            self._looking.pop("engine", None)
        if engine != self.status.engine:
            self._set(msgspec.structs.replace(self.status, engine=engine))

    async def _approve(self, question: Question) -> Answer:
        self.host.drain()
        phase = self.status.phase
        self._set(msgspec.structs.replace(self.status, phase="asking", since=self._clock()))
        self.watcher.attention("asked")
        self.watcher.changed(self.transcript.asked(question.tool, waits=True))
        try:
            return await self.person.approve(question)
        finally:
            self.watcher.changed(self.transcript.asked(question.tool, waits=False))
            self._set(msgspec.structs.replace(self.status, phase=phase, since=self._clock()))

    async def _ask(self, question: str, options: tuple[str, ...]) -> str | None:
        """A question of the model, which is text from outside."""
        self.host.drain()
        self._set(msgspec.structs.replace(self.status, phase="asking", since=self._clock()))
        self.watcher.attention("asked")
        try:
            if isinstance(self.person, SeesTyping):
                await self.person.pause()
            if not options:
                return await self.person.word(Field("answer", question))
            chosen = await self.person.choose(Menu(question, (*map(Option, options), Option(_OTHER))))
            if chosen is None:
                return None
            return options[chosen] if chosen < len(options) else await self.person.word(Field("answer", question))
        finally:
            self._set(msgspec.structs.replace(self.status, phase="working", since=self._clock()))

    def _set(self, status: Status) -> None:
        if status != self.status:
            self.status = status
            self.watcher.status(status)

    def _set_waiting(self, waiting: Waiting) -> None:
        self.waiting = waiting
        self._set(msgspec.structs.replace(self.status, waiting=len(waiting.prompts)))

    def _soon(self, work: Coroutine[object, object, object]) -> asyncio.Task[object]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, KimicodeError):
            self.person.say(str(error), "error")
        elif error is not None:
            self.person.say(f"unexpected {type(error).__name__}: {error}. This is a fault in kimicode; please report it.", "error")


def _read_back(events: Sequence[Event], status: Status, now: float) -> tuple[Transcript, Status]:
    """What a log amounts to. Pieces of text are most of a long one, and say nothing that the whole answers don't."""
    for event in events:
        if not isinstance(event, TextDelta | ThinkingDelta):
            status = advance(status, event, now)
    return Transcript(events), status
