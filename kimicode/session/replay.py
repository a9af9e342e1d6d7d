"""From events back to the conversation and the totals, so that a session can go on.

`message_of` is the one place that says which events are part of the conversation, and `Thread` how they make it; the agent's context
grows by the same rule, so the log and the memory can't disagree. A turn is one prompt of the user: it begins with the first system or
user message after a session began, went on or was rewound, or a run ended. A rewind is a turn of its own, so it can be rewound too.
Turns are counted from 1 over the whole log; a number never means another turn later. What this
module does not do: repair a conversation that was cut (the agent does, in the open: it records a result for every call that lacks one).
"""

from collections.abc import Iterable

import msgspec

from kimicode.errors import SessionError
from kimicode.events import (
    Event,
    MessageAdded,
    Rewound,
    RunFinished,
    RunStatus,
    SessionStarted,
    StepFinished,
    StepStarted,
    TextDelta,
    ThinkingDelta,
    Titled,
    ToolFinished,
)
from kimicode.messages import Conversation, Message, System, Usage, User


class Thread:
    """A conversation as events make it. `starts` holds the conversation before each turn so far.

    It only grows at its end, but for a `Rewound` event, the one declared reset.
    """

    def __init__(self, messages: Conversation = (), starts: tuple[Conversation, ...] = ()) -> None:
        self._messages = list(messages)
        self._known: Conversation | None = messages
        self._starts = list(starts)
        self._between = True

    @property
    def messages(self) -> Conversation:
        """The conversation so far, oldest first."""
        if self._known is None:
            self._known = tuple(self._messages)
        return self._known

    @property
    def starts(self) -> tuple[Conversation, ...]:
        """The conversation before turn 1, turn 2, …"""
        return tuple(self._starts)

    def begins_turn(self, event: Event) -> bool:
        """True where `event`, coming next, would be the first of a turn."""
        return isinstance(event, Rewound) or (
            self._between and isinstance(event, MessageAdded) and isinstance(event.message, System | User)
        )

    def grow(self, event: Event) -> None:
        """Take the next event. Raises `SessionError` where a rewind goes to a turn that there never was."""
        if self.begins_turn(event):
            self._starts.append(self.messages)
            self._between = False
        if isinstance(event, SessionStarted | RunFinished | Rewound):
            self._between = True
        if isinstance(event, Rewound) and event.conversation:
            self._set(self._before(event.to_turn))
        if (message := message_of(event)) is not None:
            self.append(message)

    def append(self, message: Message) -> None:
        """Add one message at the end."""
        self._messages.append(message)
        self._known = None

    def _before(self, turn: int) -> Conversation:
        if not 1 <= turn <= len(self._starts):
            raise SessionError(f"the log rewinds to turn {turn}, but there are {len(self._starts)}", hint="The log is damaged.")
        return self._starts[turn - 1]

    def _set(self, messages: Conversation) -> None:
        self._messages, self._known = list(messages), messages


class Replayed(msgspec.Struct, frozen=True):
    """What a log amounts to. `cost_usd` is None where no step had a known price; `status` is None where the last run did not end;
    `starts` is the conversation before each turn, `title` what the user called the session."""

    started: SessionStarted | None = None
    conversation: Conversation = ()
    steps: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None
    seconds: float = 0.0
    status: RunStatus | None = None
    starts: tuple[Conversation, ...] = ()
    title: str = ""


def message_of(event: Event) -> Message | None:
    """The message that `event` adds to the conversation, or None."""
    match event:
        case MessageAdded(message=message):
            return message
        case StepFinished(answer=answer):
            return answer
        case ToolFinished(result=result):
            return result
        case _:
            return None


def replay(events: Iterable[Event]) -> Replayed:
    """Rebuild conversation and totals. `started` is the latest `SessionStarted`: a resumed session may have changed its model."""
    thread = Thread()
    totals = Replayed()
    for event in events:
        # Most of a long log, and no part of the conversation.
        if not isinstance(event, ThinkingDelta | TextDelta):
            thread.grow(event)
            totals = _count(totals, event)
    return msgspec.structs.replace(totals, conversation=thread.messages, starts=thread.starts)


def _count(totals: Replayed, event: Event) -> Replayed:
    match event:
        case SessionStarted():
            return msgspec.structs.replace(totals, started=event)
        case MessageAdded():
            return msgspec.structs.replace(totals, status=None)
        case StepStarted(step=step):
            return msgspec.structs.replace(totals, steps=step, status=None)
        case StepFinished(usage=usage, cost_usd=cost, seconds=seconds):
            return msgspec.structs.replace(
                totals, usage=totals.usage + usage, cost_usd=add_cost(totals.cost_usd, cost), seconds=totals.seconds + seconds
            )
        case RunFinished(status=status):
            return msgspec.structs.replace(totals, status=status)
        case Titled(title=title):
            return msgspec.structs.replace(totals, title=title)
        case _:
            return totals


def add_cost(total: float | None, cost: float | None) -> float | None:
    """The sum of two costs of which either may be unknown; unknown only where both are."""
    if cost is None:
        return total
    return cost if total is None else total + cost
