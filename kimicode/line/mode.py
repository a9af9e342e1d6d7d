"""A session at a line terminal: reads what is typed, gives it to the desk, and prints what there is to hear.

    run_line(settings, wish, prompt, environ, workspace) -> exit code

A prompt typed while the agent works waits for its turn; `> text` goes into the run. Ctrl-C interrupts: in order, then at once; with
nothing to do, twice quits. From a pipe every line is a prompt, one after the other, and nobody can answer questions: the exit code is then
that of the last run. What this module does not do: decide what happens in a session, or know what a key is.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final, TextIO, assert_never

import msgspec

from kimicode.errors import KimicodeError
from kimicode.interactive.desk import Desk
from kimicode.interactive.prompt.meaning import Command, Shell, Words, meaning
from kimicode.interactive.view.blocks import Ended
from kimicode.interactive.view.status import Status
from kimicode.interactive.watcher import Attention
from kimicode.line import announce, opening
from kimicode.line.calls import title_of
from kimicode.line.local import OWN, perform_own
from kimicode.line.parts import Parts, completer, find_parts
from kimicode.line.person import LinePerson
from kimicode.line.pictures import Pictures
from kimicode.line.reader import Complete, Memory, Reader, StoppedError
from kimicode.line.signals import Signals
from kimicode.line.speak import Habits
from kimicode.line.still import Still
from kimicode.line.telling import Teller
from kimicode.line.words import Line, spoken
from kimicode.model.client import ModelClient
from kimicode.settings import Settings, UiSettings
from kimicode.wish import Wish

_PAUSE_S: Final = 1.0
"""A whole sentence waits so long for the end of its line."""

_TWICE_S: Final = 3.0
_LOOK_S: Final = 0.05

MakeReader = Callable[[Parts, Complete], Reader]


class LineMode:
    """See the module. It is the desk's `Watcher`. `pause_s` and `clock` are for whoever can't wait."""

    def __init__(
        self,
        make_reader: MakeReader,
        *,
        settings: Settings,
        environ: Mapping[str, str],
        workspace: Path,
        parts: Parts,
        model: ModelClient | None = None,
        clock: Callable[[], float] = time.monotonic,
        pause_s: float = _PAUSE_S,
    ) -> None:
        self.desk: Desk
        self._clock = clock
        self._pause_s = pause_s
        self._parts = parts
        self._loop = asyncio.get_running_loop()
        self._teller = Teller(clock)
        self._teller.habits = Habits(thoughts=settings.ui.thinking, output=settings.ui.fold_lines)
        self._reader = make_reader(parts, completer(parts.commands, OWN, lambda: self.desk, environ, workspace))
        self._pictures = Pictures(environ, workspace)
        self._still = Still(lambda line: self._reader.put((line,)))
        self._progress = announce.Progress(clock)
        self._status = Status()
        self._reading: asyncio.Task[str] | None = None
        self._command: asyncio.Task[object] | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._remembering: set[asyncio.Task[None]] = set()
        self._leaving = False
        self._stops = 0
        self._last_stop = -_TWICE_S
        self._exit = 0
        self._has_model = model is not None
        person = LinePerson(self._reader, interrupt=self.stop_run, clock=clock)
        self._person = person
        self.desk = Desk(person, self, settings=settings, environ=environ, workspace=workspace, model=model, clock=clock)

    async def run(self, wish: Wish, prompt: str | None) -> int:
        """Open the session and stay until the person leaves; the exit code. Raises `KimicodeError` where none can be opened."""
        try:
            with Signals(self._loop, self.stop, self.leave):
                await opening.open_desk(self.desk, wish, can_ask=self._reader.answers, chosen=self._has_model)
                if prompt is not None and prompt.strip():
                    await self._words(prompt, typed=False)
                while not self._leaving:
                    await self._once()
                await self._settle()
                self._reader.put(opening.farewell(self.desk.status))
        finally:
            if self._remembering:
                await asyncio.wait(tuple(self._remembering))
            await self.desk.aclose()
            self._still.running("")
            await self._reader.aclose()
        return 0 if self._reader.answers else self._exit

    def changed(self, blocks: range) -> None:
        """See `Watcher`."""
        every = self.desk.transcript.blocks
        self._reader.put(self._teller.tell(every, blocks))
        for index in blocks:
            block = every[index]
            if isinstance(block, Ended) and block.event.status != "interrupted":
                self._exit = block.event.exit_code
        self._arm_pause()

    def replaced(self) -> None:
        """See `Watcher`: a session was opened."""
        blocks = self.desk.transcript.blocks
        self._teller.skip(blocks)
        same = self._status.session_id == self.desk.status.session_id
        if not same:
            first = not self._status.session_id
            self._reader.put(opening.greeting(self.desk.status, blocks, self._teller.habits, first=first))

    def status(self, status: Status) -> None:
        """See `Watcher`."""
        before, self._status = self._status, status
        lines = announce.status_lines(before, status)
        told = self._progress.line(status.progress)
        self._reader.put((*lines, told) if told else lines)
        names = title_of(self.desk.transcript.blocks) if status.calls and self._teller.habits.progress else ""
        self._still.running(names if status.phase == "working" else "")
        if status.phase == "idle" and before.phase != "idle":
            self._stops = 0
            self._loop.call_soon(self._idle)

    def attention(self, why: Attention) -> None:
        """See `Watcher`."""
        if announce.rings(self.desk.settings.ui, why, terminal=self._reader.answers):
            self._reader.put((), bell=True)

    def restyled(self, ui: UiSettings) -> None:
        """See `Watcher`. Lines have no looks, but there are keys, and how much is said."""
        self._reader.use_keys(ui.keys)
        self._teller.habits = msgspec.structs.replace(self._teller.habits, thoughts=ui.thinking, output=ui.fold_lines)

    def leave(self) -> None:
        """See `Watcher`: the person wants to go."""
        self._leaving = True
        if self._reading is not None:
            self._reading.cancel()

    def stop(self) -> None:
        """Ctrl-C as a signal."""
        if not self._reader.interrupt():
            self._ctrl_c()

    def stop_run(self) -> None:
        """Interrupt the run: in order, then at once."""
        if self.desk.interrupt():
            self._stops += 1
            self._reader.put((Line("stopping." if self._stops == 1 else "stopping at once.", "Notice:"),))

    async def _once(self) -> None:
        """Read once, and do it."""
        try:
            text = await self._read()
        except StoppedError:
            self._ctrl_c()
            return
        except EOFError:
            self._leaving = True
            return
        except asyncio.CancelledError:
            if not self._leaving:
                raise
            return
        if text.strip():
            await self._take(text)

    async def _read(self) -> str:
        self._reading = self._loop.create_task(self._reader.prompt(busy=self.desk.busy))
        try:
            return await self._reading
        finally:
            self._reading = None

    async def _take(self, text: str) -> None:
        if self._parts.memory is not None and self._reader.answers:
            self._remember(self._parts.memory, text)
        if text.startswith(">") and text[1:].strip():
            if self.desk.busy:
                self._reader.put((Line("said to the run after its present step.", "Steered:"),))
            self.desk.steer(text[1:].strip())
            return
        meant = meaning(text)
        if not self._reader.echoes and not isinstance(meant, Words):
            self._reader.put(spoken("You:", text))
        match meant:
            case Command(name="picture", argument=argument):
                await self._run_command(self._add_picture(argument))
            case Command(name=name, argument=argument):
                await self._do_command(name, argument, text)
            case Shell(command=command):
                await self._do_shell(command)
            case Words(text=words):
                await self._words(words, typed=self._reader.echoes)
            case other:
                assert_never(other)

    async def _words(self, text: str, *, typed: bool) -> None:
        images = self._pictures.take()
        if self.desk.busy or self.desk.waiting.prompts:
            self.desk.enter(text, images)
            if self.desk.waiting.prompts:
                self._reader.put((announce.queued_line(self.desk.waiting),))
        else:
            if typed:
                self._teller.typed(text)
            self.desk.enter(text, images)
        if not self._reader.answers:
            await self._settle()

    async def _add_picture(self, argument: str) -> None:
        self._reader.put((await self._pictures.add(argument),))

    async def _do_command(self, name: str, argument: str, text: str) -> None:
        own = perform_own(name, argument, self.desk.transcript.blocks, self._teller.habits)
        if own is not None:
            self._teller.habits = own.habits
            self._reader.put(own.lines)
        elif self._parts.perform is None:
            self._reader.put((Line("there are no commands here.", "Error:"),))
        else:
            await self._run_command(self._parts.perform(self.desk, text))
            if not self._reader.answers:
                await self._settle()

    async def _do_shell(self, command: str) -> None:
        if self._parts.shell is None or self._parts.run_shell is None:
            self._reader.put((Line("this system has no shell that kimicode can use.", "Error:"),))
        else:
            await self._run_command(self._parts.run_shell(self.desk, self._parts.shell, command))

    async def _run_command(self, work: Awaitable[object]) -> None:
        """Do it such that Ctrl-C can end it; what goes wrong is said."""

        async def doing() -> object:
            return await work

        self._command = self._loop.create_task(doing())
        try:
            await asyncio.wait({self._command})
        finally:
            command, self._command = self._command, None
            if not command.done():
                command.cancel()
        if command.cancelled():
            self._reader.put((Line("stopped.", "Notice:"),))
            return
        match command.exception():
            case None:
                pass
            case KimicodeError() as error:
                self._person.say(str(error), "error")
            case error:
                self._person.say(f"unexpected {type(error).__name__}: {error}. This is a fault in kimicode; please report it.", "error")

    def _remember(self, memory: Memory, text: str) -> None:
        """Keep a prompt, beside everything else and after the one before: it may have to wait for a disk."""
        task = self._loop.create_task(self._kept(memory, text, tuple(self._remembering)))
        self._remembering.add(task)
        task.add_done_callback(self._remembering.discard)

    async def _kept(self, memory: Memory, text: str, before: "tuple[asyncio.Task[None], ...]") -> None:
        if before:
            await asyncio.wait(before)
        await asyncio.to_thread(memory.add, text)

    async def _settle(self) -> None:
        """Wait until everything that was asked for is done; where somebody sits there, what runs is left to them to wait for."""
        if self._reader.answers:
            return
        working = True
        while working:
            # The desk says when it is idle a moment before it is.
            await asyncio.sleep(_LOOK_S)
            working = self.desk.busy or bool(self.desk.waiting.prompts and not self.desk.waiting.paused)

    def _ctrl_c(self) -> None:
        if self._person.stop_work():
            return
        if self._parts.shell is not None and self._parts.shell.interrupt():
            return
        if self._command is not None:
            self._command.cancel()
            return
        if self.desk.busy:
            self.stop_run()
            return
        now = self._clock()
        if now - self._last_stop < _TWICE_S:
            self.leave()
            return
        self._last_stop = now
        self._reader.put((Line("nothing runs. Ctrl-C once more quits; so does Ctrl-D.", "Notice:"),))
        self._reader.remind()

    def _idle(self) -> None:
        held = announce.held_line(self.desk.waiting)
        if held is not None:
            self._reader.put((held,))
        self._reader.remind()

    def _arm_pause(self) -> None:
        if self._pause is not None or not self._teller.wants_pause:
            return
        self._pause = self._loop.call_later(self._pause_s, self._let_out)

    def _let_out(self) -> None:
        self._pause = None
        self._reader.put(self._teller.pause())
        self._arm_pause()


def run_line(
    settings: Settings,
    wish: Wish,
    prompt: str | None,
    environ: Mapping[str, str],
    workspace: Path,
    model: ModelClient | None = None,
    stdin: TextIO | None = None,
    stdout: TextIO | None = None,
) -> int:
    """A whole session; the exit code. `stdin` and `stdout` are the process's own where they are left out. Raises `KimicodeError`."""

    async def session() -> int:
        parts = find_parts(environ, workspace, 100)
        make_reader = opening.reader_maker(settings, environ, stdin, stdout)
        mode = LineMode(make_reader, settings=settings, environ=environ, workspace=workspace, parts=parts, model=model)
        return await mode.run(wish, prompt)

    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(session())
    return 130
