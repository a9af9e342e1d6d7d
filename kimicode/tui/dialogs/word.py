"""One line of text, asked for. A field that has choices is asked with a picker instead (`person`).

What this module does not do: keep what was typed.
"""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from kimicode.interactive.person import Field
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.words import harmless, one_line, said


class Line(Input):
    """One line to type in. Its cursor is still: nothing in kimicode wakes up to blink."""

    DEFAULT_CSS = """
    Line { height: 1; border: none; padding: 0 1; background: $panel; width: 1fr; }
    Line:focus { border: none; background: $panel; background-tint: $foreground 10%; }
    """

    def __init__(
        self, value: str = "", placeholder: str = "", *, secret: bool = False, id: str | None = None, disabled: bool = False
    ) -> None:
        super().__init__(value, placeholder, password=secret, id=id, disabled=disabled, compact=True, select_on_focus=False)
        self.set_reactive(Input.cursor_blink, False)


class Entry(Line):
    """The value of a field. What cannot be shown as it is stays as it was, unless somebody edits it."""

    def __init__(self, field: Field, id: str | None = None) -> None:
        shown = field.value if field.secret else one_line(field.value)
        super().__init__(shown, secret=field.secret, id=id)
        self._given = field.value
        self._shown = shown

    @property
    def answer(self) -> str:
        """What the field holds now."""
        return self._given if self.value == self._shown else self.value


class WordDialog(Dialog["str | None"]):
    """Asks for one field."""

    DEFAULT_CSS = """
    WordDialog > .frame { width: 90%; max-width: 80; }
    WordDialog VerticalScroll { height: auto; max-height: 60vh; scrollbar-size-vertical: 1; }
    WordDialog .wrong { height: auto; max-height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "withdraw", "Leave", show=False),
        Binding("up", "read(-1)", "Scroll up", show=False),
        Binding("down", "read(1)", "Scroll down", show=False),
    ]

    def __init__(self, field: Field) -> None:
        super().__init__(None)
        self._field = field

    def compose(self) -> ComposeResult:
        """What is asked, the line, what is wrong with it."""
        with Vertical(classes="frame"):
            with VerticalScroll(can_focus=False):
                yield Static(said(self._field.label), classes="asked")
                if self._field.help:
                    yield Static(said(self._field.help), classes="muted")
            yield Entry(self._field)
            yield Static("", markup=False, classes="wrong")
            yield Static("Enter takes it · Esc leaves", markup=False, classes="hint")

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(".wrong").display = False
        self.query_one(Entry).focus()

    def action_read(self, by: int) -> None:
        """What is asked may be longer than its place."""
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def on_input_submitted(self) -> None:
        """Take it, if it is right."""
        value = self.query_one(Entry).answer
        wrong = self._field.check(value) if self._field.check is not None else ""
        if wrong:
            message = self.query_one(".wrong", Static)
            message.display = True
            message.update(Content(harmless(wrong)))
        else:
            self.finish(value)
