"""What a simple command can do besides running a program of its name, as values.

What this module does not do: find them out (`meaning`).
"""

from typing import TypeAlias

import msgspec

from kimicode.sandbox.commands.parts import Word


class Inner(msgspec.Struct, frozen=True):
    """A command that a wrapper runs."""

    words: tuple[Word, ...]


class Script(msgspec.Struct, frozen=True):
    """Text that a shell runs."""

    text: str


class Sets(msgspec.Struct, frozen=True):
    """A variable that gets a value; `source` is how that was written."""

    name: str
    source: str = ""


class Doubt(msgspec.Struct, frozen=True):
    """Why the command may do more than it says."""

    reason: str


Effect: TypeAlias = Inner | Script | Sets | Doubt
