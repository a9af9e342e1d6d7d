"""What a headless run writes: the payload to stdout, progress to stderr.

`text`: the final answer. `json`: one object about the whole run. `stream-json`: every event, one a line, as it happens.
Nothing but the payload ever reaches stdout. What comes from outside is made harmless before it reaches a terminal.
What this module does not do: run anything.
"""

from collections.abc import Callable
from typing import Literal, Protocol, TextIO, TypeAlias, assert_never

import msgspec

from kimicode.events import (
    VERSION,
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
    encode_event,
    is_kept,
)
from kimicode.streams import complain, write_payload
from kimicode.text import Untrusted, render_safe

Output: TypeAlias = Literal["text", "json", "stream-json"]
_PREVIEW = 110


class Writer(Protocol):
    """Shows events as they come. Raises `BrokenPipeError` when nobody reads stdout any more."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


def make_writer(output: Output, stdout: TextIO, *, as_data: bool = False) -> Writer:
    """The payload writer for `--output`. `as_data`: a schema was asked for."""
    match output:
        case "text":
            return TextWriter(stdout, as_data=as_data)
        case "json":
            return JsonWriter(stdout)
        case "stream-json":
            return StreamWriter(stdout)
        case _:
            assert_never(output)


class TextWriter:
    """Writes the final answer, once, ending with a newline. `as_data`: the JSON value alone, and nothing where there is no valid one."""

    def __init__(self, stdout: TextIO, *, as_data: bool = False) -> None:
        self._stdout = stdout
        self._as_data = as_data

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if not isinstance(event, RunFinished):
            return
        text = event.text
        if self._as_data:
            text = msgspec.json.encode(event.data).decode() if event.status == "done" else ""
        if text:
            write_payload(self._stdout, text if text.endswith("\n") else f"{text}\n")


class JsonWriter:
    """Writes one object about the run: the fields of `run_finished`, and which session it was."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self._session_id = ""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, SessionStarted):
            self._session_id = event.session_id
        if isinstance(event, RunFinished):
            fields = {"v": VERSION, "session_id": self._session_id, **msgspec.structs.asdict(event)}
            write_payload(self._stdout, msgspec.json.encode(fields).decode() + "\n")


class StreamWriter:
    """Writes every event that a log would keep as one line of JSON."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if is_kept(event):
            write_payload(self._stdout, encode_event(event).decode() + "\n")


class Progress:
    """Tells what happens, a line each, through `say`. When it has been quiet for long, `heartbeat` says that the run is alive."""

    def __init__(self, say: Callable[[str], None] = complain) -> None:
        self.say = say
        self._step = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        line = self._told(event)
        if line:
            self.say(render_safe(Untrusted(line)))

    def heartbeat(self, seconds: float) -> None:
        """Say that the run has been going on for `seconds`."""
        self.say(f"… step {self._step}, {seconds:.0f} s")

    def _told(self, event: Event) -> str:
        match event:
            case SessionStarted():
                word = "resumed" if event.resumed else "session"
                held = f"permission {event.permission}, sandbox {event.sandbox or 'none'}"
                return _line(f"{word} {event.session_id}: {event.model} at {event.endpoint}, {held}")
            case StepStarted(step=step):
                self._step = step
                return ""
            case ToolCallReady(call=call):
                return _line(f"→ {call.name} {call.arguments}")
            case ToolFinished(result=result):
                return "" if result.ok else _line(f"  {result.content}")
            case Notice(text=text, level=level):
                return text if level == "info" else f"{level}: {text}"
            case AnswerReset(reason=reason):
                return f"asking again: {reason}"
            case RunFinished():
                return _ending(event)
            case FilesChanged(changes=changes):
                return _line("  changed: " + ", ".join(change.path for change in changes))
            case Rewound(to_turn=turn):
                return f"rewound to before turn {turn}"
            case Decided(tool=tool, choice=choice):
                return f"{tool}: {choice}"
            case MessageAdded() | ThinkingDelta() | TextDelta() | StepFinished() | ToolOutput() | EngineProgress() | ShellRan() | Titled():
                return ""
            case _:
                assert_never(event)


def _ending(event: RunFinished) -> str:
    cost = "" if event.cost_usd is None else f", ${event.cost_usd:.4f}"
    counts = f"{event.steps} step{'' if event.steps == 1 else 's'}, {event.usage.total} tokens, {event.seconds:.1f} s{cost}"
    reason = f": {event.error}" if event.error else ""
    return f"{event.status} ({counts}){reason}"


def _line(text: str) -> str:
    # Made harmless before it is cut, so that no half of an escape sequence stays.
    line = " ".join(render_safe(Untrusted(text)).split("\n"))
    return line if len(line) <= _PREVIEW else f"{line[: _PREVIEW - 1]}…"
