"""Chat completion chunks in, deltas and one whole answer out. Pure and incremental; the quirks of real endpoints end here.

Tolerated: usage in `choices[0].usage` or beside `choices`, `cached_tokens` on top of it; `reasoning`, `reasoning_content` or
`reasoning_details`; arguments before the name, as an object, or interleaved by index; several calls under one index; calls without
an id or with one that was used before; a missing finish_reason or [DONE]; a whole completion instead of a stream.
Never tolerated: an answer that was cut. `finish` raises, and no half-received call leaves this module.
What this module does not do: split bytes into events (`sse`) or decide about retries.
"""

import json
import re
from collections.abc import Callable, Collection

import msgspec

from kimicode.errors import TemporaryError
from kimicode.messages import Assistant, ToolCall, Usage
from kimicode.model.client import Finished, Reasoning, Text
from kimicode.model.faults import ContentFilterError, classify, detail_of
from kimicode.model.target import Target

_DONE = b"[DONE]"
_REASONS = {"tool_calls": "tool_calls", "function_call": "tool_calls", "length": "length", "max_tokens": "length"}
_CALL_NAME = re.compile(r"(?:functions\.)?(?P<name>.+?)(?::\d+)?", re.DOTALL)


class EmptyAnswerError(TemporaryError):
    """The answer holds neither text nor a tool call, perhaps thoughts: worth asking again, a few times."""


class _Slot:
    """One tool call while it arrives."""

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.name = ""
        self.arguments: list[str] = []

    def add_name(self, name: str) -> None:
        # A name comes in one piece, or again with every piece; in fragments only before the arguments.
        if not self.name:
            self.name = name
        elif name != self.name and not self.arguments:
            self.name += name

    def belongs(self, call_id: str, name: str, *, more: bool) -> bool:
        """False where a delta under this slot's index is really another call; `more`: it brings arguments."""
        if call_id and self.id:
            return call_id == self.id
        begun = bool(name and self.name and self.arguments)
        return not (begun and (name != self.name or (more and self.whole())))

    def whole(self) -> bool:
        """True when the arguments are a JSON text."""
        try:
            msgspec.json.decode("".join(self.arguments) or "{}")
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return False
        return True


