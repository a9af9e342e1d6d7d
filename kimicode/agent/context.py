"""The context: a conversation that only grows at its end.

Request N is a byte prefix of request N+1, because nothing that was appended is ever changed or removed. A reset point is declared:
compaction by building a new `Context`, a rewind by the event `Rewound`, which cuts the conversation back to one that it has been
before. `grow` is the only way in: what an event means is decided by `session.replay`, so a log rebuilds exactly this
conversation. What this module does not do: render a prompt for a model.
"""

import msgspec

from kimicode.events import Event
from kimicode.messages import Assistant, Conversation, Message, ToolCall, ToolResult
from kimicode.session.replay import Thread


class Context:
    """A conversation that is appended to. `starts`, where a session goes on, holds the conversation before each of its turns."""

    def __init__(self, messages: Conversation = (), *, starts: tuple[Conversation, ...] = ()) -> None:
        self._thread = Thread(messages, starts)

    @property
    def messages(self) -> Conversation:
        """Everything so far, oldest first."""
        return self._thread.messages

    def append(self, message: Message) -> None:
        """Add one message at the end."""
        self._thread.append(message)

    def grow(self, event: Event) -> None:
        """Take in what `event` means for the conversation, if anything."""
        self._thread.grow(event)


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
