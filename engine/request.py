"""A chat completion request: OpenAI's JSON, with Kimi's extensions, checked and reduced to what the engine needs. Pure.

Kimi's ways to say "think or not" are all understood: `thinking {type, keep}` as its own API has it, and `chat_template_kwargs` as
self-hosted servers have it. What can't be honoured is refused, never ignored: several answers, forced tools, response formats,
penalties, log probabilities. Fields nobody here knows are ignored, as every server does.
What this module does not do: render messages or look at the shape of a tool's schema (`engine.chat`, `engine.tooldecl`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.gguf import Defaults
from engine.sampling import Sampling

MAX_STOPS = 5
"""How many stop strings Kimi's own API takes."""


class RequestError(ValueError):
    """What is wrong with a request. `param` is the field, if it is one field's fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True)
class ChatRequest:
    """One request. `max_tokens` is None where only the context limits the answer; `taken` are the tool call ids in `messages`."""

    messages: tuple[dict[str, object], ...]
    tools: tuple[dict[str, object], ...]
    thinking: bool
    preserve_thinking: bool
    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    taken: frozenset[str]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Thinking(msgspec.Struct):
    type: Literal["enabled", "disabled"] = "enabled"
    keep: Literal["all"] | None = None


class _TemplateArguments(msgspec.Struct):
    thinking: bool | None = None
    preserve_thinking: bool | None = None


class _ResponseFormat(msgspec.Struct):
    type: str


_Probability = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=1)]
_Seed = Annotated[int, Meta(ge=0)]
_StopString = Annotated[str, Meta(min_length=1)]


class _Body(msgspec.Struct):
    messages: Annotated[list[dict[str, object]], Meta(min_length=1)]
    model: str | None = None
    tools: list[dict[str, object]] | None = None
    tool_choice: str | dict[str, object] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    min_p: _Probability | None = None
    seed: _Seed | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: _StopString | list[_StopString] | None = None
    thinking: _Thinking | None = None
    chat_template_kwargs: _TemplateArguments | None = None
    response_format: _ResponseFormat | None = None
    n: int | None = None
    logprobs: bool | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


def read_request(data: bytes, defaults: Defaults) -> ChatRequest:
    """The request in `data`; `defaults` fill what it does not say. Raises `RequestError`."""
    try:
        body = msgspec.json.decode(data, type=_Body)
    except msgspec.ValidationError as problem:
        where = re.search(r"at `\$\.?([^`]*)`", str(problem))
        raise RequestError(str(problem), where[1] or None if where else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise RequestError(f"the body is not JSON: {problem}") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None
    _refuse_unsupported(body)
    thinking, preserve = _thinking(body, defaults)
    return ChatRequest(
        messages=tuple(body.messages),
        tools=tuple(body.tools or ()) if body.tool_choice != "none" else (),
        thinking=thinking,
        preserve_thinking=preserve,
        sampling=_sampling(body, defaults),
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=_stops(body),
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        taken=frozenset(_call_ids(body.messages)),
    )


def _refuse_unsupported(body: _Body) -> None:
    if body.n not in (None, 1):
        raise RequestError("n must be 1: this engine gives one answer a request", "n")
    if body.tool_choice not in (None, "auto", "none"):
        raise RequestError("tool_choice must be 'auto' or 'none': this engine can't force a tool", "tool_choice")
    if body.response_format and body.response_format.type != "text":
        raise RequestError("response_format must be 'text': ask for JSON in the prompt and check the answer", "response_format")
    if body.logprobs:
        raise RequestError("logprobs are not available", "logprobs")
    for field in ("presence_penalty", "frequency_penalty"):
        if getattr(body, field):
            raise RequestError(f"{field} must be 0: K2.6 is used without penalties", field)


def _thinking(body: _Body, defaults: Defaults) -> tuple[bool, bool]:
    """Whether to think, and whether thoughts of earlier turns stay."""
    template = body.chat_template_kwargs or _TemplateArguments()
    thinking = defaults.thinking if template.thinking is None else template.thinking
    preserve = bool(template.preserve_thinking)
    if body.thinking is not None:
        thinking, preserve = body.thinking.type == "enabled", preserve or body.thinking.keep == "all"
    return thinking, preserve


def _sampling(body: _Body, defaults: Defaults) -> Sampling:
    return Sampling(
        temperature=defaults.temperature if body.temperature is None else body.temperature,
        top_p=defaults.top_p if body.top_p is None else body.top_p,
        min_p=defaults.min_p if body.min_p is None else body.min_p,
        seed=body.seed,
    )


def _stops(body: _Body) -> tuple[str, ...]:
    match body.stop:
        case None:
            return ()
        case str(stop):
            return (stop,)
        case stops if len(stops) > MAX_STOPS:
            raise RequestError(f"at most {MAX_STOPS} stop strings", "stop")
        case stops:
            return tuple(stops)


def _call_ids(messages: list[dict[str, object]]) -> Iterator[str]:
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict) and isinstance(call_id := call.get("id"), str):
                yield call_id
