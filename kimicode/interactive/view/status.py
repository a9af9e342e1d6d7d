"""What is so at the moment: phase, model, tokens, money, plan, files, git. A value, and the pure function that takes it on by an event.

What this module does not do: ask anybody (branch and engine are put in by `Desk`), or draw.
"""

from typing import Literal, TypeAlias

import msgspec

from kimicode.events import EngineProgress
from kimicode.messages import Usage

Phase: TypeAlias = Literal["idle", "waiting", "thinking", "answering", "working", "asking", "stopping"]
"""`waiting`: for the model's first word. `working`: calls run. `asking`: a person has to answer."""


class PlanItem(msgspec.Struct, frozen=True):
    """One line of the model's plan (the `todo` tool). `status` is `pending`, `in_progress` or `done`."""

    text: str
    status: str


class Touched(msgspec.Struct, frozen=True):
    """A file that the session changed, and by how many lines; None where that is not known."""

    path: str
    added: int | None = None
    removed: int | None = None


class Git(msgspec.Struct, frozen=True):
    """The repository: `branch` (empty where a commit is checked out) and how many files differ from the last commit."""

    branch: str
    changed: int = 0


class Engine(msgspec.Struct, frozen=True):
    """The embedded engine: `ok`, `loading`, `down`. `experts` says where they are and how many uses found them in memory (0 to 1, None
    where that is not counted); `places` where the other parts of the model are, in a line."""

    state: str
    model: str = ""
    places: str = ""
    experts: str = ""
    hits: float | None = None


class Status(msgspec.Struct, frozen=True):
    """Everything that a side panel or a status line shows.

    `usage` and `cost_usd` are of the whole session. `context_used` is what the last request and its answer took, of `context` tokens;
    `cached` the share of the last prompt that the server had already. `speed` is tokens a second of the last answer, or of this one.
    `waiting` is how many prompts wait for their turn. `since` is the clock's time when the phase began.
    """

    session_id: str = ""
    title: str = ""
    workspace: str = ""
    model: str = ""
    endpoint: str = ""
    permission: str = ""
    sandbox: str = ""
    phase: Phase = "idle"
    since: float = 0.0
    step: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None
    context_used: int = 0
    context: int = 0
    cached: float | None = None
    speed: float | None = None
    plan: tuple[PlanItem, ...] = ()
    touched: tuple[Touched, ...] = ()
    waiting: int = 0
    running: tuple[str, ...] = ()
    git: Git | None = None
    engine: Engine | None = None
    progress: EngineProgress | None = None
