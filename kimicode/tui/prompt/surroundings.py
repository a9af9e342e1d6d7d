"""What the prompt editor needs from outside. Each part has a default that does nothing, so a test takes what it wants to look at.

What this module does not do: anything by itself.
"""

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec

from kimicode.interactive.prompt.found import Found
from kimicode.messages import Image

Start: TypeAlias = Callable[[Coroutine[None, None, None]], object]
"""Runs something beside everything else, for as long as the widget is there."""


class Files(Protocol):
    """The files of the workspace; `interactive.prompt.files.WorkspaceFiles` is it."""

    @property
    def stale(self) -> bool:
        """True where `refresh` has something to do."""
        ...

    def refresh(self) -> bool:
        """List anew; True where there are others. Blocks."""
        ...

    def search(self, query: str, limit: int = 50, overtaken: Callable[[], bool] = ...) -> tuple[Found, ...] | None:
        """The best of them; None where the search was overtaken. Takes milliseconds."""
        ...

    def expire(self) -> None:
        """Files may have come and gone."""
        ...

    def use(self, path: str) -> None:
        """This one was chosen."""
        ...


class Past(Protocol):
    """Earlier prompts; `interactive.prompt.history.History` is it. Both calls wait for the disk."""

    def load(self) -> tuple[str, ...]:
        """All of them, the newest first."""
        ...

    def add(self, text: str) -> bool:
        """Keep one more."""
        ...


class Keep(Protocol):
    """Makes a copy of a picture that only the user can read. Raises `KimicodeError` where it is none, or too large. Blocks."""

    def __call__(self, source: Path | bytes, name: str) -> Image:
        """The copy of a file, or of bytes from the clipboard."""
        ...


class Surroundings(msgspec.Struct, frozen=True):
    """All of it. `arguments` gives what a command takes; `picture` the picture on the clipboard; `outside` lets the user's own editor have
    the terminal; `is_file` looks at the disk. The last three may raise `KimicodeError`, and `picture` and `is_file` block."""

    arguments: Callable[[str], Sequence[str]] = lambda _: ()
    past: Past | None = None
    keep: Keep | None = None
    picture: Callable[[], bytes | None] | None = None
    outside: Callable[[str], str | None] | None = None
    is_file: Callable[[Path], bool] = Path.is_file
    home: Path = Path("/")
