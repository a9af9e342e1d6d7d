"""Request bodies, by tables: per endpoint what is sent, per message how it looks."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.messages import Assistant, Conversation, JsonObject, Message, System, ToolCall, ToolResult, ToolSpec, User
from kimicode.model import ModelRequest, Target, Thinking, resolve
from kimicode.model.catalogue import load_catalogue
from kimicode.model.wire import request_body

ENVIRON = {name: "x" for row in load_catalogue().endpoints.values() for name in row.key_env} | {"CLOUDFLARE_ACCOUNT_ID": "me"}
READ = ToolSpec("read", "Read a file.", {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]})
CALLS = (ToolCall("x1", "read", '{"path":  "a"}'), ToolCall("x2", "grep", "{}"))
TALK: Conversation = (
    System("s"),
    User("u"),
    Assistant("", "", CALLS),
    ToolResult("x1", "read", "text"),
    ToolResult("x2", "grep", " \n"),
    Assistant("so", None, (ToolCall("x1#2", "read", "{}"),)),
    ToolResult("x1#2", "read", "more"),
    Assistant("done", "thought"),
    User("v"),
)


def body(endpoint: str = "moonshot", model: str | None = None, **fields: object) -> JsonObject:
    data: JsonObject = json.loads(request_body(ModelRequest(**{"messages": TALK, **fields}), target(endpoint, model)).content)  # type: ignore[arg-type]
    return data


def target(endpoint: str, model: str | None = None) -> Target:
    return resolve(endpoint, model, ENVIRON)


def sent(thinking: Thinking, endpoint: str = "moonshot", model: str | None = None) -> list[JsonObject]:
    messages = body(endpoint, model, thinking=thinking)["messages"]
    assert isinstance(messages, list)
    return messages  # type: ignore[return-value]


def test_messages_with_thinking() -> None:
    assert sent(Thinking.ON) == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "u"},
        {
            "role": "assistant",
            "reasoning_content": "",
            "tool_calls": [
                {"id": "functions.read:0", "type": "function", "function": {"name": "read", "arguments": '{"path":  "a"}'}},
                {"id": "functions.grep:1", "type": "function", "function": {"name": "grep", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "functions.read:0", "content": "text"},
        {"role": "tool", "tool_call_id": "functions.grep:1", "content": "(no output)"},
        {
            "role": "assistant",
            "content": "so",
            "reasoning_content": "",
            "tool_calls": [{"id": "functions.read:2", "type": "function", "function": {"name": "read", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "functions.read:2", "content": "more"},
        {"role": "assistant", "content": "done"},
        {"role": "user", "content": "v"},
    ]


@pytest.mark.parametrize(
    ("thinking", "model", "fields"),
    [
        (Thinking.OFF, "kimi-k2.6", [None, None, None]),
        (Thinking.ON, "kimi-k2.6", ["", "", None]),
        (Thinking.KEEP, "kimi-k2.6", ["", "", "thought"]),
        (Thinking.KEEP, "kimi-k2.5", ["", "", None]),
        (Thinking.OFF, "kimi-k2.7-code", ["", "", "thought"]),
        (Thinking.ON, "kimi-k3", ["", "", "thought"]),
    ],
)
def test_which_thoughts_go_back(thinking: Thinking, model: str, fields: list[str | None]) -> None:
    answers = [message for message in sent(thinking, model=model) if message["role"] == "assistant"]
    assert [answer.get("reasoning_content") for answer in answers] == fields


def test_ids_stay_as_they_are_where_the_model_wants_that() -> None:
    calls = sent(Thinking.ON, model="kimi-k3")[2]["tool_calls"]
    assert [call["id"] for call in calls] == ["x1", "x2"]  # type: ignore[union-attr,index,call-overload]


TEMPLATE_ON: JsonObject = {"chat_template_kwargs": {"thinking": True, "preserve_thinking": False}}
WARM: JsonObject = {"temperature": 1.0, "top_p": 0.95}
COOL: JsonObject = {"temperature": 0.6, "top_p": 0.95}
OFF: JsonObject = {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize(
    ("endpoint", "model", "thinking", "expected"),
    [
        (
            "moonshot",
            "kimi-k2.6",
            Thinking.ON,
            {"max_completion_tokens": 32_768, "thinking": {"type": "enabled"}, "prompt_cache_key": "id"},
        ),
        (
            "moonshot",
            "kimi-k2.6",
            Thinking.KEEP,
            {"max_completion_tokens": 32_768, "thinking": {"type": "enabled", "keep": "all"}, "prompt_cache_key": "id"},
        ),
        ("moonshot-cn", "kimi-k2.6", Thinking.OFF, {"max_completion_tokens": 32_768, "prompt_cache_key": "id"} | OFF),
        (
            "moonshot",
            "kimi-k2.5",
            Thinking.KEEP,
            {"max_completion_tokens": 32_768, "thinking": {"type": "enabled"}, "prompt_cache_key": "id"},
        ),
        ("moonshot", "kimi-k2.7-code", Thinking.OFF, {"max_completion_tokens": 32_768, "prompt_cache_key": "id"}),
        ("moonshot", "kimi-k3", Thinking.ON, {"max_completion_tokens": 32_768, "prompt_cache_key": "id"}),
        ("openrouter", "kimi-k2.6", Thinking.OFF, {"max_tokens": 16_384, "reasoning": {"enabled": False}}),
        ("cloudflare", "kimi-k2.6", Thinking.ON, {"max_completion_tokens": 32_768} | TEMPLATE_ON | WARM),
        ("deepinfra", "kimi-k2.6", Thinking.ON, {"max_tokens": 16_384, "reasoning": {"enabled": True}} | WARM),
        ("nvidia", "kimi-k2.6", Thinking.ON, {"max_tokens": 16_384} | TEMPLATE_ON | WARM),
        ("cerebras", "my-kimi", Thinking.ON, {"max_completion_tokens": 16_384}),
        ("ollama", "kimi-k2.6", Thinking.OFF, {"reasoning_effort": "none"}),
        ("ollama", "kimi-k2.6", Thinking.ON, {}),
        ("vllm", "kimi-k2.5", Thinking.OFF, {"chat_template_kwargs": {"thinking": False}} | COOL),
        ("sglang", "kimi-k2.6", Thinking.ON, TEMPLATE_ON | WARM),
        ("ktransformers", "kimi-k2.6", Thinking.ON, TEMPLATE_ON | WARM),
        (
            "llama-server",
            "kimi-k2.6",
            Thinking.KEEP,
            {"chat_template_kwargs": {"thinking": True, "preserve_thinking": True}, "return_progress": True} | WARM,
        ),
        ("unix:/run/x.sock", "kimi-nano", Thinking.ON, TEMPLATE_ON | {"temperature": 0.0, "return_progress": True}),
    ],
)
def test_what_each_endpoint_is_sent(endpoint: str, model: str, thinking: Thinking, expected: JsonObject) -> None:
    data = body(endpoint, model, thinking=thinking, session_id="id")
    common = {"model": target(endpoint, model).model_id, "stream": True, "stream_options": {"include_usage": True}}
    assert {key: value for key, value in data.items() if key != "messages"} == common | expected


def test_the_answers_length_is_limited_to_what_the_endpoint_gives() -> None:
    assert body("deepinfra", max_tokens=100_000)["max_tokens"] == 16_384
    assert body("deepinfra", max_tokens=100)["max_tokens"] == 100
    assert body("vllm", max_tokens=100_000)["max_tokens"] == 100_000


def test_tools_and_schema() -> None:
    schema: JsonObject = {"type": "object", "properties": {}}
    data = body(tools=(READ,), schema=schema)
    function = {"name": "read", "description": "Read a file.", "parameters": READ.parameters}
    assert data["tools"] == [{"type": "function", "function": function}]
    assert data["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def test_only_the_offending_tool_is_left_out() -> None:
    bad = ToolSpec("1st", "", {"type": "object"})
    sent_body = request_body(ModelRequest(TALK, (READ, bad)), target("moonshot"))
    assert [tool["function"]["name"] for tool in json.loads(sent_body.content)["tools"]] == ["read"]
    (notice,) = sent_body.notices
    assert "1st" in notice
    assert request_body(ModelRequest(TALK, (READ, bad)), target("vllm")).notices == ()


def test_half_a_surrogate_pair_does_not_stop_the_request() -> None:
    assert body(messages=(User("a\ud83db"),))["messages"] == [{"role": "user", "content": "a?b"}]


TEXT = st.text(max_size=5)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(User, TEXT),
    st.builds(ToolResult, TEXT, TEXT, TEXT),
    st.builds(Assistant, TEXT, st.none() | TEXT, st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple)),
)


@given(st.lists(MESSAGES, min_size=1, max_size=8), st.sampled_from(Thinking), st.sampled_from(["moonshot", "openrouter", "unix:/x"]))
def test_a_longer_conversation_begins_with_the_bytes_of_the_shorter(messages: list[Message], thinking: Thinking, endpoint: str) -> None:
    where = target(endpoint)
    longer = request_body(ModelRequest(tuple(messages), (READ,), thinking), where).content
    shorter = request_body(ModelRequest(tuple(messages[:-1]), (READ,), thinking), where).content
    assert shorter.endswith(b"]}")
    assert longer.startswith(shorter.removesuffix(b"]}"))


def test_the_request_itself_is_not_changed() -> None:
    request = ModelRequest(TALK, (READ,))
    before = msgspec.json.encode(request)
    request_body(request, target("moonshot"))
    assert msgspec.json.encode(request) == before
