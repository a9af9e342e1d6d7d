"""A yes or no. No is the default: Enter and Escape both mean it.

What this module does not do: approve calls (`approval`).
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Static

from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.words import label, said


class Confirm(Dialog[bool]):
    """Asks one question."""

    DEFAULT_CSS = """
    Confirm > .frame { width: auto; min-width: 40; max-width: 90%; }
    Confirm VerticalScroll { height: auto; max-height: 60vh; width: auto; min-width: 36; max-width: 100%; scrollbar-size-vertical: 1; }
    Confirm Static { width: auto; max-width: 100%; }
    Confirm Horizontal { height: 1; margin-top: 1; width: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "answer(False)", "No", show=False),
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("up", "read(-1)", "Scroll up", show=False),
        Binding("down", "read(1)", "Scroll down", show=False),
        Binding("left,right", "other", "The other answer", show=False),
    ]

    def __init__(self, question: str, detail: str = "") -> None:
        super().__init__(False)
        self._question = question
        self._detail = detail

    def compose(self) -> ComposeResult:
        """The question, what there is to know, the answers."""
        with Vertical(classes="frame"):
            with VerticalScroll(can_focus=False):
                yield Static(said(self._question), classes="asked")
                if self._detail:
                    yield Static(said(self._detail), classes="muted")
            with Horizontal():
                yield Button(label("No (n)"), id="no", compact=True)
                yield Button(label("Yes (y)"), id="yes", compact=True)

    def on_mount(self) -> None:
        """No is what Enter means."""
        self.query_one("#no").focus()

    def action_answer(self, yes: bool) -> None:
        """A key answers."""
        self.finish(yes)

    def action_other(self) -> None:
        """Go to the other button."""
        self.focus_next(Button)

    def action_read(self, by: int) -> None:
        """What is asked may be longer than its place."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A button answers."""
        self.finish(event.button.id == "yes")
