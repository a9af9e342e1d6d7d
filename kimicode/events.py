"""Everything that happens in a run, as frozen events with one versioned JSON form.

The agent produces events; the log, the headless writers, the line mode, the full-screen UI and `replay` consume them.
An event's JSON is one object on one line: `{"v": 1, "type": "text_delta", …}`. Fields are only ever added; a reader ignores
those it does not know. Some events are only for whoever watches (`is_kept` is false for them) and are in no log. What this module does
not do: keep, order or show events.
"""

from typing import Literal, TypeAlias

import msgspec

from kimicode.files.state import FileState
from kimicode.messages import Assistant, Message, ToolCall, ToolResult, Usage

VERSION = 1

RunStatus: TypeAlias = Literal["done", "failed", "contract", "unavailable", "temporary", "refused", "budget", "interrupted"]


class _Event(msgspec.Struct, frozen=True, tag_field="type"):
    """Common form of all events."""


class SessionStarted(_Event, frozen=True, tag="session_started"):
    """A session begins or goes on. `tools` names what the model may call; `resumed` is true when the log already had turns.

    `sandbox` is what holds commands: `bubblewrap`, `landlock`, `seatbelt`, `none`, or `no commands` where none may run.
    """

    session_id: str
    workspace: str
    model: str
    endpoint: str
    permission: str
    tools: tuple[str, ...]
    resumed: bool = False
    started_at: str = ""
    sandbox: str = ""


class MessageAdded(_Event, frozen=True, tag="message_added"):
    """A message other than a model's whole answer or a tool's result enters the context: system, user, note, an answer cut by a stop.

    `at` says when, ISO 8601 in UTC, where somebody wrote it down. `by` is `kimicode` for a user message that it wrote itself: a note, a
    reminder.
    """

    message: Message
    at: str = ""
    by: Literal["user", "kimicode"] = "user"


class StepStarted(_Event, frozen=True, tag="step_started"):
    """A request to the model is about to be sent. `step` counts from 1 over the session."""

    step: int


class ThinkingDelta(_Event, frozen=True, tag="thinking_delta"):
    """A piece of the model's reasoning."""

    text: str


class TextDelta(_Event, frozen=True, tag="text_delta"):
    """A piece of the model's answer."""

    text: str


class AnswerReset(_Event, frozen=True, tag="answer_reset"):
    """What was streamed since `StepStarted` is void: the stream was cut and is asked for again."""

    reason: str


class StepFinished(_Event, frozen=True, tag="step_finished"):
    """A whole answer arrived and is part of the context. `cost_usd` is None where the endpoint has no known price."""

    step: int
    answer: Assistant
    usage: Usage
    finish_reason: str
    seconds: float
    cost_usd: float | None = None


class ToolCallReady(_Event, frozen=True, tag="tool_call_ready"):
    """A complete call is about to run."""

    call: ToolCall


class ToolOutput(_Event, frozen=True, tag="tool_output"):
    """What a running call has just printed, as far as it is worth showing. Not kept: the result has it all."""

    call_id: str
    text: str


class ToolFinished(_Event, frozen=True, tag="tool_finished"):
    """The one result of one call; part of the context."""

    result: ToolResult
    seconds: float


class Notice(_Event, frozen=True, tag="notice"):
    """Something a person should know that is not part of the conversation: a retry, a reminder, a reduced mode."""

    text: str
    level: Literal["info", "warning", "error"] = "info"


class EngineProgress(_Event, frozen=True, tag="engine_progress"):
    """How far the engine is with something that takes long. Not kept.

    `what`: `load` (the model; `done` and `total` in bytes) or `prefill` (the prompt; in tokens, `done` counts what was known already).
    `total` is 0 where it is not known, `seconds_left` None where there is no estimate. `done == total` ends it.
    """

    what: Literal["load", "prefill"]
    done: int
    total: int
    seconds_left: float | None = None


class Decided(_Event, frozen=True, tag="decided"):
    """What a person answered when a call had to be allowed: `once`, `session`, `always` or `no`, and the reason they gave."""

    tool: str
    shown: str
    choice: Literal["once", "session", "always", "no"]
    feedback: str = ""


class ShellRan(_Event, frozen=True, tag="shell_ran"):
    """A command that the user ran by hand. `output` is its beginning and end where it is long; `exit_code` is None where it was stopped."""

    command: str
    output: str
    exit_code: int | None
    seconds: float
    at: str = ""


class Titled(_Event, frozen=True, tag="titled"):
    """The user named the session."""

    title: str


class FileChange(msgspec.Struct, frozen=True):
    """What became of one place. `path` and links' targets are in the form of `session.names`: relative to the workspace, or absolute
    outside it. `kept` is false where the content before was too large to be kept, so that it can't be brought back."""

    path: str
    before: FileState
    after: FileState
    kept: bool = True


class FilesChanged(_Event, frozen=True, tag="files_changed"):
    """What one tool call is about to change, or what a command was found to have changed; the contents before are kept."""

    call_id: str
    changes: tuple[FileChange, ...]


class Rewound(_Event, frozen=True, tag="rewound"):
    """A declared reset point: things are again as they were just before the turn `to_turn`.

    `conversation`: the context is that of then; `files`: `changes` were made, all of them. A rewind counts as a turn itself.
    """

    to_turn: int
    conversation: bool
    files: bool
    changes: tuple[FileChange, ...] = ()
    at: str = ""


class RunFinished(_Event, frozen=True, tag="run_finished"):
    """The run of one user prompt ended. `text` is the final answer or what there is of it; `error` says why it is not `done`;
    `data` is the answer as JSON where a schema was asked for."""

    status: RunStatus
    exit_code: int
    text: str
    steps: int
    usage: Usage
    seconds: float
    cost_usd: float | None = None
    error: str = ""
    data: object = None


Event: TypeAlias = (
    SessionStarted
    | MessageAdded
    | StepStarted
    | ThinkingDelta
    | TextDelta
    | AnswerReset
    | StepFinished
    | ToolCallReady
    | ToolOutput
    | ToolFinished
    | Notice
    | EngineProgress
    | Decided
    | ShellRan
    | Titled
    | FilesChanged
    | Rewound
    | RunFinished
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)
_PREFIX = b'{"v":%d,' % VERSION


def is_kept(event: Event) -> bool:
    """True for what belongs in a log; false for what is only worth a glance while it happens."""
    return not isinstance(event, ToolOutput | EngineProgress)


def encode_event(event: Event) -> bytes:
    """The event as one line of JSON, without the newline. It never contains a raw newline."""
    return _PREFIX + _encoder.encode(event)[1:]


def decode_event(line: bytes) -> Event:
    """The event in one line of JSON.

    Raises `msgspec.DecodeError` for what is not JSON and `msgspec.ValidationError` for what is not an event.
    """
    return _decoder.decode(line)
