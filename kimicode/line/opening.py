"""How a session begins and ends at a line terminal: which reader suits it, the greeting, what a resumed session was about, the farewell.

What this module does not do: run anything.
"""

import importlib
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TextIO, cast

from prompt_toolkit.input import create_input
from prompt_toolkit.output import create_output

from kimicode.errors import UnavailableError, UsageError
from kimicode.interactive.desk import Desk
from kimicode.interactive.view.blocks import Answered, Block, Opened, Prompted, Told
from kimicode.interactive.view.status import Status
from kimicode.line.parts import Parts
from kimicode.line.plain import PlainReader
from kimicode.line.prompting import PromptReader
from kimicode.line.reader import Complete, Reader
from kimicode.line.speak import Habits, block_lines, prompt_lines
from kimicode.line.words import Line, count, flat, spoken
from kimicode.model.target import resolve
from kimicode.settings import Settings
from kimicode.wish import Wish

_RECALLED: Final = 40
"""Lines of the last answer that are read again when a session is resumed."""

_DUMB: Final = frozenset({"", "dumb", "unknown"})

_NO_MODEL: Final = "Name a model and where it is: --model and --endpoint, or `kimicode models list`."

SetUp = Callable[[Desk], Awaitable[Settings | None]]
"""Asks which model is wanted; the settings with it, or None."""


def is_dumb(environ: Mapping[str, str]) -> bool:
    """True for a terminal of which nothing is known but that it shows letters. Windows consoles have no TERM."""
    return environ.get("TERM", "" if sys.platform != "win32" else "windows").lower() in _DUMB


def reader_maker(
    settings: Settings, environ: Mapping[str, str], stdin: TextIO | None, stdout: TextIO | None
) -> Callable[[Parts, Complete], Reader]:
    """What makes the reader for these streams. Raises `UsageError` where there is nothing to read."""
    source, sink = stdin or sys.stdin, stdout or sys.stdout
    if source is None or source.closed or sink is None or sink.closed:
        raise UsageError("there is nothing to read prompts from: stdin or stdout is closed", hint="Use `kimicode --headless PROMPT`.")

    def make(parts: Parts, complete: Complete) -> Reader:
        if is_dumb(environ) or not (source.isatty() and sink.isatty()):
            return PlainReader(source, sink)
        return PromptReader(
            create_input(source),
            create_output(sink),
            keys=settings.ui.keys,
            bold=not environ.get("NO_COLOR"),
            memory=parts.memory,
            complete=complete,
        )

    return make


async def open_desk(desk: Desk, wish: Wish, *, can_ask: bool, chosen: bool) -> None:
    """Open the session. Where no model is to be had and somebody sits there, they choose one first; `chosen`: there is one for sure.

    Raises `KimicodeError`.
    """
    try:
        if not chosen:
            resolve(desk.settings.endpoint, desk.settings.model, desk.environ)
    except UnavailableError as error:
        set_up = _wizard() if can_ask else None
        settings = None if set_up is None else await set_up(desk)
        if settings is None:
            raise UnavailableError(error.message, hint=error.hint or _NO_MODEL) from error
        await desk.open(wish, settings)
    else:
        await desk.open(wish)


def greeting(status: Status, blocks: Sequence[Block], habits: Habits, *, first: bool) -> tuple[Line, ...]:
    """Where one is, in two lines; then what has to be known, and what a session that goes on was about."""
    place = Path(status.workspace)
    lines = [
        Line(f"{flat(status.model)} at {flat(status.endpoint)}, in {flat(str(place))}.", "kimicode:" if first else "Session opened:"),
        Line(f"Permission {flat(status.permission)}, sandbox {flat(status.sandbox) or 'none'}. {_HOW if first else ''}".rstrip()),
    ]
    for block in _since_opened(blocks):
        if isinstance(block, Told):
            lines += block_lines(block, habits)
    return (*lines, *_recap(blocks))


_HOW: Final = "Type what to do; /help reads the commands, Ctrl-D quits."


def farewell(status: Status) -> tuple[Line, ...]:
    """Which session it was, and how to go on with it."""
    if not status.session_id:
        return ()
    return (Line(f"Session {flat(status.session_id)}. Go on with: kimicode --resume {flat(status.session_id)}"),)


def _since_opened(blocks: Sequence[Block]) -> Sequence[Block]:
    last = max((index for index, block in enumerate(blocks) if isinstance(block, Opened)), default=-1)
    return blocks[last + 1 :]


def _recap(blocks: Sequence[Block]) -> tuple[Line, ...]:
    prompts = [block for block in blocks if isinstance(block, Prompted)]
    if not prompts:
        return ()
    answers = [block for block in blocks if isinstance(block, Answered) and block.text.strip()]
    title = Line(f"this session goes on after {count(len(prompts), 'prompt')}; /transcript reads all of it. The last:", "Notice:")
    said = spoken("Assistant:", answers[-1].text.strip("\n")) if answers else ()
    more = () if len(said) <= _RECALLED else (Line(f"… {count(len(said) - _RECALLED, 'more line')}"),)
    return (title, *prompt_lines(prompts[-1]), *said[:_RECALLED], *more)


def _wizard() -> SetUp | None:
    try:
        module = importlib.import_module("kimicode.interactive.wizard")
    except ModuleNotFoundError:
        return None
    return cast("SetUp | None", getattr(module, "set_up", None))
