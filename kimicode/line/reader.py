"""Where lines come from and where they go: the port of this mode to a terminal, and what is asked for with it.

    PromptReader (prompting)   an edited prompt; output is printed above it while somebody types
    PlainReader (plain)        a terminal that can only give lines, or a pipe; no escape sequence, ever

What this module does not do: read anything itself.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, Protocol

import msgspec

from kimicode.line.words import Line


class StoppedError(Exception):
    """Ctrl-C while a line was asked for. Not `KeyboardInterrupt`, which would end the event loop from within a task."""


class Request(msgspec.Struct, frozen=True):
    """What a line is asked for with. `secret`: it is not echoed and kept nowhere. `choices` complete by Tab.
    `grave`: what was typed before the question was there does not count."""

    prompt: str
    default: str = ""
    secret: bool = False
    choices: tuple[str, ...] = ()
    grave: bool = False


class Completion(msgspec.Struct, frozen=True):
    """One way to go on: `text` replaces everything from `start` to the cursor; `note` says what it is."""

    start: int
    text: str
    note: str = ""


Complete = Callable[[str, int], Iterable[Completion]]
"""What can stand at the cursor of a text. Called in a thread."""


class Memory(Protocol):
    """Prompts of earlier days, shared with the full-screen UI."""

    def load(self) -> Sequence[str]:
        """All of them, newest first. May wait for a disk."""
        ...

    def add(self, text: str) -> bool:
        """One more; False where it is not kept. May wait for a disk."""
        ...


class Reader(Protocol):
    """Reads and prints. Everything happens on the event loop."""

    @property
    def answers(self) -> bool:
        """Whether somebody sits there who can answer a question."""
        ...

    @property
    def echoes(self) -> bool:
        """Whether what is typed is on the screen."""
        ...

    @property
    def width(self) -> int:
        """Columns of the screen."""
        ...

    def put(self, lines: Sequence[Line], *, bell: bool = False) -> None:
        """Print lines, in order, above whatever is being typed."""
        ...

    def remind(self) -> None:
        """Show the open prompt again, where output has come after it."""
        ...

    def interrupt(self) -> bool:
        """Ctrl-C came as a signal. True where a prompt or a question was open, which is given up with it."""
        ...

    async def prompt(self, *, busy: bool = False) -> str:
        """The next prompt. `busy`: the agent works, so that a terminal of lines shows no prompt before `remind`.

        Questions may come in between; what was half typed is there again afterwards.

        Raises `EOFError` at the end of input, `StoppedError` for Ctrl-C on an empty line.
        """
        ...

    async def calm(self) -> None:
        """Wait until nobody is typing, for a while at most."""
        ...

    async def ask(self, request: Request) -> str:
        """An answer to a question. Cancelling takes the question away. Raises `EOFError`, `StoppedError`."""
        ...

    def use_keys(self, keys: Literal["emacs", "vi"]) -> None:
        """These keys from now on."""
        ...

    def begin_aside(self) -> None:
        """Something else has the terminal until `end_aside`: the prompt that is open is put away."""
        ...

    def end_aside(self) -> None:
        """The prompt may come back."""
        ...

    async def aclose(self) -> None:
        """Print what is left and let go of the terminal."""
        ...
