"""A prompt that can be edited, at the bottom of a terminal; output goes above it while somebody types.

The normal screen, no mouse, no menu, no ghost text: Tab completes as readline does, Up with something typed goes through earlier prompts
that begin so, Ctrl+R searches them. Only the prompt's own lines are ever drawn anew. What this module does not do: know what is typed.
"""

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, TypedDict

from prompt_toolkit.application import Application, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, WordCompleter
from prompt_toolkit.completion import Completion as Offered
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import DummyHistory, History, ThreadedHistory
from prompt_toolkit.input import Input
from prompt_toolkit.input.typeahead import clear_typeahead
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.shortcuts import CompleteStyle, PromptSession
from prompt_toolkit.styles import DEFAULT_ATTRS

from kimicode.line.keys import prompt_keys
from kimicode.line.reader import Complete, Memory, Request, StoppedError
from kimicode.line.words import Line, safe

QUIET_S: Final = 0.425
"""So long nobody may have pressed a key before a question takes an answer."""

_CEILING_S: Final = 1.5
"""Somebody who types on for longer than this is interrupted."""

_BOLD: Final = DEFAULT_ATTRS._replace(bold=True)


class _Common(TypedDict):
    editing_mode: EditingMode
    complete_style: CompleteStyle
    reserve_space_for_menu: int
    color_depth: ColorDepth
    input: Input
    output: Output


class _AsideError(Exception):
    """Something else wants the terminal."""


