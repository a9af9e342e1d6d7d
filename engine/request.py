"""A chat completion request: OpenAI's JSON, with Kimi's extensions, checked and reduced to what the engine needs. Pure.

Kimi's ways to say "think or not" are all understood: `thinking {type, keep}` as its own API has it, and `chat_template_kwargs` as
self-hosted servers have it. What can't be honoured is refused, never ignored: several answers, penalties, log probabilities, tools inside
messages. Fields nobody here knows are ignored, as every server does.
What this module does not do: read JSON (`engine.body`), render messages (`engine.chat`), or judge schemas (`engine.guide`).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from engine import vendor
from engine.body import Body, ChosenTool, RequestError, ResponseFormat, TemplateArguments, decode
from engine.callids import first_index
from engine.gguf import Defaults
from engine.guide import GuideSpec
from engine.sampling import Sampling
from engine.schema import ANY_OBJECT, JsonSchema
from engine.toolcheck import call_ids, declared, refuse_message_tools

MAX_STOPS: Final = 5
"""How many stop strings Kimi's own API takes."""

TEMPERATURE_THINKING: Final = 1.0
TEMPERATURE_INSTANT: Final = 0.6
"""K2.6's published temperatures, where neither the request nor the model file has another."""


class Priority(IntEnum):
    """Whose turn it is first: a person who waits, or one of many agents."""

    INTERACTIVE = 0
    SWARM = 1


@dataclass(frozen=True)
class ChatRequest:
    """One request. `max_tokens` is None where only the context limits the answer; `taken` are the tool call ids in `messages`.

    `guide` is what the answer must keep to, None where it is free; with `partial` the answer continues the last message. A stream with
    `return_progress` tells in chunks how much of the prompt is read.
    """

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
    guide: GuideSpec | None = None
    priority: Priority = Priority.INTERACTIVE
    partial: bool = False
    model: str | None = None
    return_progress: bool = False


def read_request(data: bytes, defaults: Defaults, *, strict: bool = False, priority: str | None = None) -> ChatRequest:
    """The request in `data`; `defaults` fill what it does not say, and `priority` is what its header says.

    `strict` takes only what the vendor's API takes. Raises `RequestError`.
    """
    body = decode(data)
    thinking, preserve = _thinking(body, defaults)
    names = declared(body.tools or ())
    stop = _stops(body)
    taken = frozenset(call_ids(body.messages))
    partial = _partial(body)
    _refuse_unsupported(body)
    if strict:
        vendor.check(body, thinking=thinking, tools=[name for name, _ in names], stop=stop)
    return ChatRequest(
        messages=tuple(body.messages),
        tools=tuple(body.tools or ()) if body.tool_choice != "none" else (),
        thinking=thinking,
        preserve_thinking=preserve,
        sampling=_sampling(body, defaults, thinking),
        max_tokens=body.max_completion_tokens or body.max_tokens,
        stop=stop,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        return_progress=bool(body.return_progress),
        taken=taken,
        guide=_guide(body, names, first_index(taken), partial),
        priority=_priority(body, priority),
        partial=partial,
        model=body.model,
    )


def _refuse_unsupported(body: Body) -> None:
    for field, neutral in (("n", (1,)), ("presence_penalty", (0,)), ("frequency_penalty", (0,)), ("repetition_penalty", (1,))):
        if (value := getattr(body, field)) is not None and value not in neutral:
            raise RequestError(f"{vendor.refusal(field, neutral)}: this engine gives one answer, without penalties", field)
    if body.logprobs or body.top_logprobs:
        raise RequestError("logprobs are not available", "logprobs")
    if body.logit_bias:
        raise RequestError("logit_bias is not available", "logit_bias")
    if body.top_k not in (None, 0, -1):
        raise RequestError("top_k is not available: K2.6 is used with top_p and min_p", "top_k")
    if body.functions:
        raise RequestError("functions are OpenAI's old form: declare them in 'tools'", "functions")
    refuse_message_tools(body.messages)


def _thinking(body: Body, defaults: Defaults) -> tuple[bool, bool]:
    """Whether to think, and whether thoughts of earlier turns stay."""
    template = body.chat_template_kwargs or TemplateArguments()
    thinking = defaults.thinking if template.thinking is None else template.thinking
    preserve = bool(template.preserve_thinking)
    if body.thinking is not None:
        thinking, preserve = body.thinking.type == "enabled", preserve or body.thinking.keep == "all"
    return thinking, preserve


def _sampling(body: Body, defaults: Defaults, thinking: bool) -> Sampling:
    published = TEMPERATURE_THINKING if thinking else TEMPERATURE_INSTANT
    temperature = published if defaults.temperature is None else defaults.temperature
    return Sampling(
        temperature=temperature if body.temperature is None else body.temperature,
        top_p=defaults.top_p if body.top_p is None else body.top_p,
        min_p=defaults.min_p if body.min_p is None else body.min_p,
        seed=body.seed,
    )


def _stops(body: Body) -> tuple[str, ...]:
    match body.stop:
        case None:
            return ()
        case str(stop):
            return (stop,)
        case stops if len(stops) > MAX_STOPS:
            raise RequestError(f"at most {MAX_STOPS} stop strings", "stop")
        case stops:
            return tuple(stops)


def _partial(body: Body) -> bool:
    """Whether the last message is to be continued."""
    for index, message in enumerate(body.messages):
        partial = message.get("partial")
        if not isinstance(partial, bool | None):
            raise RequestError(f"messages[{index}]: 'partial' must be true or false", f"messages[{index}]")
        if partial and index + 1 < len(body.messages):
            raise RequestError(f"messages[{index}]: only the last message can be partial", f"messages[{index}]")
    return bool(body.messages[-1].get("partial"))


def _guide(body: Body, tools: tuple[tuple[str, JsonSchema], ...], index: int, partial: bool) -> GuideSpec | None:
    answer = _answer_schema(body.response_format)
    if partial and answer is not None:
        raise RequestError("response_format can't be used with a partial message: its beginning was not checked", "response_format")
    only = body.tool_choice.function.name if isinstance(body.tool_choice, ChosenTool) else None
    if only is not None and only not in dict(tools):
        raise RequestError(f"tool_choice: there is no tool {only!r} in 'tools'", "tool_choice")
    required = body.tool_choice == "required"
    if required and not tools:
        raise RequestError("tool_choice: 'required' needs at least one tool in 'tools'", "tool_choice")
    if body.tool_choice == "none":
        tools = ()
    if not tools and answer is None:
        return None
    return GuideSpec(tools, answer, required, only, body.parallel_tool_calls is not False, index)


def _answer_schema(form: ResponseFormat | None) -> JsonSchema | None:
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        return ANY_OBJECT
    wanted = form.json_schema
    if wanted is None:
        raise RequestError("response_format: type 'json_schema' needs a 'json_schema'", "response_format.json_schema")
    if wanted.strict is False:
        return ANY_OBJECT if wanted.schema.get("type") == "object" else True
    return wanted.schema


def _priority(body: Body, header: str | None) -> Priority:
    given = body.kimicode.priority if body.kimicode else None
    match given or (header or "interactive").lower():
        case "interactive":
            return Priority.INTERACTIVE
        case "swarm":
            return Priority.SWARM
        case other:
            raise RequestError(f"the priority {other!r} is neither interactive nor swarm", "kimicode.priority")
