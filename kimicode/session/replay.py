"""From events back to the conversation and the totals, so that a session can go on.

`message_of` is the one place that says which events are part of the conversation; the agent's context grows by the same rule,
so the log and the memory can't disagree. What this module does not do: repair a conversation that was cut (the agent does, in
the open: it records a result for every call that lacks one).
"""

from collections.abc import Iterable

import msgspec

from kimicode.events import Event, MessageAdded, RunFinished, RunStatus, SessionStarted, StepFinished, StepStarted, ToolFinished
from kimicode.messages import Conversation, Message, Usage


class Replayed(msgspec.Struct, frozen=True):
    """What a log amounts to. `cost_usd` is None where no step had a known price; `status` is None where the last run did not end."""

    started: SessionStarted | None = None
    conversation: Conversation = ()
    steps: int = 0
    usage: Usage = Usage()
    cost_usd: float | None = None
    seconds: float = 0.0
    status: RunStatus | None = None


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
    messages: list[Message] = []
    totals = Replayed()
    for event in events:
        message = message_of(event)
        if message is not None:
            messages.append(message)
        totals = _count(totals, event)
    return msgspec.structs.replace(totals, conversation=tuple(messages))


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
        case _:
            return totals


def add_cost(total: float | None, cost: float | None) -> float | None:
    """The sum of two costs of which either may be unknown; unknown only where both are."""
    if cost is None:
        return total
    return cost if total is None else total + cost
