"""What this mode takes from `kimicode.interactive`, as callables: commands, completion, prompts of earlier days, the user's shell.

Some of it needs more of the system than a Windows console has; so it is loaded when a session begins, and left out where it can't be.
What this module does not do: run anything.
"""

import importlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

import msgspec

from kimicode.interactive.desk import Desk
from kimicode.interactive.prompt.complete import Offer, completions
from kimicode.interactive.prompt.files import WorkspaceFiles, list_files
from kimicode.line.reader import Complete, Completion, Memory


class Known(Offer, Protocol):
    """A command that both user interfaces have."""

    @property
    def complete(self) -> Callable[[Desk], Sequence[str]] | None:
        """What it takes, or None."""
        ...


class Shell(Protocol):
    """The user's own shell."""

    def interrupt(self) -> bool:
        """Stop the command that runs. False where none does."""
        ...


class Offered(msgspec.Struct, frozen=True):
    """A command of this mode only, as completion needs it."""

    name: str
    summary: str
    arguments: str = ""
    aliases: tuple[str, ...] = ()


class Parts(msgspec.Struct, frozen=True):
    """The parts; None where one is not there."""

    commands: Sequence[Known] = ()
    perform: Callable[[Desk, str], Awaitable[object]] | None = None
    memory: Memory | None = None
    shell: Shell | None = None
    run_shell: Callable[[Desk, Shell, str], Awaitable[None]] | None = None


def find_parts(environ: Mapping[str, str], workspace: Path, width: int) -> Parts:
    """What there is on this system."""
    registry = _module("kimicode.interactive.commands")
    history = _module("kimicode.interactive.prompt.history")
    shells = _module("kimicode.interactive.shell")
    make_history = cast("Callable[[Path, Path], Memory] | None", getattr(history, "History", None))
    history_file = cast("Callable[[Mapping[str, str]], Path] | None", getattr(history, "history_file", None))
    make_shell = cast("Callable[..., Shell] | None", getattr(shells, "UserShell", None))
    return Parts(
        commands=cast("Sequence[Known]", getattr(registry, "COMMANDS", ())),
        perform=cast("Callable[[Desk, str], Awaitable[object]] | None", getattr(registry, "perform", None)),
        memory=None if make_history is None or history_file is None else make_history(history_file(environ), workspace),
        shell=None if make_shell is None else make_shell(environ, workspace, columns=width),
        run_shell=cast("Callable[[Desk, Shell, str], Awaitable[None]] | None", getattr(shells, "run_shell", None)),
    )


def completer(
    commands: Sequence[Known], own: Sequence[Offered], desk: Callable[[], Desk | None], environ: Mapping[str, str], workspace: Path
) -> Complete:
    """What can stand at the cursor: commands, their arguments, files of the workspace. For a thread: it may wait for the disk."""
    files = WorkspaceFiles(lambda: list_files(workspace, environ))
    by_name = {command.name: command for command in commands}

    def arguments(name: str) -> Sequence[str]:
        command, at = by_name.get(name), desk()
        return () if command is None or command.complete is None or at is None else command.complete(at)

    def complete(text: str, cursor: int) -> Iterable[Completion]:
        if "@" in text:
            files.refresh()
        found = completions(text, cursor, commands=(*commands, *own), files=files.search, arguments=arguments)
        return () if found is None else [Completion(found.start, item.insert, item.detail) for item in found.items]

    return complete


def _module(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
