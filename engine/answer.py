"""An answer in OpenAI's JSON: chunks of a stream, or one whole completion. Pure.

Usage is told where OpenAI has it and where Kimi has it: `cached_tokens` on top too, and in the choice of a stream's last chunk.
What this module does not do: generate, or frame chunks for HTTP (`engine.server`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from engine.callids import CallIds
from engine.parse import CallArguments, CallBegun, CallEnd, ContentText, ParsedAnswer, ParseEvent, ReasoningText

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
JsonObject: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer. `cached` is the part of `prompt` that was in the cache; `reasoning` is part of `completion`."""

    prompt: int
    completion: int
    cached: int
    reasoning: int

    def as_json(self) -> JsonObject:
        """OpenAI's `usage` object, with Kimi's `cached_tokens`."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "cached_tokens": self.cached,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


@dataclass(frozen=True)
class Envelope:
    """What every chunk of one answer repeats. `created` is seconds since 1970."""

    id: str
    created: int
    model: str

    def chunk(self, delta: JsonObject) -> JsonObject:
        """A chunk with one choice."""
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": None}])

    def progress_chunk(self, cached: int, done: int, total: int, seconds: float) -> JsonObject:
        """A chunk without text that tells how much of the prompt is read, in llama-server's form: `processed` counts what was cached."""
        told: JsonObject = {"total": total, "cache": cached, "processed": done, "time_ms": round(seconds * 1000)}
        return {**self.chunk({}), "prompt_progress": told}

    def last_chunk(self, finish_reason: str, usage: Usage) -> JsonObject:
        """The chunk that ends an answer."""
        return self._chunk([{"index": 0, "delta": {}, "finish_reason": finish_reason, "usage": usage.as_json()}])

    def usage_chunk(self, usage: Usage) -> JsonObject:
        """What follows it in a stream that asked for usage: no choices."""
        return {**self._chunk([]), "usage": usage.as_json()}

    def completion(self, answer: ParsedAnswer, finish_reason: str, usage: Usage, ids: CallIds) -> JsonObject:
        """The whole answer as one object. Calls that were cut off are not in it."""
        calls: list[JsonValue] = []
        for index, call in enumerate(answer.tool_calls):
            call_id = ids.give(CallBegun(index, call.id, call.name))
            calls.append({"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
        message: JsonObject = {"role": "assistant", "content": answer.content or (None if calls else "")}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if calls:
            message["tool_calls"] = calls
        choice: JsonObject = {"index": 0, "message": message, "finish_reason": finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage.as_json()}

    def _chunk(self, choices: list[JsonValue]) -> JsonObject:
        return {**self._head("chat.completion.chunk"), "choices": choices}

    def _head(self, kind: str) -> JsonObject:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def deltas(events: Iterable[ParseEvent], ids: CallIds) -> Iterator[JsonObject]:
    """The `delta` objects of some events of one answer; `ids` is the same for all of them."""
    for event in events:
        match event:
            case ReasoningText(text):
                yield {"reasoning_content": text}
            case ContentText(text):
                yield {"content": text}
            case CallBegun():
                function: JsonObject = {"name": event.name, "arguments": ""}
                yield {"tool_calls": [{"index": event.index, "id": ids.give(event), "type": "function", "function": function}]}
            case CallArguments():
                yield {"tool_calls": [{"index": event.index, "function": {"arguments": event.text}}]}
            case CallEnd() | ParsedAnswer():
                pass
            case _:
                assert_never(event)
