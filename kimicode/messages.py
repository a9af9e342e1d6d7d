"""Conversation values: what was said, in the form every layer shares.

Frozen, JSON through `msgspec`, compared by value. A conversation is a tuple of `Message`; it only ever grows at the end.
What this module does not do: render a prompt (the engine's or the endpoint's job) or talk to a model.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
JsonObject: TypeAlias = dict[str, JsonValue]


class ToolCall(msgspec.Struct, frozen=True):
    """One call the model made. `arguments` is the model's own JSON text, kept verbatim: rewriting it would break the prefix."""

    id: str
    name: str
    arguments: str


class System(msgspec.Struct, frozen=True, tag="system", tag_field="role"):
    """The system prompt: first, once, never changed in a session."""

    content: str


class Image(msgspec.Struct, frozen=True):
    """A picture that goes with a message: `path` of a private copy, absolute; its media type; what it was called."""

    path: str
    media_type: str
    name: str = ""


class User(msgspec.Struct, frozen=True, tag="user", tag_field="role"):
    """What the user, or kimicode on the user's behalf (notes, reminders), said, and the pictures shown with it."""

    content: str
    images: tuple[Image, ...] = ()


class Assistant(msgspec.Struct, frozen=True, tag="assistant", tag_field="role"):
    """A model's whole answer. `reasoning` is None where the model did not think, and may be the empty string where it did."""

    content: str = ""
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()


class ToolResult(msgspec.Struct, frozen=True, tag="tool", tag_field="role"):
    """The one answer to one `ToolCall`. `ok` is for people and guards; the model reads only `content`."""

    call_id: str
    name: str
    content: str
    ok: bool = True


Message: TypeAlias = System | User | Assistant | ToolResult
Conversation: TypeAlias = tuple[Message, ...]


class ToolSpec(msgspec.Struct, frozen=True):
    """What a model is told about a tool: name, description, and a JSON Schema object for its arguments."""

    name: str
    description: str
    parameters: Mapping[str, JsonValue]


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one model call. `cached` is the part of `prompt` the server had already; `reasoning` is part of `completion`."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )

    @property
    def total(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt + self.completion
