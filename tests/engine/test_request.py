"""Requests: what is understood, what is refused and which field is named."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.body import MAX_MARKS, RequestError
from engine.gguf import Defaults
from engine.guide import GuideSpec
from engine.request import ChatRequest, Priority, read_request
from engine.sampling import Sampling
from engine.schema import ANY_OBJECT

USER = {"role": "user", "content": "hello"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["messages", "stop", "n", "thinking", "tools"]), inner),
    max_leaves=8,
)


SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def _tool(name: str = "read", **function: object) -> dict[str, object]:
    return {"type": "function", "function": {"name": name, **function}}


def _format(kind: str, **json_schema: object) -> dict[str, object]:
    return {"type": kind, **({"json_schema": json_schema} if json_schema else {})}


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
        ({"tool_choice": "required", "tools": []}, "tool_choice"),
        ({"tool_choice": "perhaps", "tools": [_tool()]}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "edit"}}, "tools": [_tool()]}, "tool_choice"),
        ({"tool_choice": {"type": "function"}, "tools": [_tool()]}, "tool_choice"),
        ({"tools": [_tool(str(number)) for number in range(129)]}, "tools"),
        ({"tools": [_tool(), _tool("edit"), _tool()]}, "tools[2]"),
        ({"tools": [_tool("has space")]}, "tools[0]"),
        ({"tools": [_tool("a:b")]}, "tools[0]"),
        ({"tools": [_tool("")]}, "tools[0]"),
        ({"tools": [_tool(parameters="path")]}, "tools[0]"),
        ({"tools": [_tool(strict="yes")]}, "tools[0]"),
        ({"tools": [_tool(description=5)]}, "tools[0]"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": [_tool(), {"type": "builtin_function", "function": {"name": "$web_search"}}]}, "tools[1]"),
        ({"messages": [{**USER, "tools": [_tool()]}]}, "messages[0]"),
        ({"messages": [{**USER, "partial": True}, USER]}, "messages[0]"),
        ({"messages": [{**USER, "partial": "yes"}]}, "messages[0]"),
        (
            {"messages": [USER, {"role": "assistant", "content": "{", "partial": True}], "response_format": _format("json_object")},
            "response_format",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": _format("json_schema")}, "response_format.json_schema"),
        ({"response_format": _format("json_schema", schema=SCHEMA)}, "response_format.json_schema"),
        ({"response_format": _format("json_schema", name="a")}, "response_format.json_schema"),
        ({"response_format": _format("json_schema", name="a", schema="{}")}, "response_format.json_schema.schema"),
        ({"response_format": _format("json_schema", name="a", schema={}, strict="yes")}, "response_format.json_schema.strict"),
        ({"kimicode": {"priority": "urgent"}}, "kimicode.priority"),
        ({"top_logprobs": 3}, "logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"top_k": 40}, "top_k"),
        ({"functions": [{"name": "read"}]}, "functions"),
        ({"frequency_penalty": -1}, "frequency_penalty"),
        ({"repetition_penalty": 1.1}, "repetition_penalty"),
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


@pytest.mark.parametrize(
    ("own", "thinking", "temperature"),
    [(None, True, 1.0), (None, False, 0.6), (0.0, True, 0.0), (0.0, False, 0.0), (0.3, False, 0.3)],
)
def test_the_temperature_is_the_model_file_s_or_the_published_one_of_the_mode(
    own: float | None, thinking: bool, temperature: float
) -> None:
    assert _read(Defaults(temperature=own), chat_template_kwargs={"thinking": thinking}).sampling.temperature == temperature


def test_neutral_values_of_unsupported_fields_and_unknown_fields_pass() -> None:
    neutral = {"n": 1, "presence_penalty": 0.0, "repetition_penalty": 1, "top_k": -1, "top_logprobs": 0, "logit_bias": {}, "functions": []}
    assert _read(**neutral, safety_identifier="s", reasoning_effort="high") == _read()
    assert _read(n=1, presence_penalty=0, logprobs=False, response_format={"type": "text"}, user="me", prompt_cache_key="k").tools == ()


@pytest.mark.parametrize(
    ("fields", "guide"),
    [
        ({}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"tools": [_tool()], "tool_choice": "none"}, None),
        ({"tools": [_tool()]}, GuideSpec((("read", ANY_OBJECT),))),
        ({"tools": [_tool(parameters=SCHEMA, strict=True)]}, GuideSpec((("read", SCHEMA),))),
        ({"tools": [_tool(parameters=SCHEMA, strict=False)]}, GuideSpec((("read", ANY_OBJECT),))),
        ({"tools": [_tool()], "tool_choice": "required"}, GuideSpec((("read", ANY_OBJECT),), required=True)),
        (
            {"tools": [_tool()], "tool_choice": {"type": "function", "function": {"name": "read"}}},
            GuideSpec((("read", ANY_OBJECT),), only="read"),
        ),
        ({"tools": [_tool()], "parallel_tool_calls": False}, GuideSpec((("read", ANY_OBJECT),), parallel=False)),
        ({"response_format": _format("json_object")}, GuideSpec(answer=ANY_OBJECT)),
        ({"response_format": _format("json_schema", name="a", schema=SCHEMA)}, GuideSpec(answer=SCHEMA)),
        ({"response_format": _format("json_schema", name="a", schema=SCHEMA, strict=False)}, GuideSpec(answer=ANY_OBJECT)),
        ({"response_format": _format("json_schema", name="a", schema={"type": "array"}, strict=False)}, GuideSpec(answer=True)),
    ],
)
def test_what_the_answer_must_keep_to(fields: dict[str, object], guide: GuideSpec | None) -> None:
    assert _read(**fields).guide == guide


def test_a_forced_call_is_numbered_through_the_conversation() -> None:
    called = {"role": "assistant", "tool_calls": [{"id": "functions.read:4"}]}
    guide = _read(messages=[USER, called], tools=[_tool()], tool_choice="required").guide
    assert guide is not None
    assert guide.first_index == 5


def test_only_the_last_message_can_be_partial() -> None:
    assert _read(messages=[USER, {"role": "assistant", "content": "I", "partial": True}]).partial
    assert not _read(messages=[{**USER, "partial": False}]).partial


@pytest.mark.parametrize(
    ("field", "header", "priority"),
    [
        (None, None, Priority.INTERACTIVE),
        (None, "swarm", Priority.SWARM),
        (None, "Swarm", Priority.SWARM),
        ("swarm", None, Priority.SWARM),
        ("interactive", "swarm", Priority.INTERACTIVE),
    ],
)
def test_the_priority_is_in_the_body_or_a_header(field: str | None, header: str | None, priority: Priority) -> None:
    body = json.dumps({"messages": [USER], "kimicode": {"priority": field}}).encode()
    assert read_request(body, Defaults(), priority=header).priority is priority


def test_an_unknown_priority_in_the_header_is_refused() -> None:
    with pytest.raises(RequestError, match="neither interactive nor swarm"):
        read_request(json.dumps({"messages": [USER]}).encode(), Defaults(), priority="urgent")


def test_a_body_of_countless_values_is_refused_before_it_is_read() -> None:
    # 60 MB of `[],` would become 1.4 GB of lists.
    with pytest.raises(RequestError, match="brackets and commas"):
        read_request(b'{"messages": [' + b"[]," * MAX_MARKS, Defaults())


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
