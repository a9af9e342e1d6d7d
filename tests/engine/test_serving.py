"""Many answers at once from the model in the box, and what guides and priorities make of them, over a real socket."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import jsonschema
import pytest

from tests.engine.process import client, engine, is_up, wait_for
from tests.engine.tinygguf import vocabulary, write

NANO = Path(__file__).parents[2] / "engine" / "nano" / "kimi-nano.gguf"
CHAT = "/v1/chat/completions"
PARAMETERS = {
    "type": "object",
    "properties": {"path": {"type": "string", "maxLength": 20}, "limit": {"type": "integer", "minimum": 1, "maximum": 99}},
    "required": ["path"],
    "additionalProperties": False,
}
READ = {"type": "function", "function": {"name": "read", "description": "Read.", "parameters": PARAMETERS}}


def ask(socket: Path, body: dict[str, object]) -> dict[str, object]:
    with client(socket) as own:
        answer: dict[str, object] = own.post(CHAT, json=body).json()
        return answer


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    socket = tmp_path_factory.mktemp("nano") / "e.sock"
    with engine(NANO, "--socket", str(socket)):
        wait_for(lambda: is_up(socket))
        yield socket


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """llama.cpp's own attention rounds a token alike in whatever batch it is; ours divides a batch's work as suits the batch."""
    socket = tmp_path_factory.mktemp("plain") / "e.sock"
    with engine(NANO, "--socket", str(socket), "--attention", "stock"):
        wait_for(lambda: is_up(socket))
        yield socket


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An engine whose model has random weights and says text for ever."""
    control = {name: -3.0 for name, kind in zip(*vocabulary(), strict=True) if kind == 3}
    folder = tmp_path_factory.mktemp("noise")
    with engine(write(folder / "tiny.gguf", bias=control, context=4096), "--socket", str(folder / "e.sock")):
        wait_for(lambda: is_up(folder / "e.sock"))
        yield folder / "e.sock"


def test_eight_streams_say_what_each_says_alone(plain: Path) -> None:
    begun = ("the larger", "the sum", "how many", "whether", "the first", "every", "the last", "a list")
    user = {"role": "user", "content": "Make the failing test pass."}
    bodies = []
    for words in begun:
        thought = {"role": "assistant", "partial": True, "content": "", "reasoning_content": f'def lantern(a, b):\n    """Return {words}'}
        bodies.append({"messages": [user, thought], "max_tokens": 200})
    alone = [ask(plain, body)["choices"] for body in bodies]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda body: ask(plain, body)["choices"], bodies))
    assert together == alone
    assert len({json.dumps(choices) for choices in alone}) > 4


def test_a_forced_call_of_a_random_model_is_valid(noise: Path) -> None:
    for seed in range(20):
        body = {
            "messages": [{"role": "user", "content": "read it"}],
            "tools": [READ],
            "tool_choice": {"type": "function", "function": {"name": "read"}},
            "chat_template_kwargs": {"thinking": False},
            "temperature": 1.0,
            "seed": seed,
            "max_tokens": 200,
        }
        (choice,) = ask(noise, body)["choices"]  # type: ignore[misc]
        # What had to be closed for want of room is valid, but said to be cut.
        assert choice["finish_reason"] in ("tool_calls", "length")
        (call,) = choice["message"]["tool_calls"]
        assert (call["id"], call["function"]["name"]) == ("functions.read:0", "read")
        jsonschema.validate(json.loads(call["function"]["arguments"]), PARAMETERS)


def test_a_json_answer_of_a_random_model_is_valid_streamed_and_whole(noise: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS, "strict": True}}
    body = {"messages": [{"role": "user", "content": "say"}], "response_format": form, "max_tokens": 200, "seed": 3, "temperature": 1.0}
    body["chat_template_kwargs"] = {"thinking": False}
    (choice,) = ask(noise, body)["choices"]  # type: ignore[misc]
    assert choice["finish_reason"] == "stop"
    jsonschema.validate(json.loads(choice["message"]["content"]), PARAMETERS)
    with client(noise) as own:
        lines = own.post(CHAT, json={**body, "stream": True}).text.split("\n")
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    streamed = "".join(part["delta"].get("content", "") for chunk in chunks for part in chunk["choices"])
    assert streamed == choice["message"]["content"]


def test_guided_and_free_answers_run_side_by_side(noise: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "place", "schema": PARAMETERS}}
    switch = {"chat_template_kwargs": {"thinking": False}, "max_tokens": 60, "temperature": 0}
    free = {"messages": [{"role": "user", "content": "say"}], **switch}
    bodies = [free, {**free, "response_format": form}] * 4
    alone = [ask(noise, body)["choices"] for body in bodies[:2]]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: ask(noise, body)["choices"], bodies)) == alone * 4


def test_a_schema_that_can_t_be_followed_is_the_request_s_fault(noise: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "$ref": "http://elsewhere/x"}}}
    with client(noise) as own:
        answer: httpx.Response = own.post(CHAT, json={"messages": [{"role": "user", "content": "say"}], "response_format": form})
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")
