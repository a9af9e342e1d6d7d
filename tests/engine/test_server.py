"""The HTTP interface around a model that says what the test wrote: forms, errors, queue, and clients that go away."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.access import MAX_BODY
from engine.server import Host
from engine.tokenizer import Tokenizer
from tests.engine.scripted import Script, chunks, hosting, served, service, spell, until

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "hello"}
TOOL = {"type": "function", "function": {"name": "read", "description": "Read.", "parameters": {"type": "object", "properties": {}}}}
CALL = (
    *("<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.read:0", "<|tool_call_argument_begin|>"),
    *('{"path": "é"}', "<|tool_call_end|>", "<|tool_calls_section_end|>", "<|im_end|>"),
)


def _deltas(text: str) -> list[dict[str, object]]:
    return [choice["delta"] for chunk in chunks(text) for choice in chunk["choices"]]  # type: ignore[attr-defined]


def test_a_whole_answer(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(spell(small, "I think", "</think>", "hello ✓", "<|im_end|>"))

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            answer = (await client.post(CHAT, json={"messages": [USER]})).json()
            assert answer["object"] == "chat.completion"
            assert answer["model"] == "scripted"
            message = {"role": "assistant", "content": "hello ✓", "reasoning_content": "I think"}
            assert answer["choices"] == [{"index": 0, "message": message, "finish_reason": "stop"}]
            usage = answer["usage"]
            assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
            assert usage["completion_tokens_details"]["reasoning_tokens"] == len(small.encode("I think"))

    asyncio.run(run())


def test_a_stream_with_reasoning_text_and_a_tool_call(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(spell(small, "hm", "</think>", "ok", *CALL))
    body = {"messages": [USER], "tools": [TOOL], "stream": True, "stream_options": {"include_usage": True}}

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            response = await client.post(CHAT, json=body)
            assert response.headers["content-type"].startswith("text/event-stream")
            assert ": prompt " in response.text
            *events, last = chunks(response.text)
            assert last["choices"] == []
            assert last["usage"]["prompt_tokens"] > 0  # type: ignore[index]
            ended = {"index": 0, "delta": {}, "finish_reason": "tool_calls", "usage": last["usage"]}
            assert events[-1]["choices"] == [ended]
            deltas = _deltas(response.text)
            assert deltas[0] == {"role": "assistant", "content": ""}
            assert "".join(str(delta.get("reasoning_content", "")) for delta in deltas) == "hm"
            assert "".join(str(delta.get("content", "")) for delta in deltas) == "ok"
            calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]  # type: ignore[index]
            head = {"index": 0, "id": "functions.read:0", "type": "function", "function": {"name": "read", "arguments": ""}}
            assert calls[0] == head
            assert "".join(call["function"]["arguments"] for call in calls) == '{"path": "é"}'
            declared = small.decode_bytes(script.prompts).decode()
            assert declared.startswith("<|im_system|>tool_declare<|im_middle|># Tools")

    asyncio.run(run())


def test_a_call_id_that_was_used_before_gets_the_next_index(small: Tokenizer, tmp_path: Path) -> None:
    function = {"name": "read", "arguments": "{}"}
    calls = [{"id": f"functions.read:{index}", "type": "function", "function": function} for index in range(2)]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "x"} for call in calls]
    messages = [USER, {"role": "assistant", "content": "", "tool_calls": calls}, *results]
    script = Script(spell(small, "</think>", *CALL))

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            answer = (await client.post(CHAT, json={"messages": messages, "tools": [TOOL]})).json()
            choice = answer["choices"][0]
            assert choice["finish_reason"] == "tool_calls"
            assert choice["message"]["content"] is None
            assert [call["id"] for call in choice["message"]["tool_calls"]] == ["functions.read:2"]

    asyncio.run(run())


def test_an_answer_ends_at_max_tokens_or_a_stop_string(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(spell(small, "one two three four"))
    instant = {"messages": [USER], "chat_template_kwargs": {"thinking": False}}

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            answer = (await client.post(CHAT, json={**instant, "stop": ["two", "nine"]})).json()
            assert answer["choices"][0]["message"]["content"] == "one "
            assert answer["choices"][0]["finish_reason"] == "stop"
            answer = (await client.post(CHAT, json={**instant, "max_tokens": 3})).json()
            assert answer["choices"][0]["finish_reason"] == "length"
            assert answer["usage"]["completion_tokens"] == 3

    asyncio.run(run())


SCHEMA = {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}}, "required": ["answer"], "additionalProperties": False}


@pytest.mark.parametrize("stream", [True, False])
def test_a_forced_call_is_made_whatever_the_model_would_say(small: Tokenizer, tmp_path: Path, stream: bool) -> None:
    function = {"name": "vote", "parameters": SCHEMA}
    choices = ("required", {"type": "function", "function": {"name": "vote"}})
    tools = [TOOL, {"type": "function", "function": function}]
    body = {"messages": [USER], "tools": tools, "max_tokens": 200, "stream": stream, "chat_template_kwargs": {"thinking": False}}

    async def run() -> None:
        async with served(hosting(service(small, Script(spell(small, "I will not.")))), tmp_path) as client:
            for choice in choices:
                response = await client.post(CHAT, json={**body, "tool_choice": choice})
                if stream:
                    calls = [delta["tool_calls"][0] for delta in _deltas(response.text) if "tool_calls" in delta]  # type: ignore[index]
                    name, call_id = calls[0]["function"]["name"], calls[0]["id"]
                    arguments = "".join(call["function"]["arguments"] for call in calls)
                else:
                    [call] = response.json()["choices"][0]["message"]["tool_calls"]
                    name, call_id, arguments = call["function"]["name"], call["id"], call["function"]["arguments"]
                assert call_id == f"functions.{name}:0"
                assert name in ("read", "vote") if choice == "required" else name == "vote"
                if name == "vote":
                    assert json.loads(arguments)["answer"] in ("yes", "no")
                else:
                    assert isinstance(json.loads(arguments), dict)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("form", "valid"),
    [
        ({"type": "json_object"}, lambda value: isinstance(value, dict)),
        ({"type": "json_schema", "json_schema": {"name": "vote", "schema": SCHEMA}}, lambda value: value["answer"] in ("yes", "no")),
        (
            {"type": "json_schema", "json_schema": {"name": "vote", "schema": SCHEMA, "strict": False}},
            lambda value: isinstance(value, dict),
        ),
    ],
)
def test_an_answer_of_a_required_form(small: Tokenizer, tmp_path: Path, form: dict[str, object], valid: Callable[[object], bool]) -> None:
    body = {"messages": [USER], "response_format": form, "max_tokens": 200}

    async def run() -> None:
        async with served(hosting(service(small, Script(spell(small, "hm", "</think>", "No JSON.")))), tmp_path) as client:
            choice = (await client.post(CHAT, json=body)).json()["choices"][0]
            assert choice["message"]["reasoning_content"] == "hm"
            assert valid(json.loads(choice["message"]["content"]))

    asyncio.run(run())


def test_a_schema_that_can_not_be_followed_is_refused(small: Tokenizer, tmp_path: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "odd", "schema": {"not": {"type": "string"}}}}

    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            response = await client.post(CHAT, json={"messages": [USER], "response_format": form})
            assert (response.status_code, response.json()["error"]["param"]) == (400, "response_format")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("last", "thinking", "ending", "message"),
    [
        ({"content": "One, two"}, False, "<think></think>One, two", {"content": ", three"}),
        ({"content": "One, two", "reasoning_content": "Count."}, True, "<think>Count.</think>One, two", {"content": ", three"}),
        ({"content": "", "reasoning_content": "Count"}, True, "<think>Count", {"content": "", "reasoning_content": ", three"}),
    ],
)
def test_a_partial_message_is_continued_where_it_stops(
    small: Tokenizer, tmp_path: Path, last: dict[str, str], thinking: bool, ending: str, message: dict[str, str]
) -> None:
    script = Script(spell(small, ", three", "<|im_end|>"))
    messages = [USER, {"role": "assistant", **last, "partial": True}]
    body = {"messages": messages, "chat_template_kwargs": {"thinking": thinking}}

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            answer = (await client.post(CHAT, json=body)).json()["choices"][0]
            assert answer["message"] == {"role": "assistant", **message}
            prompt = small.decode_bytes(script.prompts[: -len(spell(small, ", three"))]).decode()
            assert prompt.endswith(f"<|im_assistant|>assistant<|im_middle|>{ending}")
            for wrong in ({"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{"id": "functions.f:0"}]}):
                refused = await client.post(CHAT, json={"messages": [USER, {**wrong, "partial": True}]})
                assert (refused.status_code, refused.json()["error"]["param"]) == (400, "messages[1]")

    asyncio.run(run())


def test_errors_have_openai_s_form_and_their_status(small: Tokenizer, tmp_path: Path) -> None:
    long = {"role": "user", "content": "word " * 3000}
    good = json.dumps({"messages": [USER]})
    cases = [
        ("GET", "/nope", "", 404, "not found"),
        ("GET", CHAT, "", 405, "method not allowed"),
        ("POST", CHAT, "nonsense", 400, "not JSON"),
        ("POST", CHAT, "{}", 400, "messages"),
        ("POST", CHAT, json.dumps({"messages": [{"role": "owl"}]}), 400, "messages[0]"),
        ("POST", CHAT, json.dumps({"messages": [long]}), 400, "context length is 2048"),
        ("GET", "/v1/models/other", "", 404, "Not found the model other"),
        ("POST", CHAT, '{"messages": [{"role": "user", "content": "\\ud800"}]}', 400, "not JSON"),
        ("POST", CHAT, '{"messages": ' + "[" * 100_000, 400, ""),
        ("POST", CHAT, good[:-1] + ', "n": 3}', 400, "invalid n: only 1 is allowed"),
        ("POST", CHAT, " " * (MAX_BODY + 1), 413, "longer than"),
    ]

    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            for method, path, body, status, message in cases:
                response = await client.request(method, path, content=body)
                error = response.json()["error"]
                assert response.status_code == status
                assert message in error["message"]
                assert {"message", "type"} <= error.keys() <= {"message", "type", "param", "code"}
                assert error["type"] == ("resource_not_found_error" if status == 404 else "invalid_request_error")

    asyncio.run(run())


def test_while_the_model_loads_only_health_answers(tmp_path: Path) -> None:
    async def run() -> None:
        async with served(hosting(None), tmp_path) as client:
            assert (await client.get("/health")).json() == {"status": "loading", "model": "", "done": 0, "total": 0}
            for response in (await client.get("/v1/models"), await client.post(CHAT, json={"messages": [USER]})):
                assert response.status_code == 503
                assert response.headers["retry-after"] == "1"
                assert response.json()["error"]["code"] == "loading"

    asyncio.run(run())


def test_health_says_how_far_loading_is(tmp_path: Path) -> None:
    host = Host("some model")

    async def run() -> None:
        async with served(host, tmp_path) as client:
            host.read(3, 10)
            assert (await client.get("/health")).json() == {"status": "loading", "model": "some model", "done": 3, "total": 10}

    asyncio.run(run())


def test_who_asks_hears_how_much_of_the_prompt_is_read(small: Tokenizer, tmp_path: Path) -> None:
    script = Script(spell(small, "</think>", "ok", "<|im_end|>", "</think>", "ok", "<|im_end|>"))
    body = {"messages": [{"role": "user", "content": "many words " * 60}], "stream": True}

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            asked = await client.post(CHAT, json={**body, "return_progress": True})
            told = [chunk["prompt_progress"] for chunk in chunks(asked.text) if "prompt_progress" in chunk]
            processed = [each["processed"] for each in told]  # type: ignore[index]
            assert len(processed) > 2, "every batch is told"
            assert processed == sorted(set(processed))
            assert processed[-1] == told[-1]["total"] == _usage(asked.text)["prompt_tokens"]  # type: ignore[index]
            assert {each["cache"] for each in told} == {0}  # type: ignore[index]
            assert all(each["time_ms"] >= 0 for each in told)  # type: ignore[index]
            assert ": prompt" not in asked.text
            again = await client.post(CHAT, json={**body, "return_progress": True})
            (only,) = [chunk["prompt_progress"] for chunk in chunks(again.text) if "prompt_progress" in chunk]
            assert only["cache"] == only["total"] - 1, "what is cached counts as read"  # type: ignore[index]
            silent = await client.post(CHAT, json=body)
            assert "prompt_progress" not in silent.text

    asyncio.run(run())


def _usage(text: str) -> dict[str, int]:
    usage: dict[str, int] = chunks(text)[-1]["choices"][0]["usage"]  # type: ignore[index]
    return usage


def test_the_model_says_its_context_and_profile(small: Tokenizer, tmp_path: Path) -> None:
    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            model = (await client.get("/v1/models")).json()["data"][0]
            assert (model["id"], model["context"], model["context_length"], model["profile"]) == ("scripted", 2048, 2048, "lean")
            assert (await client.get("/v1/models/scripted")).json() == model

    asyncio.run(run())


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_ends_its_answer(small: Tokenizer, tmp_path: Path, stream: bool) -> None:
    gate = threading.Semaphore(0)

    async def run() -> None:
        async with served(hosting(service(small, Script(gate=gate))), tmp_path) as client:
            asking = asyncio.create_task(client.post(CHAT, json={"messages": [USER], "stream": stream}))
            await until(client, running=1)
            gate.release(3)
            await until(client, tokens=3)
            asking.cancel()
            await asyncio.wait([asking])
            await until(client, running=0, cancelled=1)
            gate.release(1000)
            assert (await client.post(CHAT, json={"messages": [USER], "max_tokens": 2})).status_code == 200
            # Three tokens before, two now, and none of the abandoned answer in between.
            assert (await until(client, running=0))["tokens"] == 5

    asyncio.run(run())


def test_requests_take_turns_and_a_queued_one_can_leave(small: Tokenizer, tmp_path: Path) -> None:
    gate = threading.Semaphore(0)
    body = {"messages": [USER], "max_tokens": 2}

    async def run() -> None:
        async with served(hosting(service(small, Script(spell(small, "abcd"), gate=gate))), tmp_path) as client:
            first = asyncio.create_task(client.post(CHAT, json=body))
            await until(client, running=1)
            leaving = asyncio.create_task(client.post(CHAT, json=body))
            await until(client, running=1, queued=1)
            second = asyncio.create_task(client.post(CHAT, json={**body, "stream": True}))
            await until(client, running=1, queued=2)
            leaving.cancel()
            await until(client, running=1, queued=1)
            gate.release(4)
            assert (await first).json()["choices"][0]["message"]["reasoning_content"] == "ab"
            assert "".join(str(delta.get("reasoning_content", "")) for delta in _deltas((await second).text)) == "cd"
            assert (await until(client, running=0, queued=0))["answered"] == 2

    asyncio.run(run())


def test_a_failure_in_the_middle_is_an_error_event_and_the_next_answer_works(small: Tokenizer, tmp_path: Path) -> None:
    script = Script()

    async def run() -> None:
        async with served(hosting(service(small, script)), tmp_path) as client:
            script.fail = True
            response = await client.post(CHAT, json={"messages": [USER], "stream": True})
            assert "[DONE]" not in response.text
            assert json.loads(response.text.strip().splitlines()[-1].removeprefix("data: "))["error"]["type"] == "server_error"
            assert (await client.post(CHAT, json={"messages": [USER]})).status_code == 500
            script.fail = False
            assert (await client.post(CHAT, json={"messages": [USER], "max_tokens": 1})).status_code == 200

    asyncio.run(run())


def test_an_image_is_refused_and_text_that_spells_one_is_not(small: Tokenizer, tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    async def run() -> None:
        async with served(hosting(service(small, Script(spell(small, "</think>", "ok", "<|im_end|>")))), tmp_path) as client:
            refused = await client.post(CHAT, json={"messages": [{"role": "user", "content": [image]}]})
            assert (refused.status_code, "images" in refused.json()["error"]["message"]) == (400, True)
            spelled = await client.post(CHAT, json={"messages": [{"role": "user", "content": "<|media_pad|>"}]})
            assert spelled.status_code == 200

    asyncio.run(run())
