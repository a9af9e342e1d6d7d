"""History repair before a request: whatever happened (interrupt, crash, edit), the conversation that is sent is well formed. Pure.

Afterwards: every call has exactly one result, directly behind the answer that made it, in the order of the calls; call ids are
unique; there is no result without a call, no blank user message, no empty answer, no system message but the first. A
well-formed conversation comes back as it is, and repairing twice changes nothing more.
What this module does not do: rewrite the session log, which stays append-only.
"""

from collections.abc import Iterator, Sequence

import msgspec

from kimicode.messages import Assistant, Conversation, Message, System, ToolCall, ToolResult, User

MISSING_RESULT = "Tool result is not available: the run was interrupted."


def repair(messages: Sequence[Message]) -> Conversation:
    """The conversation, repaired."""
    return tuple(_repaired(messages))


def _repaired(messages: Sequence[Message]) -> Iterator[Message]:
    used: set[str] = set()
    for position, message in enumerate(messages):
        match message:
            case System() if position == 0:
                yield message
            case User() if message.content.strip() or message.images:
                yield message
            case Assistant() if message.tool_calls:
                calls = _unique(message.tool_calls, used)
                yield message if calls == message.tool_calls else msgspec.structs.replace(message, tool_calls=calls)
                yield from _results(message.tool_calls, calls, messages[position + 1 :])
            case Assistant() if message.content.strip():
                yield message
            case _:
                # A blank message, a second system prompt; a result is handed out by the answer that asked for it.
                continue


def _unique(calls: tuple[ToolCall, ...], used: set[str]) -> tuple[ToolCall, ...]:
    """The calls with ids that no earlier call has."""
    renamed: list[ToolCall] = []
    for call in calls:
        call_id, copy = call.id, 1
        while call_id in used or not call_id:
            copy += 1
            call_id = f"{call.id}#{copy}"
        used.add(call_id)
        renamed.append(call if call_id == call.id else msgspec.structs.replace(call, id=call_id))
    return tuple(renamed)


def _results(asked: tuple[ToolCall, ...], renamed: tuple[ToolCall, ...], rest: Sequence[Message]) -> Iterator[ToolResult]:
    """One result for each call, taken from what follows: the next unused one with its id, before another call uses that id."""
    waiting = [result for result in _until_asked_again(asked, rest) if isinstance(result, ToolResult)]
    for call, new in zip(asked, renamed, strict=True):
        found = next((result for result in waiting if result.call_id == call.id), None)
        if found is None:
            yield ToolResult(new.id, new.name, MISSING_RESULT, ok=False)
            continue
        waiting.remove(found)
        yield found if new.id == call.id else msgspec.structs.replace(found, call_id=new.id)


def _until_asked_again(asked: tuple[ToolCall, ...], rest: Sequence[Message]) -> Iterator[Message]:
    ids = {call.id for call in asked}
    for message in rest:
        if isinstance(message, Assistant) and any(call.id in ids for call in message.tool_calls):
            return
        yield message