class PromptReader:
    """See the module. `input` and `output` are prompt_toolkit's; `quiet_s` is 0 where nobody's fingers are involved."""

    def __init__(
        self,
        input: Input,
        output: Output,
        *,
        keys: Literal["emacs", "vi"] = "emacs",
        bold: bool = True,
        memory: Memory | None = None,
        complete: Complete | None = None,
        quiet_s: float = QUIET_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if isinstance(output, Vt100_Output):
            # Nothing here needs to know where the cursor is, and not every terminal answers.
            output.enable_cpr = False
        self._input = input
        self._output = output
        self._mode = EditingMode.VI if keys == "vi" else EditingMode.EMACS
        self._bold = bold
        self._quiet_s = quiet_s
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        # What comes from the agent's thread runs in a context of its own, in which prompt_toolkit would not find its application.
        self._context = contextvars.copy_context()
        self._pending: list[Line] = []
        self._bells = 0
        self._flushing: set[asyncio.Task[None]] = set()
        self._running: Application[str] | None = None
        self._draft = Document()
        self._asides = 0
        self._free = asyncio.Event()
        self._free.set()
        self._closed = asyncio.Event()
        self._closed.set()
        self._last_key = -_CEILING_S
        self._session = self._main_session(memory, complete)

    @property
    def answers(self) -> bool:
        """Somebody sits there."""
        return True

    @property
    def echoes(self) -> bool:
        """What was typed stays on the screen."""
        return True

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._output.get_size().columns

    def put(self, lines: Sequence[Line], *, bell: bool = False) -> None:
        """Print lines above the prompt, or simply print them."""
        self._pending += lines
        self._bells += bell
        if self._running is None or not self._running.is_running:
            self._write_pending()
        elif all(task.done() for task in self._flushing):
            # One that is done is forgotten a moment later only, and takes nothing along any more.
            task = self._loop.create_task(self._flush(), context=self._context)
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)

    def remind(self) -> None:
        """The prompt is always the last thing there."""

    def interrupt(self) -> bool:
        """Ctrl-C came as a signal, not as a key. True where a prompt was open."""
        if self._running is None or not self._running.is_running or self._running.is_done:
            return False
        self._running.exit(exception=StoppedError())
        return True

    async def prompt(self, *, busy: bool = False) -> str:  # noqa: ARG002
        """The next prompt; see `Reader`."""
        while True:
            await self._free.wait()
            draft, self._draft = self._draft, Document()
            self._session.app.erase_when_done = False
            try:
                return await self._run(self._session, draft)
            except _AsideError:
                continue

    async def calm(self) -> None:
        """Wait until no key has come for a moment; where the prompt was put away, until nobody else has the terminal."""
        if self._asides:
            await self._closed.wait()
            return
        began = self._clock()
        while self._running is not None:
            now = self._clock()
            wait = min(self._last_key + self._quiet_s, began + _CEILING_S) - now
            if wait <= 0:
                return
            await asyncio.sleep(wait)

    async def ask(self, request: Request) -> str:
        """See `Reader`. One question at a time: whoever asks sees to that."""
        self.begin_aside()
        try:
            await self._closed.wait()
            if request.grave:
                await self._absorb()
            session = self._question_session(request)
            return await self._run(session, Document("" if request.secret else request.default))
        finally:
            self.end_aside()

    def use_keys(self, keys: Literal["emacs", "vi"]) -> None:
        """These keys from now on."""
        self._mode = EditingMode.VI if keys == "vi" else EditingMode.EMACS
        self._session.app.editing_mode = self._mode

    def begin_aside(self) -> None:
        """Put the prompt away, with what is half typed in it."""
        self._asides += 1
        self._free.clear()
        app = self._session.app
        if self._running is app and app.is_running and not app.is_done:
            self._draft = self._session.default_buffer.document
            app.erase_when_done = True
            app.exit(exception=_AsideError())

    def end_aside(self) -> None:
        """Let the prompt come back, once nobody else has the terminal."""
        self._asides -= 1
        if self._asides == 0:
            self._free.set()

    async def aclose(self) -> None:
        """Print what is left."""
        if self._flushing:
            await asyncio.wait(tuple(self._flushing))
        self._write_pending()

    async def _run(self, session: PromptSession[str], draft: Document) -> str:
        self._closed.clear()
        self._running = session.app
        try:
            # Exceptions of background tasks are reported by whoever started them, not on this screen.
            return await session.prompt_async(default=draft, set_exception_handler=False, handle_sigint=False)
        finally:
            self._running = None
            self._closed.set()

    async def _flush(self) -> None:
        while self._pending or self._bells:
            async with in_terminal():
                self._write_pending()

    def _write_pending(self) -> None:
        lines, self._pending = self._pending, []
        bells, self._bells = self._bells, 0
        if not lines and not bells:
            return
        for line in lines:
            if line.role and self._bold:
                self._output.set_attributes(_BOLD, ColorDepth.DEPTH_1_BIT)
                self._output.write(line.role)
                self._output.reset_attributes()
                self._output.write(line.plain()[len(line.role) :] + "\n")
            else:
                self._output.write(line.plain() + "\n")
        if bells:
            self._output.bell()
        with contextlib.suppress(OSError):
            self._output.flush()

    async def _absorb(self) -> None:
        """Throw away what was typed before the question could be read, until the keys are quiet."""
        clear_typeahead(self._input)
        began = last = self._clock()
        stopped = False

        def take() -> None:
            nonlocal last, stopped
            keys = [*self._input.read_keys(), *self._input.flush_keys()]
            stopped = stopped or any(press.key == Keys.ControlC for press in keys)
            last = self._clock()

        with self._input.raw_mode(), self._input.attach(take):
            take()
            last = began
            wait = self._quiet_s
            while not stopped and wait > 0:
                await asyncio.sleep(wait)
                wait = min(last + self._quiet_s, began + _CEILING_S) - self._clock()
        if stopped:
            raise StoppedError

    def _message(self, text: str, after: str = "") -> FormattedText:
        return FormattedText([("bold" if self._bold else "", text), ("", after)])

    def _main_session(self, memory: Memory | None, complete: Complete | None) -> PromptSession[str]:
        session: PromptSession[str] = PromptSession(
            self._message("You: "),
            multiline=True,
            prompt_continuation="",
            enable_history_search=True,
            search_ignore_case=True,
            enable_suspend=True,
            enable_open_in_editor=True,
            tempfile_suffix=".md",
            completer=None if complete is None else _Completer(complete),
            complete_in_thread=True,
            complete_while_typing=False,
            history=None if memory is None else ThreadedHistory(_History(memory)),
            key_bindings=prompt_keys(),
            **self._common(),
        )
        session.default_buffer.on_text_changed += self._note_key
        session.app.terminal_size_polling_interval = None
        return session

    def _question_session(self, request: Request) -> PromptSession[str]:
        session: PromptSession[str] = PromptSession(
            self._message(safe(request.prompt).replace("\n", " "), " "),
            is_password=request.secret,
            completer=WordCompleter(list(request.choices), sentence=True) if request.choices else None,
            history=DummyHistory(),
            interrupt_exception=StoppedError,
            **self._common(),
        )
        session.app.terminal_size_polling_interval = None
        return session

    def _common(self) -> _Common:
        return {
            "editing_mode": self._mode,
            "complete_style": CompleteStyle.READLINE_LIKE,
            "reserve_space_for_menu": 0,
            "color_depth": ColorDepth.DEPTH_1_BIT,
            "input": self._input,
            "output": self._output,
        }

    def _note_key(self, _buffer: object) -> None:
        self._last_key = self._clock()


class _History(History):
    """Prompts of earlier days. New ones are kept by whoever sends them."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self._memory = memory

    def load_history_strings(self) -> Iterable[str]:
        """Newest first."""
        return self._memory.load()

    def store_string(self, string: str) -> None:
        """Nothing: it was kept already."""


class _Completer(Completer):
    def __init__(self, complete: Complete) -> None:
        self._complete = complete

    def get_completions(self, document: Document, _complete_event: CompleteEvent) -> Iterator[Offered]:
        """What can stand at the cursor."""
        at = document.cursor_position
        for each in self._complete(document.text, at):
            yield Offered(safe(each.text), start_position=each.start - at, display_meta=safe(each.note))
