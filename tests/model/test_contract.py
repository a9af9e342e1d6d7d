"""The promises of `ModelClient`, asked of every implementation; and what is special to the fakes."""

import asyncio
import contextlib
import importlib
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import msgspec
import pytest

import kimicode.model
from kimicode.errors import ContractError, KimicodeError, TemporaryError, UnavailableError, UsageError
from kimicode.messages import Assistant, ToolCall, Usage, User
from kimicode.model import (
    ContextOverflowError,
    Delta,
    Finished,
    ModelClient,
    ModelRequest,
    Patience,
    Pause,
    Reasoning,
    RecordingClient,
    ReplayClient,
    Restarted,
    ScriptedClient,
    Text,
    make_client,
    resolve,
)
from kimicode.model.scripted import Entry
from tests.model.faultserver import CALL, HELLO, Behaviour, FaultServer, chunk, cut, error, stream

REQUEST = ModelRequest((User("Hello"),))
CALLS = (ToolCall("functions.read:0", "read", '{"path": "a.py"}'),)
USAGE = Usage(11, 5, 4)
HALF = chunk({"content": "Hel"})

# The same four answers in both languages: what a server sends, and what a script says.
SERVED: list[Behaviour] = [stream(HELLO), stream(CALL), cut(HALF), stream(HELLO), error(400, "maximum context length is 9")]
SCRIPT: list[Entry] = [
    Assistant("Hello", "hm"),
    Assistant("", None, CALLS),
    [Text("Hel"), Restarted("cut"), Text("Hello"), Finished(Assistant("Hello", "hm"), USAGE, "stop")],
    ContextOverflowError("too long", hint="Compact."),
]

Opener = Callable[[Path], AbstractAsyncContextManager[ModelClient]]


async def no_sleep(seconds: float) -> None:
    return


@contextlib.asynccontextmanager
async def served(path: Path) -> AsyncIterator[ModelClient]:
    async with FaultServer(SERVED) as server:
        client = make_client(resolve(server.url, None, {}), {}, patience=Patience(sleep=no_sleep))
        yield client
        await client.aclose()


@contextlib.asynccontextmanager
async def scripted(path: Path) -> AsyncIterator[ModelClient]:
    yield ScriptedClient(SCRIPT, usage=USAGE)


@contextlib.asynccontextmanager
async def recording(path: Path) -> AsyncIterator[ModelClient]:
    yield RecordingClient(ScriptedClient(SCRIPT, usage=USAGE), path)


@contextlib.asynccontextmanager
async def replayed(path: Path) -> AsyncIterator[ModelClient]:
    async with recording(path) as client:
        await record(client, [REQUEST] * 4)
    yield ReplayClient(path)


async def record(client: ModelClient, requests: Sequence[ModelRequest]) -> None:
    for request in requests:
        with contextlib.suppress(KimicodeError):
            async for _ in client.stream(request):
                pass


OPENERS = [pytest.param(opener, id=opener.__name__) for opener in (served, scripted, recording, replayed)]


@pytest.mark.parametrize("opener", OPENERS)
def test_every_client_keeps_the_promises(opener: Opener, tmp_path: Path) -> None:
    async def run() -> None:
        async with opener(tmp_path / "record.jsonl") as client:
            assert client.info.context > 0
            info = client.info
            plain = [delta async for delta in client.stream(REQUEST)]
            assert plain[-1] == Finished(Assistant("Hello", "hm"), USAGE, "stop")
            assert "".join(delta.text for delta in plain if isinstance(delta, Text)) == "Hello"
            assert "".join(delta.text for delta in plain if isinstance(delta, Reasoning)) == "hm"
            called = [delta async for delta in client.stream(REQUEST)]
            assert called == [Finished(Assistant("", None, CALLS), USAGE, "tool_calls")]
            again = [delta async for delta in client.stream(REQUEST)]
            assert [type(delta) for delta in again if isinstance(delta, Restarted | Finished)] == [Restarted, Finished]
            after = again[[type(delta) for delta in again].index(Restarted) :]
            assert "".join(delta.text for delta in after if isinstance(delta, Text)) == "Hello"
            with pytest.raises(ContextOverflowError) as caught:
                await anext(client.stream(REQUEST))
            assert caught.value.hint
            assert client.info == info
            await client.aclose()

    asyncio.run(run())


@pytest.mark.parametrize("opener", OPENERS)
def test_every_client_can_be_left_early(opener: Opener, tmp_path: Path) -> None:
    async def run() -> None:
        async with opener(tmp_path / "record.jsonl") as client:
            got: list[Delta] = []
            async with contextlib.aclosing(generator(client)) as deltas:
                async for delta in deltas:
                    got.append(delta)
                    break
            assert len(got) == 1
            assert [type(delta) async for delta in client.stream(REQUEST)][-1] is Finished

    asyncio.run(run())


