"""The one door to models: messages and tools in, a stream of deltas out.

Every implementation (OpenAI-compatible endpoint, scripted, record/replay) keeps the same promises:
- deltas arrive in order; the last one is `Finished`, exactly once, and only `Finished` carries tool calls, all of them complete;
- if the stream ends any other way, an error of `kimicode.errors` is raised, and nothing half-received is ever handed out;
- closing the iterator early cancels the request on the server.

What this module does not do: retry across requests of its own accord without saying so (`Restarted` says so).
"""

import enum
from collections.abc import AsyncIterator
from typing import Protocol, TypeAlias

import msgspec

from kimicode.messages import Assistant, Conversation, JsonObject, ToolSpec, Usage


class Thinking(enum.Enum):
    """Whether the model thinks, and whether thoughts of earlier turns are sent back (`KEEP`: K2.6's preserved thinking)."""

    OFF = "off"
    ON = "on"
    KEEP = "keep"


class ModelRequest(msgspec.Struct, frozen=True):
    """One request. `schema`, if set, is the JSON Schema the text answer must follow; `session_id` routes to a warm cache."""

    messages: Conversation
    tools: tuple[ToolSpec, ...] = ()
    thinking: Thinking = Thinking.ON
    schema: JsonObject | None = None
    max_tokens: int | None = None
    session_id: str = ""


class Text(msgspec.Struct, frozen=True, tag="text"):
    """A piece of the answer."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, tag="reasoning"):
    """A piece of the thinking."""

    text: str


class Restarted(msgspec.Struct, frozen=True, tag="restarted"):
    """What came before this delta in this stream is void: the request is being sent again, for this reason."""

    reason: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The whole answer. `finish_reason` is `stop`, `length` or `tool_calls`."""

    message: Assistant
    usage: Usage
    finish_reason: str


Delta: TypeAlias = Text | Reasoning | Restarted | Finished


class ModelInfo(msgspec.Struct, frozen=True):
    """What the agent must know about the model behind a client. Prices are USD per million tokens, None where unknown. `images`: it can be
    shown pictures."""

    model: str
    endpoint: str
    context: int
    price_in: float | None = None
    price_cached: float | None = None
    price_out: float | None = None
    profile: str = "default"
    images: bool = False

    def cost(self, usage: Usage) -> float | None:
        """USD of one call, or None where the price is unknown."""
        if self.price_in is None or self.price_out is None:
            return None
        cached_price = self.price_in if self.price_cached is None else self.price_cached
        fresh = usage.prompt - usage.cached
        return (fresh * self.price_in + usage.cached * cached_price + usage.completion * self.price_out) / 1e6


class ModelClient(Protocol):
    """A model that can be asked."""

    @property
    def info(self) -> ModelInfo:
        """What this model is; constant over the client's life."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """Ask once. See the module's promises. Raises `TemporaryError`, `UnavailableError`, `ContractError`."""
        ...

    async def aclose(self) -> None:
        """Release connections. The client can't be used afterwards."""
        ...
