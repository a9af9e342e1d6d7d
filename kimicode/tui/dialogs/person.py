"""`TuiPerson`: whoever sits in front of the full screen, as `kimicode.interactive.person.Person`.

    person = TuiPerson(app, look=…, last_key=…, waiting=…)
    await person.approve(question)       # from any task on the application's loop

Dialogs lie over each other, the newest on top; but nothing opens over an approval, and approvals come one at a time. One waits until nobody
has typed for a moment; `waiting(True)` says meanwhile that it does. What this module does not do: draw, or know a key.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar, cast

from textual.app import App
from textual.notifications import SeverityLevel

from kimicode.interactive.person import Field, Form, Level, Menu, Option, Page, Step
from kimicode.sandbox.approval import Answer, Question
from kimicode.tui.dialogs.approval import Approval
from kimicode.tui.dialogs.base import Dialog, ask
from kimicode.tui.dialogs.confirm import Confirm
from kimicode.tui.dialogs.drawing import DRAWING, Drawing
from kimicode.tui.dialogs.form import FormDialog
from kimicode.tui.dialogs.help import help_page
from kimicode.tui.dialogs.page import PageDialog
from kimicode.tui.dialogs.picker import Picker
from kimicode.tui.dialogs.quiet import typing_left
from kimicode.tui.dialogs.word import WordDialog
from kimicode.tui.dialogs.words import harmless
from kimicode.tui.dialogs.work import WorkDialog
from kimicode.tui.draw.values import Look

T = TypeVar("T")
R = TypeVar("R")

_SEVERITY: Final[Mapping[Level, SeverityLevel]] = {"info": "information", "warning": "warning", "error": "error"}


class TuiPerson:
    """See the module. `last_key` tells when the user last typed in the prompt, by `clock`; `waiting` is told while an approval waits
    for them to stop. Both are only asked and told on the application's loop."""

    def __init__(
        self,
        app: "App[R]",
        look: Callable[[], Look],
        last_key: Callable[[], float],
        waiting: Callable[[bool], None],
        *,
        drawing: Drawing = DRAWING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = cast("App[object]", app)  # What it returns when it ends is nobody's matter here.
        self._look = look
        self._last_key = last_key
        self._waiting = waiting
        self._drawing = drawing
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._free = asyncio.Event()
        self._free.set()
        self._approved_at = float("-inf")

    def say(self, text: str, level: Level = "info") -> None:
        """A notification."""
        self._app.notify(harmless(text), severity=_SEVERITY[level], markup=False)

    async def show(self, page: Page) -> None:
        """A page, until it is left."""
        await self._ask(lambda: PageDialog(page, self._look, self._drawing))

    async def choose(self, menu: Menu) -> int | None:
        """A list; None where it is left, or where there is nothing to choose."""
        return await self._ask(lambda: Picker(menu, self._look, self._drawing))

    async def confirm(self, question: str, *, detail: str = "") -> bool:
        """A yes or no."""
        return await self._ask(lambda: Confirm(question, detail))

    async def word(self, field: Field) -> str | None:
        """One line, or one of the field's choices."""
        if not field.choices:
            return await self._ask(lambda: WordDialog(field))
        options = tuple(Option(choice, current=choice == field.value) for choice in field.choices)
        chosen = await self.choose(Menu(field.label, options, words=field.help))
        return None if chosen is None else field.choices[chosen]

    async def fill(self, form: Form) -> Mapping[str, str] | None:
        """A form."""
        return await self._ask(lambda: FormDialog(form, self._look, self._drawing))

    async def approve(self, question: Question) -> Answer:
        """An approval, once nobody types; after the one before it."""
        async with self._one_at_a_time:
            await self._nobody_types()
            dialog = Approval(question, self._look, self._drawing, clock=self._clock)
            self._free.clear()
            try:
                answer = await self._put(dialog)
            finally:
                self._free.set()
            self._approved_at = self._clock()
            return answer

    async def work(self, title: str, job: Callable[[Step], Awaitable[None]]) -> bool:
        """Do a job and show how far it is; Escape cancels it. What it raises is raised."""
        await self._free.wait()
        dialog = WorkDialog(title)
        working = asyncio.ensure_future(job(dialog))
        working.add_done_callback(lambda _: self._app.call_later(dialog.finish, True))
        try:
            await self._put(dialog)
        finally:
            stopped = not working.done()
            if stopped:
                working.cancel()
                await asyncio.wait({working})
        if stopped or working.cancelled():
            if not working.cancelled():
                working.exception()  # Looked at, so that nobody is told of it: it was stopped.
            return False
        working.result()
        return True

    async def _ask(self, dialog: Callable[[], Dialog[T]]) -> T:
        # An approval must be answered for what it says: nothing comes over it.
        await self._free.wait()
        return await self._put(dialog())

    async def _put(self, dialog: Dialog[T]) -> T:
        dialog.helper = self._help
        return await ask(self._app, dialog)

    def _help(self) -> None:
        self._app.push_screen(PageDialog(help_page(self._app.screen), self._look, self._drawing))

    async def pause(self) -> None:
        """See `abilities.SeesTyping`."""
        await self._nobody_types()

    async def _nobody_types(self) -> None:
        told = False
        try:
            while (left := typing_left(self._clock(), self._typed())) > 0:
                if not told:
                    told = True
                    self._waiting(True)
                await asyncio.sleep(left)
        finally:
            if told:
                self._waiting(False)

    def _typed(self) -> float:
        """When somebody last typed, in the prompt or in a dialog. The key that answered the approval before is not typing."""
        dialogs = [screen for screen in self._app.screen_stack if isinstance(screen, Dialog)]
        last = self._last_key()
        prompt = last if last > self._approved_at else float("-inf")
        return max(prompt, dialogs[-1].typed_at if dialogs else float("-inf"))