def generator(client: ModelClient) -> AsyncGenerator[Delta, None]:
    deltas = client.stream(REQUEST)
    assert isinstance(deltas, AsyncGenerator)
    return deltas


def test_the_scripted_client_remembers_and_ends() -> None:
    async def run() -> None:
        client = ScriptedClient([lambda request: f"{len(request.messages)} message", [Text("cut")], UnavailableError("down")])
        first = [delta async for delta in client.stream(REQUEST)][-1]
        assert isinstance(first, Finished)
        assert first.message == Assistant("1 message")
        for kind in (TemporaryError, UnavailableError, ContractError):
            with pytest.raises(kind):
                async for _ in client.stream(REQUEST):
                    pass
        assert client.requests == [REQUEST] * 4
        await client.aclose()
        assert client.closed

    asyncio.run(run())


def test_a_scripted_stream_can_be_held_and_cancelled() -> None:
    async def run() -> None:
        pause = Pause(asyncio.Event(), asyncio.Event())
        client = ScriptedClient([[Text("a"), pause, Text("b")]])
        got: list[Delta] = []

        async def consume() -> None:
            async for delta in client.stream(REQUEST):
                got.append(delta)  # noqa: PERF401  what came before the cancellation counts

        task = asyncio.create_task(consume())
        await asyncio.wait_for(pause.reached.wait(), 10)
        assert got == [Text("a")]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert client.cancelled == 1

    asyncio.run(run())


def replay_error(path: Path, requests: Sequence[ModelRequest]) -> KimicodeError:
    async def run() -> KimicodeError:
        client = ReplayClient(path)
        try:
            for request in requests:
                async for _ in client.stream(request):
                    pass
        except KimicodeError as failure:
            return failure
        raise AssertionError("nothing was wrong")

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("request_now", "words"),
    [
        (ModelRequest((User("Hullo"),)), "request.messages[0].content is 'Hullo', recorded was 'Hello'"),
        (ModelRequest((User("Hello"), Assistant("x"))), "request.messages has 2 items, recorded were 1"),
        (ModelRequest((User("Hello"),), max_tokens=7), "request.max_tokens is 7, recorded was None"),
    ],
)
def test_replay_says_what_differs(tmp_path: Path, request_now: ModelRequest, words: str) -> None:
    path = tmp_path / "r.jsonl"
    asyncio.run(record(RecordingClient(ScriptedClient(["a"]), path), [REQUEST]))
    failure = replay_error(path, [request_now])
    assert isinstance(failure, ContractError)
    assert words in str(failure)


def test_replay_ends_with_the_recording(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    asyncio.run(record(RecordingClient(ScriptedClient(["a"]), path), [REQUEST]))
    assert "request 2 was not recorded" in str(replay_error(path, [REQUEST, REQUEST]))


def test_an_error_is_recorded_as_what_it_is_to_the_agent(tmp_path: Path) -> None:
    class InnerError(TemporaryError):
        pass

    path = tmp_path / "r.jsonl"
    asyncio.run(record(RecordingClient(ScriptedClient([InnerError("busy", hint="wait")]), path), [REQUEST]))
    failure = replay_error(path, [REQUEST])
    assert (type(failure), failure.message, failure.hint) == (TemporaryError, "busy", "wait")


def test_an_interrupted_recording_replays_as_an_interruption(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"

    async def run() -> None:
        async with contextlib.aclosing(generator(RecordingClient(ScriptedClient([Assistant("a\nb")]), path))) as deltas:
            assert await anext(deltas) == Text("a\n")

    asyncio.run(run())
    assert isinstance(replay_error(path, [REQUEST]), TemporaryError)


@pytest.mark.parametrize("data", [b"", b"not json\n", b'{"info": 7}\n', b"\xff\n"])
def test_a_file_that_is_no_recording(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(data)
    with pytest.raises(UsageError, match="no recording"):
        ReplayClient(path)


def test_a_recording_is_one_json_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    asyncio.run(record(RecordingClient(ScriptedClient(["a\u2028b"]), path), [ModelRequest((User("x\ny"),))]))
    head, exchange = path.read_bytes().rstrip(b"\n").split(b"\n")
    assert msgspec.json.decode(head)["info"]["model"] == "scripted"
    assert json.loads(exchange)["request"]["messages"][0]["content"] == "x\ny"


def test_the_public_names() -> None:
    module = importlib.import_module("kimicode.model")
    assert sorted(module.__all__) == sorted(set(module.__all__))
    assert [name for name in module.__all__ if not hasattr(kimicode.model, name)] == []


def test_making_a_client_does_not_load_the_http_library() -> None:
    code = (
        "import sys; from kimicode.model import make_client, resolve; make_client(resolve('http://x/v1', None, {}), {}); "
        "sys.exit(any(name in sys.modules for name in ('httpx', 'jsonschema', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
