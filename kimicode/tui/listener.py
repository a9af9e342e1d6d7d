"""Who is told what the user does on the main screen.

What this module does not do: anything itself.
"""

from collections.abc import Sequence
from typing import Protocol

from kimicode.messages import Image
from kimicode.tui.acts import Act


class Listener(Protocol):
    """Who is told what the user does here."""

    def sent(self, text: str, images: Sequence[Image], *, now: bool) -> None:
        """Something was entered."""
        ...

    def want_diffs(self, call_id: str) -> None:
        """A call is to be seen whose changes nobody looked up."""
        ...

    def copy(self, text: str) -> None:
        """Text is to go into the clipboard."""
        ...

    def open(self, text: str) -> None:
        """A block is to be read in an editor."""
        ...

    def act(self, what: Act) -> None:
        """A key asks for something."""
        ...
