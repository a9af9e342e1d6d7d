"""A dialog: a screen on top that any task on the application's loop can open, await and take away again.

    answer = await ask(app, Confirm("Delete it?"))      # cancelling takes the dialog away

Textual's own `push_screen_wait` needs one of its workers, and its `dismiss` takes away whatever is on top. Here a dialog that is done while
another one lies over it leaves as soon as that one is gone, and an application that ends answers every dialog with its `nothing`.
What this module does not do: know what is asked, or who may interrupt whom (`person`).
"""

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

T = TypeVar("T")


class Dialog(ModalScreen[T], Generic[T]):
    """Base of all dialogs. `nothing` is the answer of somebody who leaves without one. One `.frame` holds everything."""

    DEFAULT_CSS = """
    Dialog {
        align: center middle;
        background: $background 60%;
    }
    Dialog > .frame {
        width: 90%;
        max-width: 100;
        height: auto;
        max-height: 100%;
        border: round $primary;
        border-title-color: $text-primary;
        border-title-style: bold;
        border-subtitle-color: $text-muted;
        background: $surface;
        color: $foreground;
        padding: 0 1;
    }
    Dialog .muted { color: $text-muted; }
    Dialog .wrong { color: $text-error; }
    Dialog .asked { text-style: bold; }
    Dialog .hint { color: $text-muted; height: auto; width: 1fr; }
    Dialog Button { min-width: 0; width: auto; height: 1; border: none; padding: 0; }
    Dialog Button:focus { text-style: bold reverse; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f1", "help", "Help", show=False)]

    def __init__(self, nothing: T) -> None:
        super().__init__()
        self.nothing = nothing
        self.typed_at = float("-inf")
        self._answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._leaves = False
        self.helper: Callable[[], None] | None = None

    @property
    def answered(self) -> bool:
        """True once there is an answer."""
        return self._answer.done()

    async def answer(self) -> T:
        """The answer, when there is one."""
        return await asyncio.shield(self._answer)

    def finish(self, answer: T) -> None:
        """Answer, and leave. Only the first answer counts."""
        if not self._answer.done():
            self._answer.set_result(answer)
        self._leave()

    def withdraw(self) -> None:
        """Leave without an answer."""
        self.finish(self.nothing)

    def action_withdraw(self) -> None:
        """The key for `withdraw`."""
        self.withdraw()

    def action_help(self) -> None:
        """Help, from whoever put this up."""
        if self.helper is not None:
            self.helper()

    def on_screen_resume(self) -> None:
        """What lay over this dialog is gone."""
        if self._answer.done():
            self._leave()

    def on_unmount(self) -> None:
        """The application ends, or somebody took the screen away."""
        if not self._answer.done():
            self._answer.set_result(self.nothing)

    def on_input_changed(self, _: Input.Changed) -> None:
        """Somebody types in here."""
        self.note_typing()

    def note_typing(self) -> None:
        """Nothing may come over this for a moment."""
        self.typed_at = time.monotonic()

    def _leave(self) -> None:
        if not self._leaves and self in self.app.screen_stack and self.app.screen is self:
            self._leaves = True
            self.dismiss()


async def ask(app: "App[object]", dialog: Dialog[T]) -> T:
    """Open `dialog`, wait for its answer, and have it gone afterwards, also where this is cancelled.

    Works in any task of the application's loop: the screen is put up and taken away by the application's own message pump.
    """

    def put_up() -> None:
        if not dialog.answered:
            app.push_screen(dialog)

    if not app.is_running or not app.call_later(put_up):
        return dialog.nothing
    try:
        return await dialog.answer()
    finally:
        if not dialog.answered:
            app.call_later(dialog.withdraw)
