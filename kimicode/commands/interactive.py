"""`kimicode [PROMPT]` at a terminal: the full-screen UI where the terminal can show it, else the line mode.

The line mode is for `--plain`, for terminals that can do nothing but lines, and for pipes. What this module does not do: run a session
(`kimicode.tui` and `kimicode.line` do) or parse the command line (`kimicode.cli` does).
"""

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, TextIO, cast

import msgspec

from kimicode.commands.folder import current_folder
from kimicode.commands.headless import read_prompt
from kimicode.commands.worktree import enter
from kimicode.errors import UsageError
from kimicode.settings import Settings, UiSettings, load_settings
from kimicode.tui.frames import paint_soon
from kimicode.wish import Wish

_DUMB: Final = frozenset({"", "dumb", "unknown"})


class _FullScreen(Protocol):
    def __call__(
        self, settings: Settings, *, environ: Mapping[str, str], workspace: Path, resume: str | None, latest: bool, prompt: str
    ) -> int: ...


class _Line(Protocol):
    def __call__(self, settings: Settings, wish: Wish, prompt: str | None, environ: Mapping[str, str], workspace: Path) -> int: ...


def interactive(
    prompt: str | None,
    flags: dict[str, object],
    ui: Mapping[str, object],
    resume: str | None,
    latest: bool,
    sandbox: str | None = None,
    worktree: str | None = None,
    plain: bool = False,
) -> int:
    """Stay in a session until the person leaves; the exit code. `ui` are settings of `[ui]` from the command line; None: not given.

    Raises `KimicodeError` for what is wrong before the session begins.
    """
    if resume and latest:
        raise UsageError("--resume and --continue exclude each other", hint="--continue takes the latest session of this folder.")
    if prompt == "-":
        prompt = read_prompt(prompt)
    settings = _with_ui(load_settings(os.environ, flags, sandbox=sandbox), ui)
    workspace = current_folder() if worktree is None else enter(worktree)
    if not plain and wants_full_screen(settings.ui, os.environ, sys.stdin, sys.stdout, sys.platform):
        paint_soon()
        full = cast("_FullScreen", importlib.import_module("kimicode.tui.app").run_tui)
        return full(settings, environ=os.environ, workspace=workspace, resume=resume, latest=latest, prompt=prompt or "")
    line = cast("_Line", importlib.import_module("kimicode.line.mode").run_line)
    return line(settings, Wish(resume=resume, latest=latest), prompt, os.environ, workspace)


def wants_full_screen(ui: UiSettings, environ: Mapping[str, str], stdin: TextIO | None, stdout: TextIO | None, platform: str) -> bool:
    """True where the full-screen UI is wanted and the terminal can show it. Raises `UsageError` where only the first is so."""
    why = cannot_show(environ, stdin, stdout, platform)
    if ui.mode == "full-screen" and why:
        raise UsageError(f"the full-screen UI can't be shown: {why}", hint="Use --plain, or set ui.mode to auto.")
    return ui.mode != "line" and not why


def cannot_show(environ: Mapping[str, str], stdin: TextIO | None, stdout: TextIO | None, platform: str) -> str:
    """Why this terminal can't show a full screen; empty where it can."""
    if not all(stream is not None and not stream.closed and stream.isatty() for stream in (stdin, stdout)):
        return "stdin or stdout is no terminal"
    if platform == "win32":
        # Only newer consoles understand escape sequences; those say so, or are inside something that does.
        modern = any(environ.get(name) for name in ("WT_SESSION", "TERM_PROGRAM", "ConEmuANSI", "ANSICON", "TERM"))
        return "" if modern else "this console shows no escape sequences"
    term = environ.get("TERM", "")
    return f"TERM is {term!r}" if term.lower() in _DUMB else ""


def _with_ui(settings: Settings, ui: Mapping[str, object]) -> Settings:
    given = {name: value for name, value in ui.items() if value is not None}
    if not given:
        return settings
    try:
        merged = msgspec.convert({**msgspec.structs.asdict(settings.ui), **given}, UiSettings)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"these settings of the user interface can't be: {error}", hint="`kimicode run --help` says what they can be."
        ) from None
    return msgspec.structs.replace(settings, ui=merged)
