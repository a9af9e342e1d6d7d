"""Assembly of an answer from chunks, by tables of what endpoints were seen to send."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import KimicodeError, TemporaryError
from kimicode.messages import Assistant, JsonObject, JsonValue, ToolCall, Usage
from kimicode.model import ContextOverflowError, Finished, Reasoning, Text, resolve
from kimicode.model.stream import Assembly, EmptyAnswerError

TARGET = resolve("http://localhost:1/v1", None, {})


def assemble(*chunks: object, taken: tuple[str, ...] = (), first_index: int = 0) -> Finished:
    assembly = Assembly(TARGET, taken=taken, first_index=first_index)
    for item in chunks:
        assembly.feed(item if isinstance(item, bytes) else json.dumps(item).encode())
    return assembly.finish()


def delta(finish: str | None = None, **fields: JsonValue) -> JsonObject:
    return {"choices": [{"delta": fields, "finish_reason": finish}]}


def call(arguments: JsonValue = None, index: int | None = 0, call_id: str | None = None, name: str | None = None) -> JsonObject:
    function: JsonObject = {key: value for key, value in {"name": name, "arguments": arguments}.items() if value is not None}
    entry: JsonObject = {"index": index, "id": call_id, "function": function}
    return delta(tool_calls=[{key: value for key, value in entry.items() if value is not None}])


STOP = delta("tool_calls")
A, B = ToolCall("a", "read", '{"p": 1}'), ToolCall("b", "grep", '{"q": 2}')

CALLS = {
    "in one piece": ([call('{"p": 1}', 0, "a", "read"), STOP], [A]),
    "arguments before the name": ([call('{"p"', 0, "a"), call(": 1}", 0), call(name="read"), STOP], [A]),
    "interleaved by index": (
        [call("", 0, "a", "read"), call("", 1, "b", "grep"), call('{"q"', 1), call('{"p"', 0), call(": 2}", 1), call(": 1}", 0), STOP],
        [A, B],
    ),
    "one index for two calls": ([call('{"p": 1}', 0, "a", "read"), call('{"q"', 0, "b", "grep"), call(": 2}", 0), STOP], [A, B]),
    "no index": ([call('{"p"', None, "a", "read"), call(": 1}", None), call('{"q": 2}', None, "b", "grep"), STOP], [A, B]),
    "id and name with every piece": ([call('{"p"', 0, "a", "read"), call(": 1}", 0, "a", "read"), STOP], [A]),
    "a name in fragments": ([call(None, 0, "a", "re"), call('{"p": 1}', 0, None, "ad"), STOP], [A]),
    "arguments as an object": ([call({"p": 1}, 0, "a", "read"), STOP], [A]),
    "no arguments": ([call(None, 0, "a", "read"), STOP], [ToolCall("a", "read", "{}")]),
    "no id": ([call('{"p": 1}', 0, None, "read"), STOP], [ToolCall("functions.read:3", "read", '{"p": 1}')]),
    "an id used before": ([call('{"p": 1}', 0, "used", "read"), STOP], [ToolCall("used#2", "read", '{"p": 1}')]),
    "one id twice": (
        [call('{"p": 1}', 0, "a", "read"), call('{"q": 2}', 1, "a", "grep"), STOP],
        [A, ToolCall("a#2", "grep", '{"q": 2}')],
    ),
    "no id, same name, same index": (
        [call('{"p": 1}', 0, None, "read"), call('{"p": 2}', 0, None, "read"), STOP],
        [ToolCall("functions.read:3", "read", '{"p": 1}'), ToolCall("functions.read:4", "read", '{"p": 2}')],
    ),
    "the raw name": ([call('{"p": 1}', 0, "a", "functions.read:0"), STOP], [A]),
    "the model's own bad JSON": ([call('{"p": ', 0, "a", "read"), STOP], [ToolCall("a", "read", '{"p": ')]),
    "finish_reason stop": ([call('{"p": 1}', 0, "a", "read"), delta("stop")], [A]),
    "only [DONE]": ([call('{"p": 1}', 0, "a", "read"), b"[DONE]"], [A]),
}


@pytest.mark.parametrize(("chunks", "calls"), CALLS.values(), ids=CALLS.keys())
def test_tool_calls(chunks: list[object], calls: list[ToolCall]) -> None:
    done = assemble(*chunks, taken=("used",), first_index=3)
    assert (list(done.message.tool_calls), done.finish_reason) == (calls, "tool_calls")


def test_a_limit_drops_the_call_it_cut() -> None:
    done = assemble(call('{"p": 1}', 0, "a", "read"), call('{"q": ', 1, "b", "grep"), delta("length"))
    assert (done.message.tool_calls, done.finish_reason) == ((A,), "length")
    # A server that guides a model closes the JSON of a call that has no room: it is valid, and half of a file may be missing.
    done = assemble(call('{"p": 1}', 0, "a", "read"), call('{"q": 1}', 1, "b", "grep"), delta("length"))
    assert done.message.tool_calls == (A,)


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({"reasoning_content": "hm"}, "hm"),
        ({"reasoning": "hm"}, "hm"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}, "hm"),
        ({"reasoning": "hm", "reasoning_details": [{"text": "hm"}]}, "hm"),
        ({"reasoning_content": "", "reasoning": "hm"}, "hm"),
        ({"reasoning_content": ""}, ""),
        ({"reasoning_content": None}, None),
        ({}, None),
    ],
)
def test_reasoning_under_any_name(fields: JsonObject, reasoning: str | None) -> None:
    assert assemble({"choices": [{"delta": fields}]}, delta(content="x"), delta("stop")).message.reasoning == reasoning


def test_deltas_come_as_they_arrive() -> None:
    assembly = Assembly(TARGET)
    feed = [delta(role="assistant", content=""), delta(reasoning="a"), delta(content="b"), delta(content=[{"type": "text", "text": "c"}])]
    assert [assembly.feed(json.dumps(item).encode()) for item in feed] == [[], [Reasoning("a")], [Text("b")], [Text("c")]]


NUMBERS = {"prompt_tokens": 9, "completion_tokens": 4}


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content="x"), delta("stop"), {"choices": [], "usage": NUMBERS | {"prompt_tokens_details": {"cached_tokens": 3}}}],
        [delta(content="x"), {"choices": [{"delta": {}, "finish_reason": "stop", "usage": NUMBERS | {"cached_tokens": 3}}]}],
        [
            {"choices": [{"delta": {"content": "x"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}},
            {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": NUMBERS | {"cached_tokens": 3}},
            {"choices": [], "usage": None},
        ],
    ],
    ids=["at the end", "in the choice", "with every chunk"],
)
def test_usage_counts_once_wherever_it_stands(chunks: list[object]) -> None:
    assert assemble(*chunks).usage == Usage(9, 4, 3)


def test_nonsense_in_usage_is_no_number() -> None:
    chunk = {"choices": [], "usage": {"prompt_tokens": -5, "completion_tokens": "7", "cached_tokens": 3}}
    assert assemble(delta(content="x"), delta("stop"), chunk).usage == Usage()


@pytest.mark.parametrize(
    "payload",
    [
        b"null",
        b"17",
        b"[]",
        b"{}",
        b'{"choices": null}',
        b'{"choices": [null]}',
        b"ping",
        b'{"choices": [{"delta": {"tool_calls": [null, 7]}}]}',
    ],
)
def test_payloads_without_meaning_are_passed_over(payload: bytes) -> None:
    assert assemble(delta(content="x"), payload, delta("stop")).message == Assistant("x")


def test_half_a_surrogate_pair_is_text_that_can_be_sent_back() -> None:
    done = assemble(b'{"choices": [{"delta": {"content": "a\\ud83d"}}]}', delta("stop"))
    assert done.message.content.encode() in (b"a?", "a\ufffd".encode())


@pytest.mark.parametrize("payload", [b'{"choices": [{"del', b"[" * 100_000, b'{"a": ' * 50_000])
def test_a_damaged_payload_is_an_error(payload: bytes) -> None:
    with pytest.raises(TemporaryError):
        assemble(payload)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "maximum context length is 30000"}}, ContextOverflowError),
        ({"error": "the server is overloaded"}, TemporaryError),
        ({"error": {"message": "Internal server error", "type": "server_error"}}, TemporaryError),
        ({"choices": [{"error": {"code": 502, "message": "bad"}, "delta": {}}]}, TemporaryError),
        ({"error": {"code": 400, "message": "no such parameter"}}, KimicodeError),
    ],
)
def test_an_error_inside_the_stream(payload: object, kind: type[KimicodeError]) -> None:
    with pytest.raises(KimicodeError) as caught:
        assemble(delta(content="x"), payload)
    assert type(caught.value) is kind


@pytest.mark.parametrize("chunks", [[delta("stop")], [delta(content=" "), delta("stop")], [delta(reasoning="hm"), b"[DONE]"]])
def test_an_empty_answer(chunks: list[object]) -> None:
    with pytest.raises(EmptyAnswerError):
        assemble(*chunks)


def test_thoughts_cut_by_the_limit_are_an_answer() -> None:
    done = assemble(delta(reasoning_content="hm"), delta("length"))
    assert (done.finish_reason, done.message) == ("length", Assistant("", "hm"))


FULL = [delta(reasoning_content="hm"), delta(content="hi"), call("", 0, "a", "read"), call('{"p"', 0), call(": 1}", 0), STOP]


@given(st.integers(0, len(FULL) - 1), st.booleans())
def test_whatever_is_missing_at_the_end_no_call_gets_out(kept: int, done: bool) -> None:
    try:
        answer = assemble(*FULL[:kept], *([b"[DONE]"] if done else []))
    except TemporaryError:
        return
    assert answer.message.tool_calls in ((), (A,))
    assert done


def test_a_hundred_interleaved_calls() -> None:
    text = '{"n": 12345}'
    chunks: list[object] = [call("", i, f"c{i}", "read") for i in range(100)]
    chunks += [call(character, i) for character in text for i in reversed(range(100))]
    calls = assemble(*chunks, STOP).message.tool_calls
    assert [(one.id, one.arguments) for one in calls] == [(f"c{i}", text) for i in range(100)]
