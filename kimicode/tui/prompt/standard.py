"""The prompt editor's surroundings as they are on a real terminal: the shared history, the user's editor, the clipboard.

What this module does not do: keep pictures (`keep` is given), or anything before it is called.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from textual.app import SuspendNotSupported

from kimicode.errors import ToolError
from kimicode.interactive.prompt.external import ask_program, clipboard_picture, edit_outside, run_in_terminal
from kimicode.interactive.prompt.files import WorkspaceFiles, list_files
from kimicode.interactive.prompt.history import History, history_file
from kimicode.tui.prompt.surroundings import Keep, Surroundings


class Suspends(Protocol):
    """What can leave the terminal to another program: a Textual `App`."""

    def suspend(self) -> AbstractContextManager[None]:
        """For the length of a `with` block."""
        ...


def standard_surroundings(
    app: Suspends,
    environ: Mapping[str, str],
    workspace: Path,
    *,
    keep: Keep | None = None,
    arguments: Callable[[str], Sequence[str]] = lambda _: (),
) -> Surroundings:
    """For `app` in `workspace`. The editor has the terminal to itself while it runs; the application waits."""

    def outside(text: str) -> str | None:
        try:
            with app.suspend():
                return edit_outside(text, environ, run_in_terminal)
        except SuspendNotSupported as error:
            raise ToolError("the terminal can't be handed to an editor here") from error

    ask = ask_program(environ)
    return Surroundings(
        arguments=arguments,
        past=History(history_file(environ), workspace),
        keep=keep,
        picture=lambda: clipboard_picture(environ, ask),
        outside=outside,
        home=Path(environ.get("HOME") or "/"),
    )


def workspace_files(environ: Mapping[str, str], workspace: Path) -> WorkspaceFiles:
    """The files of `workspace`; nothing is listed before it is asked for."""
    return WorkspaceFiles(lambda: list_files(workspace, environ))