class Assembly:
    """One answer while it arrives. `taken` are the call ids of the conversation so far, `first_index` counts its calls; `on_prompt` gets
    how many of the prompt's tokens are read, from servers that say so (llama-server's `prompt_progress`)."""

    def __init__(
        self,
        target: Target,
        *,
        taken: Collection[str] = (),
        first_index: int = 0,
        on_prompt: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> None:
        self._target = target
        self._on_prompt = on_prompt
        self._taken = set(taken)
        self._first_index = first_index
        self._text: list[str] = []
        self._reasoning: list[str] | None = None
        self._slots: list[_Slot] = []
        self._by_index: dict[int | str, _Slot] = {}
        self._usage = Usage()
        self._reason: str | None = None
        self._done = False
        self.reasoning_field: str | None = None

    @property
    def complete(self) -> bool:
        """True once the endpoint said that the answer is whole; only usage may still follow."""
        return self._done or self._reason is not None

    @property
    def done(self) -> bool:
        """True once the endpoint said that nothing follows."""
        return self._done

    def feed(self, payload: bytes) -> list[Text | Reasoning]:
        """The deltas in one payload. Raises the error the payload reports, `TemporaryError` where it is damaged."""
        if payload.strip() == _DONE:
            self._done = True
            return []
        chunk = _decode(payload)
        if not isinstance(chunk, dict):
            return []
        if chunk.get("error"):
            raise classify(self._target, detail_of(chunk))
        self._take_progress(chunk.get("prompt_progress"))
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        self._take_usage(chunk.get("usage") or choice.get("usage"))
        if choice.get("error"):
            raise classify(self._target, detail_of(choice))
        part = choice.get("delta") or choice.get("message")
        deltas = self._take_part(part) if isinstance(part, dict) else []
        if reason := choice.get("finish_reason"):
            self._take_reason(str(reason))
        return deltas

    def finish(self) -> Finished:
        """The whole answer. Raises `TemporaryError` where the stream was cut, `EmptyAnswerError` where there is nothing in it."""
        calls = self._calls()
        reason = "tool_calls" if calls and self._reason != "length" else self._reason or "stop"
        text = "".join(self._text)
        reasoning = None if self._reasoning is None else "".join(self._reasoning)
        if reason != "length" and not calls and not text.strip():
            raise EmptyAnswerError(f"{self._target.endpoint}: the answer is empty", hint="Try again, or choose another endpoint.")
        return Finished(Assistant(text, reasoning, calls), self._usage, reason)

    def _take_part(self, part: dict[str, object]) -> list[Text | Reasoning]:
        deltas: list[Text | Reasoning] = []
        thought = self._thought(part)
        if thought is not None:
            # An empty thought is kept: «thought nothing» and «did not think» are sent back differently.
            self._reasoning = self._reasoning or []
            self._reasoning.append(thought)
            deltas += [Reasoning(thought)] if thought else []
        text = _text_of(part.get("content"))
        if text:
            self._text.append(text)
            deltas.append(Text(text))
        calls = part.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, dict):
                self._take_call(call, position)
        return deltas

    def _thought(self, part: dict[str, object]) -> str | None:
        """The thought in a delta. Some endpoints send the same one under two names; the first name seen is the one that counts."""
        fields = (self.reasoning_field,) if self.reasoning_field else ("reasoning_content", "reasoning", "reasoning_details")
        found = {field: text for field in fields if field and (text := _text_of(part.get(field))) is not None}
        if not found:
            return None
        field = next((field for field, text in found.items() if text), None)
        if field is None:
            return ""
        self.reasoning_field = field
        return found[field]

    def _take_call(self, call: dict[str, object], position: int) -> None:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name, arguments = _string(call.get("id")), _string(function.get("name")), function.get("arguments")
        index = call.get("index")
        if not isinstance(index, int | str):
            # Without an index a new id or name begins a call; a bare piece of arguments belongs to the last one.
            index = f"{len(self._slots)}+{position}" if call_id or name else self._last_index()
        slot = self._by_index.get(index)
        if slot is None or not slot.belongs(call_id, name, more=bool(arguments)):
            slot = _Slot(call_id)
            self._slots.append(slot)
            self._by_index[index] = slot
        slot.id = slot.id or call_id
        slot.add_name(name)
        if isinstance(arguments, dict | list):
            slot.arguments.append(json.dumps(arguments, ensure_ascii=False))
        elif isinstance(arguments, str) and arguments:
            slot.arguments.append(arguments)

    def _last_index(self) -> int | str:
        return next(reversed(self._by_index), "0")

    def _take_usage(self, usage: object) -> None:
        """Endpoints repeat usage with every chunk or send it once at the end; the last word counts, nothing is added up."""
        if not isinstance(usage, dict):
            return
        prompt, completion = _dict(usage.get("prompt_tokens_details")), _dict(usage.get("completion_tokens_details"))
        cached = prompt.get("cached_tokens") or usage.get("cached_tokens") or usage.get("prompt_cache_hit_tokens")
        self._usage = Usage(
            prompt=_count(usage.get("prompt_tokens")),
            completion=_count(usage.get("completion_tokens")),
            cached=min(_count(cached), _count(usage.get("prompt_tokens"))),
            reasoning=_count(completion.get("reasoning_tokens")),
        )

    def _take_progress(self, progress: object) -> None:
        match progress:
            case {"processed": int(done), "total": int(total)}:
                self._on_prompt(done, total)

    def _take_reason(self, reason: str) -> None:
        if reason == "content_filter":
            raise ContentFilterError(
                f"{self._target.endpoint}: the answer was stopped by the endpoint's content filter", hint="Rephrase the request."
            )
        if reason in ("error", "abort"):
            raise TemporaryError(f"{self._target.endpoint}: the endpoint broke the answer off ({reason})", hint="Try again.")
        self._reason = _REASONS.get(reason, "stop")

    def _calls(self) -> tuple[ToolCall, ...]:
        if not self.complete:
            raise TemporaryError(f"{self._target.endpoint}: the stream ended before the answer was whole", hint="Try again.")
        slots = [slot for slot in self._slots if slot.name or slot.arguments]
        if self._reason is None and not all(slot.arguments and slot.whole() for slot in slots):
            raise TemporaryError(f"{self._target.endpoint}: the stream ended inside a tool call", hint="Try again.")
        if self._reason == "length":
            # The limit cut the last call somewhere, even where its JSON was closed for it; what is not whole is not a call.
            slots = [slot for slot in slots[:-1] if slot.name and slot.arguments and slot.whole()]
        if not all(slot.name for slot in slots):
            raise TemporaryError(f"{self._target.endpoint}: a tool call came without a name", hint="Try again.")
        return tuple(self._call(slot, position) for position, slot in enumerate(slots))

    def _call(self, slot: _Slot, position: int) -> ToolCall:
        match = _CALL_NAME.fullmatch(slot.name)
        name = match["name"] if match else slot.name
        call_id = slot.id or f"functions.{name}:{self._first_index + position}"
        unique, copy = call_id, 1
        while unique in self._taken:
            copy += 1
            unique = f"{call_id}#{copy}"
        self._taken.add(unique)
        return ToolCall(unique, name, "".join(slot.arguments) or "{}")


def _decode(payload: bytes) -> object:
    try:
        return msgspec.json.decode(payload)
    except RecursionError:
        raise TemporaryError("the endpoint sent an event that is nested too deeply", hint="Try again.") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_loosely(payload)


def _decode_loosely(payload: bytes) -> object:
    """What the strict decoder refuses but can be read: half a surrogate pair, a stray byte. None for a keep-alive that is no JSON."""
    text = payload.decode("utf-8", "replace").strip()
    if not text.startswith(("{", "[")):
        return None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise TemporaryError("the endpoint sent an event that is cut or damaged", hint="Try again.") from None
    # Lone surrogates can't be encoded again; one round trip turns them into the replacement character.
    clean: object = json.loads(json.dumps(data, ensure_ascii=False).encode("utf-8", "replace"))
    return clean


def _text_of(value: object) -> str | None:
    """The text of a content or reasoning field: a string, or a list of parts. None where the field is absent or null."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        parts = [part for part in value if isinstance(part, dict)]
        return "".join(_string(part.get("text") or part.get("summary")) for part in parts)
    return None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 < value < 1e15 else 0
