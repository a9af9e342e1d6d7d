"""The JSON of a chat completion request, field by field, before anything is decided. Pure.

OpenAI's fields with Kimi's (`thinking`, `partial`) and self-hosted servers' (`chat_template_kwargs`, `min_p`, `return_progress`). A
field that is missing and one that is null are the same. Fields nobody here knows are ignored, as every server does; those of the wrong
type are refused.
What this module does not do: give fields a meaning (`engine.request`), or look into messages and tools.
"""

import re
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta

MAX_MARKS: Final = 2_000_000
"""Brackets, braces and commas a body may have: each becomes up to 70 bytes of memory, and a full context of text has far fewer."""


class RequestError(ValueError):
    """What is wrong with a request. `param` is the field, if it is one field's fault."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool | None = None


class Thinking(msgspec.Struct):
    """`thinking`, as Kimi's own API has it."""

    type: Literal["enabled", "disabled"] = "enabled"
    keep: Literal["all"] | None = None


class TemplateArguments(msgspec.Struct):
    """`chat_template_kwargs`, as self-hosted servers have it."""

    thinking: bool | None = None
    preserve_thinking: bool | None = None


class AnswerSchema(msgspec.Struct):
    """`response_format.json_schema`; without `strict` the schema is binding, as in Kimi's API."""

    name: Annotated[str, Meta(min_length=1)]
    schema: dict[str, object]
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    """`response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: AnswerSchema | None = None


class ChosenFunction(msgspec.Struct):
    """The tool that must be called."""

    name: str


class ChosenTool(msgspec.Struct):
    """`tool_choice` where it names a tool."""

    type: Literal["function"]
    function: ChosenFunction


class Extension(msgspec.Struct):
    """`kimicode`: this engine's own field."""

    priority: Literal["interactive", "swarm"] | None = None


_T = TypeVar("_T")
_Probability = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=1)]
_Seed = Annotated[int, Meta(ge=0)]
_StopString = Annotated[str, Meta(min_length=1)]


class Body(msgspec.Struct):
    """A request. Temperature's upper limit is OpenAI's."""

    messages: Annotated[list[dict[str, object]], Meta(min_length=1)]
    model: str | None = None
    tools: list[dict[str, object]] | None = None
    tool_choice: Literal["auto", "none", "required"] | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    return_progress: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    min_p: _Probability | None = None
    seed: _Seed | None = None
    max_tokens: _Count | None = None
    max_completion_tokens: _Count | None = None
    stop: _StopString | list[_StopString] | None = None
    thinking: Thinking | None = None
    chat_template_kwargs: TemplateArguments | None = None
    response_format: ResponseFormat | None = None
    kimicode: Extension | None = None
    # What follows is known only to be refused where it asks for something.
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    repetition_penalty: float | None = None
    top_k: int | None = None
    functions: list[object] | None = None


def decode(data: bytes) -> Body:
    """The chat request in `data`. Raises `RequestError`."""
    return decode_as(data, Body)


def decode_as(data: bytes, kind: type[_T]) -> _T:
    """The `kind` of request in `data`. Raises `RequestError`, which names the field."""
    if sum(map(data.count, (b"[", b"{", b","))) > MAX_MARKS:
        raise RequestError(f"the body has more than {MAX_MARKS:,} brackets and commas: send fewer values")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as problem:
        where = re.search(r"at `\$\.?([^`]*)`", str(problem))
        raise RequestError(str(problem), where[1] or None if where else None) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise RequestError(f"the body is not JSON: {problem}") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None
