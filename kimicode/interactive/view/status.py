"""What is so at the moment: phase, model, tokens, money, plan, files, git. A value, and the pure function that takes it on by an event.

What this module does not do: ask anybody (branch and engine are put in by `Desk`), or draw.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.events import (
    AnswerReset,
    EngineProgress,
    Event,
    MessageAdded,
    Rewound,
    RunFinished,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolCallReady,
    ToolFinished,
)
from kimicode.messages import ToolCall, Usage
from kimicode.session.replay import add_cost

_CHARS_A_TOKEN: Final = 3.7
"""Of English and code, K2.6's vocabulary; for a speed that is shown while an answer streams in, until it is counted."""

_PLAN_TOOL: Final = "todo"

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
    `waiting` is how many prompts wait for their turn, `calls` are the id and the name of those that run. `since` is the clock's time when
    the phase began; `first` and `streamed` are when the answer began to stream in and how many characters it has, `timed` when the live
    speed was last made of them.
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
    git: Git | None = None
    engine: Engine | None = None
    progress: EngineProgress | None = None
    first: float | None = None
    streamed: int = 0
    timed: float = 0.0
    calls: tuple[tuple[str, str], ...] = ()


def advance(status: Status, event: Event, now: float) -> Status:
    """The status after `event`, which came at `now` (any clock in seconds). Pure."""
    change = msgspec.structs.replace
    match event:
        case SessionStarted():
            return change(
                status,
                session_id=event.session_id,
                workspace=event.workspace,
                model=event.model,
                endpoint=event.endpoint,
                permission=event.permission,
                sandbox=event.sandbox,
                progress=None,
            )
        case Titled(title=title):
            return change(status, title=title)
        case MessageAdded():
            return status if status.phase != "idle" else _phase(status, "waiting", now)
        case StepStarted(step=step):
            return change(_phase(status, "waiting", now), step=step, first=None, streamed=0, calls=())
        case ThinkingDelta(text=text):
            return _streaming(_phase(status, "thinking", now), text, now)
        case TextDelta(text=text):
            return _streaming(_phase(status, "answering", now), text, now)
        case AnswerReset():
            return change(_phase(status, "waiting", now), first=None, streamed=0)
        case StepFinished():
            return _counted(status, event, now)
        case ToolCallReady(call=call):
            return change(_planned(_phase(status, "working", now), call), calls=(*status.calls, (call.id, call.name)))
        case ToolFinished(result=result):
            return change(status, calls=tuple(each for each in status.calls if each[0] != result.call_id))
        case EngineProgress():
            return change(status, progress=None if event.total and event.done >= event.total else event)
        case RunFinished():
            return change(_phase(status, "idle", now), calls=(), progress=None)
        case Rewound():
            return change(status, context_used=0, cached=None, plan=()) if event.conversation else status
        case _:
            return status


def _phase(status: Status, phase: Phase, now: float) -> Status:
    return status if status.phase == phase else msgspec.structs.replace(status, phase=phase, since=now, progress=None)


def _streaming(status: Status, text: str, now: float) -> Status:
    first = now if status.first is None else status.first
    streamed = status.streamed + len(text)
    took = now - first
    # Once a second: a number that changes with every word can't be read, and has to be drawn.
    if took < 1 or int(took) == int(status.timed - first):
        return msgspec.structs.replace(status, first=first, streamed=streamed)
    return msgspec.structs.replace(status, first=first, streamed=streamed, speed=streamed / _CHARS_A_TOKEN / took, timed=now)


def _counted(status: Status, event: StepFinished, now: float) -> Status:
    usage = event.usage
    took = event.seconds if status.first is None else now - status.first
    return msgspec.structs.replace(
        status,
        usage=status.usage + usage,
        cost_usd=add_cost(status.cost_usd, event.cost_usd),
        context_used=usage.prompt + usage.completion,
        cached=usage.cached / usage.prompt if usage.prompt else None,
        speed=usage.completion / took if took > 0.2 and usage.completion > 1 else status.speed,
        step=event.step,
    )


class _Items(msgspec.Struct):
    items: tuple[PlanItem, ...] = ()


def _planned(status: Status, call: ToolCall) -> Status:
    """The plan, where the call sends one. What is no plan is left to the tool to refuse."""
    if call.name != _PLAN_TOOL:
        return status
    try:
        found = msgspec.json.decode(call.arguments, type=_Items)
    except msgspec.MsgspecError:
        return status
    return msgspec.structs.replace(status, plan=found.items)
