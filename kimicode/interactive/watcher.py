"""Whoever draws, as far as a `Desk` needs them: told what is new, on the loop of the user interface.

What this module does not do: draw.
"""

from typing import Literal, Protocol, TypeAlias

from kimicode.interactive.view.status import Status
from kimicode.settings import UiSettings

Attention: TypeAlias = Literal["asked", "done", "failed"]
"""Why somebody who looks elsewhere may want to look here."""


class Watcher(Protocol):
    """Whoever draws."""

    def changed(self, blocks: range) -> None:
        """These blocks of the transcript are new or have changed."""
        ...

    def replaced(self) -> None:
        """There is another transcript."""
        ...

    def status(self, status: Status) -> None:
        """What is so at the moment has changed."""
        ...

    def attention(self, why: Attention) -> None:
        """Somebody is wanted."""
        ...

    def restyled(self, ui: UiSettings) -> None:
        """How things look has been set anew."""
        ...

    def leave(self) -> None:
        """The user wants to go."""
        ...
