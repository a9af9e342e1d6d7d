"""Something that goes on for a while: what it does, how far it is, Escape to stop it.

Where the share is known, a bar; nothing moves by itself. Where it isn't, the seconds it has taken, told once a second.
What this module does not do: run the job (`person`).
"""

import time
from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Button, Static

from kimicode.tui.dialogs.base import Dialog
from kimicode.tui.dialogs.words import harmless, label


class WorkDialog(Dialog[bool]):
    """Shows a job. Its answer is true where the job ended, false where somebody stopped it. It is also the job's `Step`."""

    DEFAULT_CSS = """
    WorkDialog > .frame { width: 80%; max-width: 80; }
    WorkDialog #told { height: auto; max-height: 6; }
    WorkDialog #bar { height: 1; color: $text-primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "withdraw", "Stop", show=False)]

    def __init__(self, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(False)
        self._title = title
        self._clock = clock
        self._began = clock()
        self._text = ""
        self._share: float | None = None
        self._ticks: Timer | None = None

    def compose(self) -> ComposeResult:
        """What it does, how far it is, how to stop it."""
        frame = Vertical(classes="frame")
        frame.border_title = label(self._title)
        with frame:
            yield Static("", markup=False, id="told")
            yield Static("", markup=False, id="bar")
            yield Button(label("Stop (Esc)"), compact=True)

    def on_mount(self) -> None:
        """Show what was told before."""
        self._show()

    def on_resize(self) -> None:
        """A bar of another width."""
        self._tick()

    def on_button_pressed(self) -> None:
        """Stop it."""
        self.withdraw()

    def tell(self, text: str, share: float | None = None) -> None:
        """How far it is."""
        self._text, self._share = text, share
        if self.is_mounted and not self.answered:
            self._show()

    def _show(self) -> None:
        self.query_one("#told", Static).update(Content(harmless(self._text)))
        self._tick()
        if self._share is not None and self._ticks is not None:
            self._ticks.stop()
            self._ticks = None
        elif self._share is None and self._ticks is None:
            self._ticks = self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        bar = self.query_one("#bar", Static)
        if self._share is None:
            bar.update(Content(f"{self._clock() - self._began:.0f} s"))
        else:
            bar.update(Content(drawn_share(self._share, max(10, (bar.size.width or 40) - 6))))


def drawn_share(share: float, width: int) -> str:
    """A bar of `width` cells and a number."""
    share = min(1.0, max(0.0, share))
    full = int(share * width)
    return "█" * full + "░" * (width - full) + f" {share:4.0%}"
