"""`kimicode sessions rewind`: the turns of a session, a preview of going back to before one of them, and going back.

A file that somebody else changed since is left alone unless the user says otherwise: `--force` for all of them, or file by file where
there is a terminal to ask. What comes from a log or from the disk is made harmless before it is shown.
What this module does not do: parse the command line, or decide what a rewind does (`session.rewind`).
"""

import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from kimicode.errors import RefusedError, UsageError
from kimicode.home import kimicode_home
from kimicode.session.log import read_events
from kimicode.session.perform import finish_interrupted, look_and_plan, perform
from kimicode.session.preimages import PreImages
from kimicode.session.preview import lines_of, named, workspace_of
from kimicode.session.rewind import FileStep, RewindPlan
from kimicode.session.store import SessionStore
from kimicode.session.turns import Turn, turns_of
from kimicode.streams import complain
from kimicode.text import Untrusted, render_safe

_PROMPT_WIDTH: Final = 70
Ask = Callable[[str], str]
"""Puts a question to the user; the answer without its newline."""


class Wanted(msgspec.Struct, frozen=True):
    """What the command line asks for: back to before turn `to`, conversation or files or (neither of them said) both."""

    to: int
    files: bool = False
    conversation: bool = False
    force: bool = False


def sessions_rewind(session_id: str, to: int | None, files: bool, conversation: bool, preview: bool, yes: bool, force: bool) -> int:
    """List the turns of a session, or go back to before one of them. The exit code: 77 where something was left as it is.

    Raises `UsageError`, `SessionError`, and `RefusedError` where the user says no.
    """
    store = SessionStore(kimicode_home(os.environ))
    known = store.resolve(session_id)
    if to is None:
        _list(turns_of(read_events(store.path(known))))
        return 0
    wanted = Wanted(to, files or not conversation, conversation or not files, force)
    with PreImages(store.preimages) as contents:
        if preview:
            _show(look(store, known, wanted, contents), contents)
            return 0
        ask = _terminal()
        if ask is None and not yes:
            raise UsageError("there is no terminal to ask on", hint="Look at it with --preview, then say --yes.")
        return rewind(store, known, wanted, contents, None if yes else ask)


def look(
    store: SessionStore, session_id: str, wanted: Wanted, contents: PreImages, overwrite: Callable[[FileStep], bool] | None = None
) -> RewindPlan:
    """What going back would do now."""
    return look_and_plan(
        read_events(store.path(session_id)),
        wanted.to,
        contents,
        conversation=wanted.conversation,
        files=wanted.files,
        overwrite=overwrite or (lambda step: wanted.force),  # noqa: ARG005
    )


def rewind(store: SessionStore, session_id: str, wanted: Wanted, contents: PreImages, ask: Ask | None) -> int:
    """Show what going back does, ask where there is somebody to ask, and go back. The exit code."""
    with store.open(session_id) as log:
        for told in finish_interrupted(store, session_id, log.append):
            complain(told)
        plan = look(store, session_id, wanted, contents)
        _show(plan, contents)
        if ask is not None:
            chosen = {
                step.place for step in plan.files if step.conflict and _yes(ask, f"Overwrite {named(step)}, although {step.conflict}?")
            }
            if chosen:
                plan = look(store, session_id, wanted, contents, lambda step: wanted.force or step.place in chosen)
        if not (plan.ready or plan.conversation):
            complain("Nothing to rewind.")
            return RefusedError.exit_code if plan.refused else 0
        if ask is not None and not _yes(ask, "Rewind?"):
            raise RefusedError("not rewound", hint="Nothing was changed.")
        perform(plan, store, session_id, log.append, contents=contents, workspace=workspace_of(read_events(store.path(session_id))))
    return _ended(plan)


def _ended(plan: RewindPlan) -> int:
    count = len(plan.ready)
    what = f"{count} file{'' if count == 1 else 's'} changed back" if plan.with_files else "the conversation alone"
    complain(f"Rewound to before turn {plan.turn}: {what}.")
    if not plan.refused:
        return 0
    complain(f"{len(plan.refused)} left as they are, see above; --force overwrites what was changed since.")
    return RefusedError.exit_code


def _list(turns: tuple[Turn, ...]) -> None:
    for turn in turns:
        count = len(turn.changed)
        files = f"{count:>4} file{' ' if count == 1 else 's'}"
        words = f"(rewound to before turn {turn.rewound_to})" if turn.rewound_to else turn.prompt.strip().partition("\n")[0]
        cut = words if len(words) <= _PROMPT_WIDTH else f"{words[: _PROMPT_WIDTH - 1]}…"
        gone = "" if turn.live else "  [rewound]"
        _write(f"{turn.number:>3}  {_time(turn.at):<16}  {files}  {cut}{gone}")
    if not turns:
        complain("No turns yet.")


def _show(plan: RewindPlan, contents: PreImages) -> None:
    if plan.conversation:
        _write(f"conversation  to before turn {plan.turn}")
    for line in lines_of(plan, contents):
        _write(f"{line.word:<12}  {line.name}  {line.detail}".rstrip())


def _time(at: str) -> str:
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
    except ValueError:
        return ""


def _terminal() -> Ask | None:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None

    def ask(question: str) -> str:
        sys.stderr.write(render_safe(Untrusted(f"{question} [y/N] ")))
        sys.stderr.flush()
        return sys.stdin.readline().strip()

    return ask


def _yes(ask: Ask, question: str) -> bool:
    return ask(question).lower() in ("y", "yes")


def _write(text: str) -> None:
    sys.stdout.write(render_safe(Untrusted(text)) + "\n")
    sys.stdout.flush()
