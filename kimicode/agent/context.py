"""The context: a conversation that only grows at its end.

Request N is a byte prefix of request N+1, because nothing that was appended is ever changed or removed. A reset point (compaction,
rewind) is declared by building a new `Context`. `grow` is the only way in: what an event adds is decided by `session.replay`, so a
log rebuilds exactly this conversation. What this module does not do: render a prompt for a model.
"""

import msgspec

from kimicode.events import Event
from kimicode.messages import Assistant, Conversation, Message, ToolCall, ToolResult
from kimicode.session.replay import message_of


class Context:
    """An append-only conversation."""

    def __init__(self, messages: Conversation = ()) -> None:
        self._messages = messages

    @property
    def messages(self) -> Conversation:
        """Everything so far, oldest first."""
        return self._messages

    def append(self, message: Message) -> None:
        """Add one message at the end."""
        self._messages = (*self._messages, message)

    def grow(self, event: Event) -> None:
        """Add what `event` means for the conversation, if anything."""
        message = message_of(event)
        if message is not None:
            self.append(message)


def rendered(conversation: Conversation) -> bytes:
    """A canonical byte form, one line a message: equal prefixes of conversations have equal prefixes of bytes."""
    return b"".join(msgspec.json.encode(message) + b"\n" for message in conversation)


def is_prefix(earlier: Conversation, later: Conversation) -> bool:
    """True when `earlier`, rendered, is a byte prefix of `later`, rendered."""
    return rendered(later).startswith(rendered(earlier))


def unanswered(conversation: Conversation) -> tuple[ToolCall, ...]:
    """The calls of the last answer that have no result yet, in call order. Results stand behind an answer in the order of its calls."""
    results = 0
    for message in reversed(conversation):
        match message:
            case ToolResult():
                results += 1
            case Assistant(tool_calls=calls):
                return calls[results:]
            case _:
                return ()
    return ()
