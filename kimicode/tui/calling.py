"""What leaves the screen for the terminal or the desktop: notifications, the window's title, the clipboard.

Sequences go through Textual's own writer, so they never land in the middle of a frame. What this module does not do: decide what is sent
(`kimicode.interactive.notify`, `terminal`, `clipboard` do).
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from kimicode.interactive.clipboard import copy, run_program
from kimicode.interactive.desk import Desk
from kimicode.interactive.notify import Message, decide
from kimicode.interactive.terminal import RESTORE_TITLE, SAVE_TITLE, title_sequence
from kimicode.interactive.view.status import Status
from kimicode.interactive.watcher import Attention
from kimicode.tui.app import KimicodeApp

_WORDS: Mapping[Attention, str] = {"asked": "Your answer is wanted.", "done": "Done.", "failed": "The run did not end well."}


class Calling:
    """Calls for one application."""

    def __init__(self, app: KimicodeApp, environ: Mapping[str, str]) -> None:
        self._app = app
        self._environ = environ
        self._titled = ""

    def title(self, status: Status) -> None:
        """Say in the window's title what goes on."""
        if not self._app.ui.title:
            return
        sign = {"idle": "", "asking": "? "}.get(status.phase, "· ")
        text = f"{sign}{status.title or Path(status.workspace).name} — kimicode"
        if text != self._titled:
            if not self._titled:
                self._app.write_sequence(SAVE_TITLE)
            self._titled = text
            self._app.write_sequence(title_sequence(text))

    def call(self, why: Attention, desk: Desk) -> None:
        """Somebody who looks elsewhere is wanted."""
        message = Message("kimicode", f"{Path(desk.workspace).name}: {_WORDS[why]}")
        sending = decide(message, self._app.ui, focused=self._app.watched(), environ=self._environ, which=shutil.which)
        if sending.sequence:
            self._app.write_sequence(sending.sequence)
        if sending.argv:
            desk.background(run_program(sending.argv, b""))

    async def copy(self, text: str) -> str:
        """Copy, and say which way it went."""
        return await copy(text, self._environ, run_program, self._app.write_sequence)

    def end(self) -> None:
        """Give the title back."""
        if self._titled:
            self._app.write_sequence(RESTORE_TITLE)
