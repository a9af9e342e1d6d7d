"""The values of an analysis: the parts a command is made of, and what could not be understood.

What this module does not do: find them (`analysis`), or judge them (`sandbox.verdict`).
"""

from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal[
    "command",
    "wrapper",
    "script",
    "redirect",
    "assignment",
    "substitution",
    "process substitution",
    "here-document",
    "here-string",
    "function",
    "subshell",
    "group",
    "loop",
    "condition",
    "case",
    "test",
    "arithmetic",
]
"""`wrapper` is a command that runs another one, which follows as a part of its own; `script` is text that a shell is given to run."""


class Word(msgspec.Struct, frozen=True):
    """One word of a command, `text[start:end]` in its script.

    `text` is what the program gets, None where only running it would tell. Then the word may become several or none (unless `single`),
    but each of them starts with `head`. `exact` says that nothing was quoted or expanded, as reserved words must be written.
    """

    start: int
    end: int
    text: str | None
    head: str
    exact: bool = False
    single: bool = True


class Part(msgspec.Struct, frozen=True):
    """One thing a command does. `source` is the exact text of it.

    `argv` and `heads` (see `Word`) belong to commands, wrappers and tests. `target` is where a redirect leads: a path, or None where
    that is dynamic or only another descriptor; `effect` tells these apart. `name` is what an assignment or a function sets.
    """

    kind: Kind
    source: str
    argv: tuple[str | None, ...] = ()
    heads: tuple[str, ...] = ()
    name: str = ""
    target: str | None = None
    effect: Literal["", "read", "write", "descriptor"] = ""


class Unknown(msgspec.Struct, frozen=True):
    """Something that was not understood, so that the command may do more than its parts say."""

    reason: str
    source: str


class Analysis(msgspec.Struct, frozen=True):
    """A command and what is known of it.

    `parts` hold everything it can run if `unknown` is empty. `sequence`: it is nothing but commands one after another, none of which
    changes what a later one means, so that each means the same alone.
    """

    text: str
    parts: tuple[Part, ...] = ()
    unknown: tuple[Unknown, ...] = ()
    sequence: bool = False
