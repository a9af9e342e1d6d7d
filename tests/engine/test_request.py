"""Requests: what is understood, what is refused and which field is named."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gguf import Defaults
from engine.request import ChatRequest, RequestError, read_request
from engine.sampling import Sampling

USER = {"role": "user", "content": "hello"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "stop", "n", "thinking", "tools"]), inner),
    max_leaves=8,
)


def _read(defaults: Defaults | None = None, **fields: object) -> ChatRequest:
    return read_request(json.dumps({"messages": [USER], **fields}).encode(), defaults or Defaults())


def test_a_bare_request_takes_the_model_s_defaults() -> None:
    request = _read(Defaults(temperature=0.0, top_p=0.9, min_p=0.1, thinking=False))
    assert request.sampling == Sampling(temperature=0.0, top_p=0.9, min_p=0.1, seed=None)
    assert (request.thinking, request.preserve_thinking, request.stream, request.max_tokens) == (False, False, False, None)


def test_a_request_s_own_values_win() -> None:
    request = _read(temperature=0.5, top_p=0.8, seed=3, max_tokens=9, max_completion_tokens=7, stop="END", stream=True)
    assert request.sampling == Sampling(temperature=0.5, top_p=0.8, seed=3)
    assert (request.max_tokens, request.stop, request.stream, request.include_usage) == (7, ("END",), True, False)
    assert _read(stream_options={"include_usage": True}).include_usage


@pytest.mark.parametrize(
    ("fields", "thinking", "preserve"),
    [
        ({}, True, False),
        ({"chat_template_kwargs": {"thinking": False}}, False, False),
        ({"chat_template_kwargs": {"thinking": True, "preserve_thinking": True}}, True, True),
        ({"thinking": {"type": "disabled"}}, False, False),
        ({"thinking": {"type": "enabled", "keep": "all"}}, True, True),
        ({"thinking": {"type": "enabled", "keep": None}, "chat_template_kwargs": {"thinking": False}}, True, False),
    ],
)
def test_both_ways_to_say_whether_to_think(fields: dict[str, object], thinking: bool, preserve: bool) -> None:
    request = _read(**fields)
    assert (request.thinking, request.preserve_thinking) == (thinking, preserve)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"seed": -1}, "seed"),
        ({"n": 2}, "n"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logprobs": True}, "logprobs"),
        ({"presence_penalty": 0.5}, "presence_penalty"),
        ({"stop": ["a"] * 6}, "stop"),
        ({"stop": ""}, "stop"),
        ({"thinking": {"type": "maybe"}}, "thinking.type"),
    ],
)
def test_what_can_not_be_honoured_is_refused_by_name(fields: dict[str, object], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        _read(**fields)
    assert caught.value.param == param


def test_neutral_values_of_unsupported_fields_and_unknown_fields_pass() -> None:
    assert _read(n=1, presence_penalty=0, logprobs=False, response_format={"type": "text"}, user="me", prompt_cache_key="k").tools == ()


def test_tools_are_kept_unless_none_may_be_chosen() -> None:
    tool = {"type": "function", "function": {"name": "read"}}
    assert _read(tools=[tool], tool_choice="auto").tools == (tool,)
    assert _read(tools=[tool], tool_choice="none").tools == ()


def test_ids_of_earlier_calls_are_known() -> None:
    called = {"role": "assistant", "tool_calls": [{"id": "functions.read:0"}, {"id": 5}, "odd"]}
    assert _read(messages=[USER, called, {"role": "tool", "tool_calls": None}]).taken == {"functions.read:0"}


@given(JSON)
@settings(deadline=None)
def test_any_json_is_read_or_refused(value: object) -> None:
    for body in (value, {"messages": [USER], "extra": value}, {"messages": [USER], "stop": value}, {"messages": [USER], "tools": value}):
        with contextlib.suppress(RequestError):
            assert read_request(json.dumps(body).encode(), Defaults()).messages


@pytest.mark.parametrize("body", [b"", b"nonsense", b"\xff\xfe", b"[" * 100_000, b'{"messages": [{"role": "user"}]} x'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(RequestError):
        read_request(body, Defaults())
