"""The line in which one types what to find in the transcript.

What this module does not do: search (`TranscriptView` does).
"""

from collections.abc import Iterator
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FindBar(Horizontal):
    """Hidden until `open`. Posts `Wanted` as one types, `Next` for Enter and the arrows, `Closed`."""

    DEFAULT_CSS = """
    FindBar { height: 1; display: none; padding: 0 1; }
    FindBar.-open { display: block; }
    FindBar > Static { width: auto; margin-right: 1; }
    FindBar > Input { width: 1fr; border: none; height: 1; padding: 0 1; background: $surface; }
    FindBar > #found { width: auto; min-width: 12; margin: 0 0 0 1; color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("up,shift+enter", "step(-1)", "before"),
        Binding("down", "step(1)", "after"),
    ]
    HELP = "Find text in the whole transcript, folded parts too. Enter or Down: the next one; Up: the one before; Escape: close."

    class Wanted(Message):
        """`text` is to be found."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Next(Message):
        """The next match (`step` 1) or the one before (-1)."""

        def __init__(self, step: int) -> None:
            super().__init__()
            self.step = step

    class Closed(Message):
        """Searching is over."""

    def compose(self) -> Iterator[Static | Input]:
        """A label, the field, the count."""
        yield Static("Find:", markup=False)
        field = Input(placeholder="text", id="find-text", compact=True)
        field.set_reactive(Input.cursor_blink, False)
        yield field
        yield Static("", markup=False, id="found")

    def open(self) -> None:
        """Show and focus."""
        self.add_class("-open")
        field = self.query_one(Input)
        # At once: what is typed next is meant for it.
        self.screen.set_focus(field)
        field.action_select_all()

    def tell(self, words: str) -> None:
        """Say how many there are."""
        self.query_one("#found", Static).update(words)

    def action_close(self) -> None:
        """Hide."""
        self.remove_class("-open")
        self.post_message(self.Closed())

    def action_step(self, step: int) -> None:
        """Go to another match."""
        self.post_message(self.Next(step))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Wanted(event.value))

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Next(1))
