"""Asking a person: the question, the answer, who asks, and whose turn it is.

What this module does not do: decide when to ask (`verdict`), draw a dialog (the user interfaces do), or remember (`grants`).
"""

import asyncio
import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from kimicode.text import render_exact


class FileText(msgspec.Struct, frozen=True):
    """A file that a call would change: its text before and after. None where there is, or would be, no file; `note` says what else
    there is to know (it is binary, it is too large to be shown)."""

    path: str
    before: str | None
    after: str | None
    note: str = ""


class Question(msgspec.Struct, frozen=True):
    """A call that waits for a person.

    `shown` is the exact text that would run or the exact path or host, `parts` what of it needs the answer, `executable_config` the paths
    among them that other programs will run or obey later (hooks, build files). `can_grant`: "for this session" is an answer. `rule` is what
    "always" would write into the user's settings; empty where that is no answer. `files` is the whole change that the call would make,
    where it can be told beforehand. `behind` is how many more questions wait already.
    """

    tool: str
    shown: str
    reason: str
    parts: tuple[str, ...] = ()
    executable_config: tuple[str, ...] = ()
    can_grant: bool = True
    rule: str = ""
    files: tuple[FileText, ...] = ()
    behind: int = 0

    def text(self) -> str:
        """`shown` such that nobody can mistake it for another text."""
        return render_exact(self.shown)

    def part_texts(self) -> tuple[str, ...]:
        """`parts` in the same way."""
        return tuple(map(render_exact, self.parts))


class Choice(enum.Enum):
    """What a person can say. Nothing said is NO."""

    ONCE = "once"
    SESSION = "session"
    ALWAYS = "always"
    NO = "no"


class Answer(msgspec.Struct, frozen=True):
    """`feedback` goes to the model: why not, or what to do instead."""

    choice: Choice = Choice.NO
    feedback: str = ""


class Approver(Protocol):
    """Whoever can ask."""

    async def ask(self, question: Question) -> Answer:
        """Show the question and wait for the answer. Cancelling takes the question away."""
        ...


class Turns:
    """One question at a time: two at once would make a person answer the wrong one."""

    def __init__(self) -> None:
        self.waiting = 0
        """How many more wait for their turn."""
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def mine(self) -> AsyncIterator[None]:
        """Within it nobody else asks."""
        self.waiting += 1
        try:
            await self._lock.acquire()
        finally:
            self.waiting -= 1
        try:
            yield
        finally:
            self._lock.release()
