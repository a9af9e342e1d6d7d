"""A form: one line a field, help for the one that has the focus, what is wrong with one once it is left, all checked before it is taken.

Ctrl+S takes it, Escape asks only where something was changed. Choices go left and right, or Enter opens a list of them. Secrets are dots.
What this module does not do: know settings, or keep a value.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Button, Static

from kimicode.interactive.person import Field, Form, Menu, Option
from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.confirm import Confirm
from kimicode.tui.dialogs.drawing import Drawing
from kimicode.tui.dialogs.lines import folded
from kimicode.tui.dialogs.picker import Picker
from kimicode.tui.dialogs.word import Entry
from kimicode.tui.dialogs.words import harmless, label, one_line, said
from kimicode.tui.draw.values import Look

_AROUND: Final = 6
"""Lines of a form besides its fields: the border, two of help, the buttons, one to spare for what is wrong."""


class Pick(Widget, can_focus=True):
    """One of the choices of a field."""

    DEFAULT_CSS = """
    Pick { height: 1; width: 1fr; background: $panel; }
    Pick:focus { background-tint: $foreground 10%; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "Choice before", show=False),
        Binding("right", "step(1)", "Next choice", show=False),
        Binding("enter,space", "open", "All choices", show=False),
    ]

    class Opened(Message):
        """Somebody wants to see all choices."""

        def __init__(self, pick: "Pick") -> None:
            super().__init__()
            self.pick = pick

    def __init__(self, field: Field, id: str | None = None) -> None:
        super().__init__(id=id)
        # A value that is no choice any more stays until another one is taken.
        self.choices: Sequence[str] = field.choices if field.value in field.choices else (field.value, *field.choices)
        self.at = self.choices.index(field.value)

    @property
    def answer(self) -> str:
        """What is chosen."""
        return self.choices[self.at]

    def choose(self, at: int) -> None:
        """That one."""
        self.at = at % len(self.choices)
        self.refresh()

    def action_step(self, by: int) -> None:
        """The next one, or the one before."""
        self.choose(self.at + by)

    def action_open(self) -> None:
        """All of them."""
        self.post_message(self.Opened(self))

    def on_click(self) -> None:
        """As Enter."""
        self.action_open()

    def render(self) -> Content:
        """The choice, between what leads to the others."""
        return Content(f"‹ {one_line(self.answer) or '(empty)'} ›")


