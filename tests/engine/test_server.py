"""The HTTP interface around a model that says what the test wrote: forms, errors, queue, and clients that go away."""

import asyncio
import json
import threading
from pathlib import Path

import pytest

from engine.access import MAX_BODY
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
            assert (await client.get("/health")).json() == {"status": "loading"}
            for response in (await client.get("/v1/models"), await client.post(CHAT, json={"messages": [USER]})):
                assert response.status_code == 503
                assert response.headers["retry-after"] == "1"
                assert response.json()["error"]["code"] == "loading"

    asyncio.run(run())


def test_the_model_says_its_context_and_profile(small: Tokenizer, tmp_path: Path) -> None:
    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            model = (await client.get("/v1/models")).json()["data"][0]
            assert (model["id"], model["context"], model["profile"]) == ("scripted", 2048, "lean")

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
