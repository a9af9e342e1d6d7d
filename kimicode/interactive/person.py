"""The person in front of the screen, as far as commands need one: show a page, let them choose, ask for a word, a form, a yes.

Written once for both user interfaces: the full-screen UI answers with screens, the line mode with numbered lines. Texts in here may come
from outside; whoever shows them makes them harmless. What this module does not do: draw anything, or know a command.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

from kimicode.sandbox.approval import Answer, FileText, Question

Level: TypeAlias = Literal["info", "warning", "error"]


class Words(msgspec.Struct, frozen=True):
    """A paragraph, plain."""

    text: str


class Prose(msgspec.Struct, frozen=True):
    """Markdown of our own: help pages. Never text from outside."""

    markdown: str


class Rows(msgspec.Struct, frozen=True):
    """A table. `header` may be empty."""

    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] = ()


class Code(msgspec.Struct, frozen=True):
    """Text whose lines and columns count. `language` is a lexer's name, or empty."""

    text: str
    language: str = ""


class Share(msgspec.Struct, frozen=True):
    """How much of something a part takes: drawn as a bar, read as numbers. `unit` is `tokens`, `bytes` …"""

    label: str
    value: float
    total: float
    unit: str = ""


class Diff(msgspec.Struct, frozen=True):
    """Changes of files."""

    files: tuple[FileText, ...]


Part: TypeAlias = Words | Prose | Rows | Code | Share | Diff


class Page(msgspec.Struct, frozen=True):
    """Something to read."""

    title: str
    parts: tuple[Part, ...]


class Option(msgspec.Struct, frozen=True):
    """One thing to choose. `detail` stands beside the label; `current` is what is in force; `key` is one letter that chooses it at once."""

    label: str
    detail: str = ""
    current: bool = False
    key: str = ""


class Menu(msgspec.Struct, frozen=True):
    """Options to choose from. `preview` tells more about one of them (by its index) where there is room; it may take its time."""

    title: str
    options: tuple[Option, ...]
    preview: Callable[[int], Awaitable[Page]] | None = None
    words: str = ""


class Field(msgspec.Struct, frozen=True):
    """One line of a form. `choices`, where there are any, are all there is. `check` says what is wrong with a value, or nothing.
    `secret`: never shown, never kept in a history."""

    name: str
    label: str
    value: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    check: Callable[[str], str] | None = None


class Form(msgspec.Struct, frozen=True):
    """Fields to fill in, in groups that are titled."""

    title: str
    groups: tuple[tuple[str, tuple[Field, ...]], ...]
    words: str = ""


class Step(Protocol):
    """Something that goes on for a while."""

    def tell(self, text: str, share: float | None = None) -> None:
        """Say how far it is. `share` is 0 to 1, None where that is not known."""
        ...


class Person(Protocol):
    """Whoever sits there. What they leave without an answer (Escape, end of input) is None, or False."""

    def say(self, text: str, level: Level = "info") -> None:
        """Say a short thing and go on."""
        ...

    async def show(self, page: Page) -> None:
        """Show a page until it is left."""
        ...

    async def choose(self, menu: Menu) -> int | None:
        """The index of the option that was chosen."""
        ...

    async def confirm(self, question: str, *, detail: str = "") -> bool:
        """A yes or no; the default is no."""
        ...

    async def word(self, field: Field) -> str | None:
        """One line of text."""
        ...

    async def fill(self, form: Form) -> Mapping[str, str] | None:
        """All fields by name, once every one of them is right."""
        ...

    async def approve(self, question: Question) -> Answer:
        """Ask about a call that waits. Cancelling takes the question away."""
        ...

    async def work(self, title: str, job: Callable[[Step], Awaitable[None]]) -> bool:
        """Do `job` and show how far it is. False where the user stopped it; then it was cancelled."""
        ...