class Fields(VerticalScroll, can_focus=False, inherit_bindings=False):
    """What scrolls. Up and down are for the fields in it, not for itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page_up", "A page up", show=False),
        Binding("pagedown", "page_down", "A page down", show=False),
    ]


class FormDialog(Dialog["dict[str, str] | None"]):
    """Asks for all fields of a form."""

    DEFAULT_CSS = """
    FormDialog > .frame { width: 95%; max-width: 110; }
    FormDialog VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; scrollbar-gutter: stable; }
    FormDialog .words { height: auto; color: $text-muted; margin-bottom: 1; }
    FormDialog .group { height: auto; text-style: bold; color: $text-primary; margin-top: 1; }
    FormDialog .row { height: 1; }
    FormDialog .name { width: 38%; max-width: 34; height: 1; text-overflow: ellipsis; text-wrap: nowrap; }
    FormDialog .wrong { height: auto; display: none; padding-left: 2; }
    FormDialog .wrong.-shown { display: block; }
    FormDialog #help { height: 2; color: $text-muted; }
    FormDialog #buttons { height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "save", "Save", show=False, priority=True),
        Binding("escape", "leave", "Leave", show=False),
        Binding("up", "app.focus_previous", "Field before", show=False),
        Binding("down", "app.focus_next", "Next field", show=False),
    ]
    HELP = "A form. Ctrl+S saves it, Escape leaves it as it was."

    def __init__(self, form: Form, look: Callable[[], Look], drawing: Drawing) -> None:
        super().__init__(None)
        self._form = form
        self._look = look
        self._drawing = drawing
        self._fields = [field for _, fields in form.groups for field in fields]
        self._editors: list[Entry | Pick] = [
            Pick(field, id=f"field-{at}") if field.choices else Entry(field, id=f"field-{at}") for at, field in enumerate(self._fields)
        ]
        self._wrongs = [Static("", markup=False, classes="wrong") for _ in self._fields]

    def compose(self) -> ComposeResult:
        """Groups of lines, the help, the buttons."""
        frame = Vertical(classes="frame")
        frame.border_title = label(self._form.title)
        at = 0
        with frame:
            with Fields():
                if self._form.words:
                    yield Static(said(self._form.words), classes="words")
                for title, fields in self._form.groups:
                    if title:
                        yield Static(label(title), classes="group")
                    for field in fields:
                        with Horizontal(classes="row"):
                            yield Static(label(field.label or field.name), classes="name")
                            yield self._editors[at]
                        yield self._wrongs[at]
                        at += 1
            yield Static("", markup=False, id="help")
            with Horizontal(id="buttons"):
                yield Button(label("Save (Ctrl+S)"), id="save", compact=True)
                yield Button(label("Leave (Esc)"), id="leave", compact=True)

    def on_mount(self) -> None:
        """Begin with the first field."""
        if self._editors:
            self._editors[0].focus()

    def on_resize(self) -> None:
        """As high as it has to be."""
        inner = min(110, self.size.width * 95 // 100) - 5
        words = len(folded(harmless(self._form.words), inner)) + 1 if self._form.words else 0
        titles = sum(2 for title, _ in self._form.groups if title)
        self.query_one(".frame").styles.height = min(self.size.height, words + titles + len(self._fields) + _AROUND)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Help for this field."""
        at = self._number(event.widget)
        text = "" if at is None else self._fields[at].help
        self.query_one("#help", Static).update(Content(harmless(text)))

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Is it right what was left?"""
        at = self._number(event.widget)
        if at is not None and not self.answered:
            self._check(at)

    def on_input_submitted(self) -> None:
        """On to the next line."""
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """A click."""
        if event.button.id == "save":
            self.action_save()
        else:
            self.action_leave()

    def on_pick_opened(self, event: Pick.Opened) -> None:
        """A list of all choices."""
        self.run_worker(self._open(event.pick), exit_on_error=False)

    def action_save(self) -> None:
        """Take it, once all of it is right."""
        wrong = [at for at in range(len(self._fields)) if self._check(at)]
        if wrong:
            first = self._editors[wrong[0]]
            first.focus(scroll_visible=False)
            # The lines that say what is wrong move everything below them.
            self.call_after_refresh(first.scroll_visible, animate=False)
        else:
            self.finish({field.name: editor.answer for field, editor in zip(self._fields, self._editors, strict=True)})

    def action_leave(self) -> None:
        """Leave; ask first where something would be lost."""
        if all(editor.answer == field.value for field, editor in zip(self._fields, self._editors, strict=True)):
            self.withdraw()
        else:
            self.run_worker(self._ask_to_leave(), group="leave", exclusive=True, exit_on_error=False)

    async def _ask_to_leave(self) -> None:
        confirm = Confirm("Leave without saving what you changed?")
        self.app.push_screen(confirm)
        if await confirm.answer():
            self.withdraw()

    async def _open(self, pick: Pick) -> None:
        field = self._fields[self._editors.index(pick)]
        options = tuple(Option(choice or "(empty)", current=at == pick.at) for at, choice in enumerate(pick.choices))
        picker = Picker(Menu(field.label or field.name, options, words=field.help), self._look, self._drawing)
        self.app.push_screen(picker)
        chosen = await picker.answer()
        if chosen is not None:
            pick.choose(chosen)

    def _check(self, at: int) -> str:
        field = self._fields[at]
        wrong = field.check(self._editors[at].answer) if field.check is not None else ""
        note = self._wrongs[at]
        note.update(Content(f"! {harmless(wrong)}"))
        note.set_class(bool(wrong), "-shown")
        return wrong

    def _number(self, widget: Widget) -> int | None:
        return self._editors.index(widget) if isinstance(widget, Entry | Pick) else None
