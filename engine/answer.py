"""An answer in OpenAI's JSON: chunks of a stream, or one whole completion. Pure.

Tool calls keep the id the model wrote where it is `functions.name:index` and new to the conversation, so that the next prompt repeats
the model's own tokens; any other id is replaced by one of that form with the next free index.
What this module does not do: generate, or frame chunks for HTTP (`engine.server`).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from engine.parse import CallArguments, CallBegun, CallEnd, ContentText, ParsedAnswer, ParseEvent, ReasoningText

JsonValue: TypeAlias = bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"] | None
JsonObject: TypeAlias = dict[str, JsonValue]

_KIMI_ID = re.compile(r"functions\.[^<>\s:]+:(\d{1,9})")


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer. `cached` is the part of `prompt` that was in the cache; `reasoning` is part of `completion`."""

    prompt: int
    completion: int
    cached: int
    reasoning: int

    def as_json(self) -> JsonObject:
        """OpenAI's `usage` object."""
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning},
        }


class CallIds:
    """Ids for the calls of one answer, none of which is in `taken`."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._next = max((_index(call_id) for call_id in self._taken), default=-1) + 1
        self._next = max(self._next, len(self._taken))

    def give(self, call: CallBegun) -> str:
        """The id under which `call` goes out."""
        call_id = call.id
        if _KIMI_ID.fullmatch(call_id) is None or call_id in self._taken:
            call_id = f"functions.{call.name}:{self._next}"
        self._taken.add(call_id)
        self._next = max(self._next, _index(call_id) + 1)
        return call_id


@dataclass(frozen=True)
class Envelope:
    """What every chunk of one answer repeats. `created` is seconds since 1970."""

    id: str
    created: int
    model: str

    def chunk(self, delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        """A chunk with one choice."""
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def usage_chunk(self, usage: Usage) -> JsonObject:
        """The last chunk of a stream that asked for usage: no choices."""
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


def _index(call_id: str) -> int:
    found = _KIMI_ID.fullmatch(call_id)
    return int(found[1]) if found else -1
