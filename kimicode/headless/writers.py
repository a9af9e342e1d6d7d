"""What a headless run writes: the payload to stdout, progress to stderr.

`text`: the final answer. `json`: one object about the whole run. `stream-json`: every event, one a line, as it happens.
Nothing but the payload ever reaches stdout. What comes from outside is made harmless before it reaches a terminal on stderr.
What this module does not do: run anything.
"""

from typing import Literal, Protocol, TextIO, TypeAlias, assert_never

import msgspec

from kimicode.events import (
    VERSION,
    AnswerReset,
    Event,
    MessageAdded,
    Notice,
    RunFinished,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallReady,
    ToolFinished,
    encode_event,
)
from kimicode.text import Untrusted, render_safe

Output: TypeAlias = Literal["text", "json", "stream-json"]
_PREVIEW = 110


class Writer(Protocol):
    """Shows events as they come. Raises `BrokenPipeError` when nobody reads stdout any more."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        ...


def make_writer(output: Output, stdout: TextIO) -> Writer:
    """The payload writer for `--output`."""
    match output:
        case "text":
            return TextWriter(stdout)
        case "json":
            return JsonWriter(stdout)
        case "stream-json":
            return StreamWriter(stdout)
        case _:
            assert_never(output)


class TextWriter:
    """Writes the final answer, once; the JSON value alone where a schema was asked for."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, RunFinished):
            text = event.text if event.data is None else msgspec.json.encode(event.data).decode()
            if text:
                _write(self._stdout, text if text.endswith("\n") else f"{text}\n")


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
            _write(self._stdout, msgspec.json.encode(fields).decode() + "\n")


class StreamWriter:
    """Writes every event as one line of JSON."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout

    def __call__(self, event: Event) -> None:
        """Take one event."""
        _write(self._stdout, encode_event(event).decode() + "\n")


class Progress:
    """Writes what happens to stderr, a line each. `quiet_seconds` after the last line, `heartbeat` says that the run is alive."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr
        self._step = 0

    def __call__(self, event: Event) -> None:
        """Take one event."""
        line = self._line(event)
        if line:
            self.say(line)

    def say(self, line: str) -> None:
        """Write one line; a stderr that nobody reads is no reason to stop a run."""
        try:
            _write(self._stderr, f"{line}\n")
        except OSError:
            return

    def heartbeat(self, seconds: float) -> None:
        """Say that the run has been going on for `seconds`."""
        self.say(f"… step {self._step}, {seconds:.0f} s")

    def _line(self, event: Event) -> str:
        match event:
            case SessionStarted():
                word = "resumed" if event.resumed else "session"
                return _safe(f"{word} {event.session_id}: {event.model} at {event.endpoint}, permission {event.permission}")
            case StepStarted(step=step):
                self._step = step
                return ""
            case ToolCallReady(call=call):
                return _safe(f"→ {call.name} {call.arguments}")
            case ToolFinished(result=result):
                return "" if result.ok else _safe(f"  {result.content}")
            case Notice(text=text, level=level):
                return _safe(text if level == "info" else f"{level}: {text}")
            case AnswerReset(reason=reason):
                return _safe(f"asking again: {reason}")
            case RunFinished():
                return _ending(event)
            case MessageAdded() | ThinkingDelta() | TextDelta() | StepFinished():
                return ""
            case _:
                assert_never(event)


def _ending(event: RunFinished) -> str:
    cost = "" if event.cost_usd is None else f", ${event.cost_usd:.4f}"
    counts = f"{event.steps} steps, {event.usage.total} tokens, {event.seconds:.1f} s{cost}"
    reason = f": {event.error}" if event.error else ""
    return render_safe(Untrusted(f"{event.status} ({counts}){reason}"))


def _safe(text: str) -> str:
    line = render_safe(Untrusted(" ".join(text.split("\n"))))
    return line if len(line) <= _PREVIEW else f"{line[: _PREVIEW - 1]}…"


def _write(stream: TextIO, text: str) -> None:
    # A lone surrogate (a file name that is not UTF-8) must not end a run; it is written as a question mark.
    stream.write(text.encode("utf-8", "replace").decode("utf-8"))
    stream.flush()
