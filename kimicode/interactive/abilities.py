"""What some user interfaces can do for a person beyond `Person`: lend the terminal, write to it, explain their keys, take a draft, see
whether somebody types.

Each is a protocol that a `Person` may fulfil as well; commands ask with `isinstance` and say so where it is missing.
What this module does not do: any of it.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from kimicode.interactive.person import Page

T = TypeVar("T")


@runtime_checkable
class LendsTerminal(Protocol):
    """Can step aside, so that another program has the terminal."""

    async def lend(self, work: Callable[[], T]) -> T:
        """Restore the terminal, do `work` (which blocks and may use stdin, stdout and stderr), and come back. What it raises is raised."""
        ...


@runtime_checkable
class WritesSequences(Protocol):
    """Can send a control sequence to the terminal without disturbing what is drawn."""

    def write_sequence(self, sequence: str) -> None:
        """Send it as it is."""
        ...


@runtime_checkable
class TakesDraft(Protocol):
    """Has an editor for the next prompt."""

    def put_draft(self, text: str) -> None:
        """Put `text` there, if nothing is written yet."""
        ...


@runtime_checkable
class SeesTyping(Protocol):
    """Knows whether somebody types: a question of the model must not open over that."""

    async def pause(self) -> None:
        """Wait until nobody does."""
        ...


@runtime_checkable
class ExplainsKeys(Protocol):
    """Has keys of its own to explain."""

    def keys(self) -> Page:
        """All keys, and what they do."""
        ...
