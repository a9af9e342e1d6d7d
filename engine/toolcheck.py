"""The tools of a request: what each must be, and the name and schema an engine needs to hold the model to it. Pure.

A tool that can't be called is refused, never dropped: another type than `function`, a name no call could carry, a name that comes twice.
What this module does not do: write the declaration the model reads (`engine.tooldecl`), or judge a schema (`engine.guide`).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from engine.body import RequestError
from engine.schema import ANY_OBJECT, JsonSchema

MAX_TOOLS: Final = 128
"""How many tools Kimi's own API takes."""

_NAME: Final = re.compile(r"[^<>:\s]{1,256}")  # what a call's id, `functions.NAME:0`, can carry


def declared(tools: Sequence[object]) -> tuple[tuple[str, JsonSchema], ...]:
    """Names and parameters. A tool with `strict: false`, or without parameters, may be given any object. Raises `RequestError`."""
    if len(tools) > MAX_TOOLS:
        raise RequestError(f"{len(tools)} tools are too many: at most {MAX_TOOLS}", "tools")
    found: dict[str, JsonSchema] = {}
    for index, (name, schema) in enumerate(map(_checked, range(len(tools)), tools)):
        if name in found:
            raise RequestError(f"tools[{index}]: the name {name!r} comes twice; every tool needs its own", f"tools[{index}]")
        found[name] = schema
    return tuple(found.items())


def refuse_message_tools(messages: Sequence[dict[str, object]]) -> None:
    """Raises `RequestError` for tools that a message declares: K2.6 has no place for them."""
    for index, message in enumerate(messages):
        if message.get("tools") is not None:
            raise RequestError(f"messages[{index}]: a message can't declare tools; put them in the request's 'tools'", f"messages[{index}]")


def call_ids(messages: Sequence[dict[str, object]]) -> Iterator[str]:
    """The ids of all calls that were made."""
    for message in messages:
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else []:
            if isinstance(call, dict) and isinstance(call_id := call.get("id"), str):
                yield call_id


def _checked(index: int, tool: object) -> tuple[str, JsonSchema]:
    def wrong(problem: str) -> RequestError:
        return RequestError(f"tools[{index}]: {problem}", f"tools[{index}]")

    match tool:
        case {"type": "function", "function": dict(function)}:
            pass
        case {"type": str(kind)} if kind != "function":
            raise wrong(f"type {kind!r} is not 'function': this engine runs no tools of its own")
        case _:
            raise wrong("it needs type 'function' and an object 'function'")
    name, parameters, strict = function.get("name"), function.get("parameters"), function.get("strict")
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise wrong(f"the name {name!r} can't be called: 1 to 256 characters without spaces and any of < > :")
    if not isinstance(function.get("description", ""), str | None):
        raise wrong("'description' must be a string")
    if not isinstance(strict, bool | None):
        raise wrong("'strict' must be true or false")
    if not isinstance(parameters, dict | None):
        raise wrong("'parameters' must be a JSON Schema of an object")
    return name, ANY_OBJECT if parameters is None or strict is False else parameters
