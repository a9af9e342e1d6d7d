"""What Kimi's own API takes and refuses for K2.6, as its public parameter checks and its documentation have it."""

import json
from typing import Final

import pytest

from engine.body import RequestError
from engine.gguf import Defaults
from engine.request import ChatRequest, read_request

USER: Final = {"role": "user", "content": "hello"}


def _tool(name: str) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}


def _read(thinking: bool, *, strict: bool = True, **fields: object) -> ChatRequest:
    body = {"messages": [USER], "chat_template_kwargs": {"thinking": thinking}, **fields}
    return read_request(json.dumps(body).encode(), Defaults(), strict=strict)


# The suite's table: a field, the values it sends as right with and without thinking, and those it sends as wrong.
SUITE: Final = (
    ("temperature", (0.6, 0.0, 1.0), (0.6,), (1.1, 2.0, -0.1)),
    ("top_p", (0.95,), (0.95,), (0.8,)),
    ("presence_penalty", (0,), (0,), (0.5,)),
    ("frequency_penalty", (0,), (0,), (0.5,)),
    ("n", (1,), (1,), (2,)),
)


@pytest.mark.parametrize(
    ("thinking", "field", "value"),
    [
        (thinking, field, value)
        for field, think, instant, _ in SUITE
        for thinking, good in ((True, think), (False, instant))
        for value in good
    ],
)
def test_the_fixed_values_are_taken(thinking: bool, field: str, value: float) -> None:
    assert _read(thinking, **{field: value}).thinking is thinking


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(("field", "value"), [(field, value) for field, _, _, bad in SUITE for value in bad])
def test_other_values_are_refused_by_name(thinking: bool, field: str, value: float) -> None:
    with pytest.raises(RequestError) as caught:
        _read(thinking, **{field: value})
    assert caught.value.param == field


@pytest.mark.parametrize("thinking", [True, False])
def test_a_request_that_says_nothing_is_taken(thinking: bool) -> None:
    sampling = _read(thinking).sampling
    assert (sampling.temperature, sampling.top_p) == (1.0 if thinking else 0.6, 0.95)


@pytest.mark.parametrize(
    ("thinking", "fields", "message"),
    [
        (True, {"temperature": 0.5}, "invalid temperature: only 1 is allowed for this model"),
        (False, {"temperature": 1}, "invalid temperature: only 0.6 is allowed for this model"),
        (True, {"top_p": 1}, "invalid top_p: only 0.95 is allowed for this model"),
        (True, {"min_p": 0.1}, "invalid min_p: only 0 is allowed for this model"),
        (True, {"n": 2}, "invalid n: only 1 is allowed for this model"),
        (True, {"tools": [_tool("read")], "tool_choice": "required"}, "incompatible with thinking"),
        (True, {"tools": [_tool("read")], "tool_choice": {"type": "function", "function": {"name": "read"}}}, "incompatible with thinking"),
        (False, {"tools": [_tool("ls")]}, "function name is invalid"),
        (False, {"tools": [_tool("read"), _tool("2nd")]}, "function name is invalid"),
        (False, {"tools": [_tool("read.file")]}, "function name is invalid"),
        (False, {"tools": [_tool("r" * 65)]}, "function name is invalid"),
        (False, {"stop": "é" * 17}, "at most 32 bytes"),
    ],
)
def test_the_refusal_is_in_the_vendor_s_words(thinking: bool, fields: dict[str, object], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        _read(thinking, **fields)


def test_what_the_vendor_takes_besides_is_taken() -> None:
    tools = [_tool("read"), _tool("_2nd-tool"), _tool("r" * 64)]
    assert _read(False, tools=tools, tool_choice="required", stop=["é" * 16] * 5, prompt_cache_key="k", seed=1).stop == ("é" * 16,) * 5
    assert _read(True, tools=tools, tool_choice="auto", min_p=0).thinking


@pytest.mark.parametrize(
    "fields",
    [{"temperature": 0.5}, {"temperature": 2}, {"top_p": 0.8}, {"min_p": 0.05}, {"tools": [_tool("ls")]}, {"stop": "x" * 33}],
)
def test_a_local_user_is_free_where_the_engine_can_follow(fields: dict[str, object]) -> None:
    assert _read(True, strict=False, **fields).thinking


@pytest.mark.parametrize("fields", [{"n": 2}, {"presence_penalty": 0.5}, {"frequency_penalty": -0.5}, {"temperature": 2.1}])
def test_what_the_engine_can_not_do_is_refused_to_anybody(fields: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        _read(True, strict=False, **fields)
