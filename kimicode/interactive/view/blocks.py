"""The blocks of a transcript: what was said and done, in order, as values that any user interface can draw.

A block is replaced by a newer one while it grows (an answer that streams in, a call that runs); `Transcript` does that. All texts are as
they came from outside: whoever draws them makes them harmless (`kimicode.text`). What this module does not do: draw, fold or shorten.
"""

from typing import Literal, TypeAlias

import msgspec

from kimicode.events import FileChange, RunFinished, SessionStarted
from kimicode.messages import ToolCall
from kimicode.sandbox.approval import FileText

CallState: TypeAlias = Literal["running", "done", "failed", "refused", "stopped"]


class Opened(msgspec.Struct, frozen=True):
    """A session began, or went on, perhaps with another model or permission."""

    event: SessionStarted


class Prompted(msgspec.Struct, frozen=True):
    """What the user said. `steered`: in the middle of a run. `images` are the names of pictures that went along."""

    text: str
    images: tuple[str, ...] = ()
    steered: bool = False
    at: str = ""


class Thought(msgspec.Struct, frozen=True):
    """What the model thought. `seconds` is None while it does."""

    text: str
    seconds: float | None = None


class Answered(msgspec.Struct, frozen=True):
    """What the model said, in Markdown. `done` is false while it streams in."""

    text: str
    done: bool = True


class Called(msgspec.Struct, frozen=True):
    """A call of a tool.

    `output` is what a running call has printed lately, `result` its whole answer once there is one. `changes` are what it did to files;
    `diffs` the same with texts, None where nobody has looked them up yet. `grave`: it failed, and nothing in the turn made up for it.
    `asked`: it waits for a person; `decided` is what they answered, with the reason, or empty.
    """

    call: ToolCall
    state: CallState = "running"
    output: str = ""
    result: str = ""
    seconds: float | None = None
    changes: tuple[FileChange, ...] = ()
    diffs: tuple[FileText, ...] | None = None
    grave: bool = False
    asked: bool = False
    decided: str = ""


class Told(msgspec.Struct, frozen=True):
    """A notice: something to know that is not part of the conversation."""

    text: str
    level: Literal["info", "warning", "error"] = "info"


class Ran(msgspec.Struct, frozen=True):
    """A command that the user ran with `!`. `running` while it does; then `exit_code`, None where it was stopped."""

    command: str
    output: str = ""
    running: bool = True
    exit_code: int | None = None
    seconds: float | None = None


class WentBack(msgspec.Struct, frozen=True):
    """The session was rewound to before the turn `to_turn`."""

    to_turn: int
    conversation: bool
    files: int


class Ended(msgspec.Struct, frozen=True):
    """The answer to a prompt ended, well or not."""

    event: RunFinished


Block: TypeAlias = Opened | Prompted | Thought | Answered | Called | Told | Ran | WentBack | Ended
