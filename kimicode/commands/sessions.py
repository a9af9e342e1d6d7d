"""`kimicode sessions list | show | replay | export`: past runs, for people and for other programs.

Everything in a log came from outside, so whatever reaches a terminal goes through `render_safe`; an export to a file or a pipe is
left as it is. What this module does not do: change or delete a session, or parse the command line.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import assert_never

import msgspec

from kimicode.commands.folder import current_folder
from kimicode.errors import KimicodeError, UsageError
from kimicode.events import (
    AnswerReset,
    Decided,
    EngineProgress,
    Event,
    FilesChanged,
    MessageAdded,
    Notice,
    Rewound,
    RunFinished,
    SessionStarted,
    ShellRan,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
    ToolOutput,
)
from kimicode.home import kimicode_home
from kimicode.messages import User
from kimicode.session.export import to_json, to_markdown
from kimicode.session.log import read_events
from kimicode.session.pace import paced
from kimicode.session.store import SessionStore, Summary
from kimicode.session.title import user_words
from kimicode.text import Untrusted, render_safe, well_formed

_PROMPT_WIDTH = 70


def sessions_list(everywhere: bool, as_json: bool) -> int:
    """Write a line for each session of the current folder, or of all; newest first. The exit code."""
    here = "" if everywhere else well_formed(str(current_folder()))
    found = [summary for summary in _store().summaries() if everywhere or summary.workspace == here]
    for summary in found:
        _write(msgspec.json.encode(summary).decode() if as_json else _row(summary, with_folder=everywhere))
    if not found and not as_json:
        sys.stderr.write("No sessions yet.\n" if everywhere else "No sessions in this folder; --all shows those of all folders.\n")
    return 0


def sessions_show(session_id: str) -> int:
    """Write the conversation of a session as Markdown; the exit code. Raises `UsageError`, `SessionError`."""
    _write(to_markdown(_events(session_id)).removesuffix("\n"))
    return 0


def sessions_export(session_id: str, form: str, output: Path | None) -> int:
    """Write a session as `md` or `json` to a file or to stdout; the exit code. Raises `UsageError`, `SessionError`."""
    match form:
        case "md":
            data = to_markdown(_events(session_id)).encode("utf-8", "replace")
        case "json":
            data = to_json(_events(session_id))
        case _:
            raise UsageError(f"there is no format {form!r}", hint="Choose one of: md, json.")
    if output is None:
        _export_to_stdout(data)
        return 0
    try:
        output.write_bytes(data)
    except OSError as error:
        raise KimicodeError(f"can't write {output}: {error.strerror}", hint="Give --output another place.") from error
    return 0


def replay_events(events: Iterable[Event], speed: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Write `events`, waiting between them as they came, divided by `speed`; 0 does not wait."""
    streamed, title = False, ""
    for seconds, event in paced(events):
        if speed and seconds:
            sleep(seconds / speed)
        if isinstance(event, Titled):
            # A log says it again and again, so that lists find it.
            if event.title == title:
                continue
            title = event.title
        # An answer that was not streamed is shown when it is whole.
        text = event.answer.content if isinstance(event, StepFinished) and not streamed else ""
        streamed = isinstance(event, TextDelta) or (streamed and not isinstance(event, StepFinished | AnswerReset))
        _write(text + _shown(event), end="")


def _shown(event: Event) -> str:
    match event:
        case SessionStarted():
            return f"session {event.session_id}: {event.model} at {event.endpoint} in {event.workspace}\n"
        case MessageAdded(message=User(content=content)):
            return f"\n> {user_words(content)}\n\n"
        case ThinkingDelta(text=text) | TextDelta(text=text):
            return text
        case AnswerReset(reason=reason):
            return f"\n[asking again: {reason}]\n"
        case StepFinished():
            return "\n"
        case ToolCallReady(call=call):
            return f"→ {call.name} {call.arguments}\n"
        case ToolFinished(result=result):
            return f"{result.content}\n\n"
        case Notice(text=text):
            return f"[{text}]\n"
        case RunFinished(status=status, error=error):
            return f"[{status}: {error}]\n" if error else f"[{status}]\n"
        case FilesChanged(changes=changes):
            return "".join(f"[changed: {change.path}]\n" for change in changes)
        case Rewound(to_turn=turn):
            return f"\n[rewound to before turn {turn}]\n"
        case Decided(tool=tool, shown=shown, choice=choice):
            return f"[{tool}: {choice}: {shown}]\n"
        case ShellRan(command=command, output=output, exit_code=code):
            return f"\n! {command}\n{output.rstrip()}\n[{'stopped' if code is None else f'exit {code}'}]\n"
        case Titled(title=title):
            return f"[named: {title}]\n"
        case MessageAdded() | StepStarted() | ToolOutput() | EngineProgress():
            return ""
        case _:
            assert_never(event)


def _store() -> SessionStore:
    return SessionStore(kimicode_home(os.environ))


def _events(session_id: str) -> tuple[Event, ...]:
    store = _store()
    return tuple(read_events(store.path(store.resolve(session_id))))


def _row(summary: Summary, *, with_folder: bool) -> str:
    prompt = " ".join((summary.title or summary.prompt).split())
    cut = prompt if len(prompt) <= _PROMPT_WIDTH else f"{prompt[: _PROMPT_WIDTH - 1]}…"
    folder = f"  {summary.workspace}" if with_folder else ""
    return f"{summary.id}  {summary.status:<11}  {summary.steps:>3} steps  {summary.model}{folder}  {cut}"


def _write(text: str, end: str = "\n") -> None:
    sys.stdout.write(render_safe(Untrusted(text)) + end)
    sys.stdout.flush()


def _export_to_stdout(data: bytes) -> None:
    if sys.stdout.isatty():
        _write(data.decode("utf-8", "replace"), end="")
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
