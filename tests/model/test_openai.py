"""The OpenAI-compatible client against a server that injects each fault."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from kimicode.errors import ContractError, KimicodeError, TemporaryError, UnavailableError, UsageError
from kimicode.events import EngineProgress
from kimicode.messages import Assistant, System, ToolResult, ToolSpec, Usage, User
from kimicode.model import (
    ContentFilterError,
    ContextOverflowError,
    Delta,
    Finished,
    ModelRequest,
    Patience,
    Restarted,
    Text,
    Thinking,
    resolve,
)
from kimicode.model.connect import connect
from kimicode.model.progress import OnProgress, nobody
from tests.model.faultserver import (
    CALL,
    DONE,
    HELLO,
    SSE_HEAD,
    Behaviour,
    FaultServer,
    call_delta,
    chunk,
    cut,
    error,
    event,
    raw,
    reset,
    stall,
    status,
    stream,
)

REQUEST = ModelRequest((System("Be brief."), User("Hello")))
KEY = "sk-very-secret"


class Waits:
    """A sleep that takes no time and remembers."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def patience(waits: Waits, idle: float = 10.0) -> Patience:
    return Patience(sleep=waits.sleep, random=lambda: 0.0, wall_clock=lambda: 1_000_000.0, idle=idle, grace=0.2)


def ask(
    *script: Behaviour,
    request: ModelRequest = REQUEST,
    idle: float = 10.0,
    unix: Path | None = None,
    on_progress: OnProgress = nobody,
) -> tuple[list[Delta], FaultServer, Waits, KimicodeError | None]:
    """What one stream gave against a server with this script, and how it ended."""
    waits = Waits()

    async def run() -> tuple[list[Delta], FaultServer, KimicodeError | None]:
        async with FaultServer(script, unix) as server:
            target = resolve(f"unix:{unix}" if unix else server.url, None, {"KIMICODE_API_KEY": KEY})
            client = connect(target, {"KIMICODE_API_KEY": KEY}, lambda _text: None, patience(waits, idle), on_progress)
            got: list[Delta] = []
            failure = None
            try:
                async for delta in client.stream(request):
                    got.append(delta)  # noqa: PERF401  what came before an error counts
            except KimicodeError as caught:
                failure = caught
            finally:
                await client.aclose()
            return got, server, failure

    got, server, failure = asyncio.run(run())
    return got, server, waits, failure


def finished(deltas: list[Delta]) -> Finished:
    """The one `Finished`, which must be last."""
    assert [delta for delta in deltas if isinstance(delta, Finished)] == deltas[-1:]
    last = deltas[-1]
    assert isinstance(last, Finished)
    return last


def restarts(deltas: list[Delta]) -> int:
    return sum(isinstance(delta, Restarted) for delta in deltas)


def test_a_clean_stream() -> None:
    deltas, server, waits, failure = ask(stream(HELLO))
    assert failure is None
    assert finished(deltas) == Finished(Assistant("Hello", "hm"), Usage(11, 5, 4), "stop")
    assert [delta.text for delta in deltas if isinstance(delta, Text)] == ["Hel", "lo"]
    (call,) = server.calls
    assert call.path == "/v1/chat/completions"
    assert call.headers["authorization"] == f"Bearer {KEY}"
    assert call.json["stream"] is True
    assert waits.seconds == []


def test_over_a_unix_socket_without_a_key(tmp_path: Path) -> None:
    deltas, server, _, failure = ask(stream(HELLO), unix=tmp_path / "s.sock")
    assert failure is None
    assert finished(deltas).message.content == "Hello"
    assert "authorization" not in server.calls[0].headers


TEN_MEGABYTES = "x" * 10_000_000
WHOLE = json.dumps({"choices": [{"message": {"role": "assistant", "content": "Hello", "reasoning": "hm"}, "finish_reason": "stop"}]})


@pytest.mark.parametrize(
    ("behaviour", "content"),
    [
        pytest.param(stream(*[HELLO[i : i + 1] for i in range(len(HELLO))]), "Hello", id="byte by byte"),
        pytest.param(stream(HELLO.replace(b"\n", b"\r\n").replace(b"data: ", b"data:")), "Hello", id="CRLF, no space"),
        pytest.param(stream(b": ping\n\nevent: ping\n\n", HELLO), "Hello", id="keep-alives"),
        pytest.param(stream(HELLO.removesuffix(DONE)), "Hello", id="no [DONE]"),
        pytest.param(stream(chunk({"content": "Hello"}), DONE), "Hello", id="no finish_reason"),
        pytest.param(stream(chunk({"content": TEN_MEGABYTES}, "stop"), DONE), TEN_MEGABYTES, id="a line of 10 MB"),
        pytest.param(status(200, WHOLE.encode()), "Hello", id="a whole completion instead of a stream"),
        pytest.param(stall(chunk({"content": "Hello"}, "stop")), "Hello", id="line kept open after the end"),
        pytest.param(reset(chunk({"content": "Hello"}, "stop"), DONE), "Hello", id="RST after the end"),
    ],
)
def test_streams_that_are_whole(behaviour: Behaviour, content: str) -> None:
    deltas, server, _, failure = ask(behaviour)
    assert failure is None
    assert finished(deltas).message.content == content
    assert len(server.calls) == 1


BROKEN = gzip.compress(HELLO)[:-12]
HALF_CALL = chunk(call_delta('{"path": "a.')) + chunk(call_delta("py"))
CUTS = {
    "nothing behind the head": stream(),
    "RST after the head": reset(),
    "RST in the text": reset(chunk({"content": "Hel"})),
    "end without an end": stream(chunk({"content": "Hel"})),
    "missing bytes": cut(chunk({"content": "Hel"})),
    "cut in a line": cut(chunk({"content": "Hel"}), b'data: {"choices": [{"del'),
    "ends in a line": stream(chunk({"content": "Hel"}), b'data: {"choices": [{"del'),
    "cut in a character": cut(b'data: {"choices": [{"delta": {"content": "\xe2\x82'),
    "cut in a tool call": cut(HALF_CALL),
    "ends in a tool call": stream(HALF_CALL),
    "[DONE] in a tool call": stream(HALF_CALL, DONE),
    "a whole call, but no end": stream(chunk(call_delta('{"path": "a.py"}'))),
    "an error in the stream": stream(chunk({"content": "Hel"}), event({"error": {"message": "overloaded", "code": 503}})),
    "an error line": stream(b'error: {"code": 500, "message": "slot lost"}\n\n', event({"error": {"code": 500, "message": "slot lost"}})),
    "finish_reason error": stream(chunk({"content": "Hel"}), chunk({}, "error")),
    "a damaged event": stream(chunk({"content": "Hel"}), b'data: {"choices": [}\n\n'),
    "broken gzip": raw(SSE_HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection") + b"not gzip at all"),
    "gzip that stops": raw(SSE_HEAD.replace(b"Connection", b"Content-Encoding: gzip\r\nConnection") + BROKEN),
    "an HTML page": status(200, b"<html><body>Welcome</body></html>", kind="text/html"),
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "an empty answer": stream(chunk({"content": ""}, "stop"), DONE),
    "only thoughts": stream(chunk({"reasoning_content": "hm"}), chunk({"content": " \n"}, "stop"), DONE),
    "429": error(429, "slow down", "rate_limit_reached_error"),
    "500": error(500, "oops"),
    "502 with HTML": status(502, b"<html><title>Bad Gateway</title></html>", kind="text/html"),
    "503 with nothing": status(503, b""),
    "529": error(529, "overloaded"),
    "408": error(408, "timeout"),
}


@pytest.mark.parametrize("fault", CUTS.values(), ids=CUTS.keys())
def test_a_cut_stream_is_asked_for_again_and_leaves_nothing_behind(fault: Behaviour) -> None:
    deltas, server, waits, failure = ask(fault, stream(CALL))
    assert failure is None
    last = finished(deltas)
    assert [(call.name, call.arguments) for call in last.message.tool_calls] == [("read", '{"path": "a.py"}')]
    assert last.usage == Usage(11, 5, 4)
    assert last.message.content == ""
    assert restarts(deltas) == 1
    assert isinstance(deltas[-2], Restarted)
    assert len(server.calls) == 2
    assert server.calls[0].body == server.calls[1].body
    assert waits.seconds == [0.5]


@pytest.mark.parametrize("fault", CUTS.values(), ids=CUTS.keys())
def test_a_fault_that_stays_ends_with_an_error_and_no_answer(fault: Behaviour) -> None:
    deltas, server, waits, failure = ask(*[fault] * 8)
    assert isinstance(failure, TemporaryError | ContractError | UnavailableError)
    assert failure.hint
    assert not any(isinstance(delta, Finished) for delta in deltas)
    assert len(server.calls) == (8 if isinstance(failure, TemporaryError) else 3)
    assert waits.seconds == [0.5, 1, 2, 4, 8, 16, 32][: len(server.calls) - 1]


def test_silence_is_cut_and_asked_again() -> None:
    deltas, server, _, failure = ask(stall(chunk({"content": "Hel"})), stream(HELLO), idle=1.0)
    assert failure is None
    assert finished(deltas).message.content == "Hello"
    assert len(server.calls) == 2


def test_silence_before_the_first_byte() -> None:
    async def silent(peer: object) -> None:
        await asyncio.Event().wait()

    deltas, _, _, failure = ask(silent, stream(HELLO), idle=1.0)
    assert failure is None
    assert "silent" in next(delta.reason for delta in deltas if isinstance(delta, Restarted))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Retry-After: 7\r\n", 7.0),
        ("Retry-After: 1.5\r\n", 1.5),
        ("Retry-After-Ms: 250\r\n", 0.25),
        ("Retry-After: Mon, 12 Jan 1970 13:46:49 GMT\r\n", 9.0),  # the wall clock of these tests is 13:46:40
        ("Retry-After: Mon, 12 Jan 1970 13:00:00 GMT\r\n", 0.0),  # a clock that is wrong must not give a negative wait
        ("Retry-After: soon\r\n", 0.5),
        ("Retry-After: nan\r\n", 0.5),
        ("", 0.5),
    ],
)
def test_the_servers_advice_is_followed(headers: str, expected: float) -> None:
    _, _, waits, failure = ask(error(429, "slow down", headers=headers), stream(HELLO))
    assert failure is None
    assert waits.seconds == [expected]


def test_advice_that_is_too_long_is_passed_on() -> None:
    _, server, waits, failure = ask(error(429, "slow down", headers="Retry-After: 3600\r\n"))
    assert isinstance(failure, TemporaryError)
    assert failure.retry_after == 3600
    assert len(server.calls) == 1
    assert waits.seconds == []


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (error(401, "Incorrect API key"), UnavailableError, ["KIMICODE_API_KEY", "401", "Incorrect API key"]),
        (error(403, "no access", "permission_denied"), UnavailableError, ["KIMICODE_API_KEY", "403"]),
        (error(404, "model not found"), UnavailableError, ["--model", "model not found"]),
        (error(429, "check your plan", "exceeded_current_quota_error"), UnavailableError, ["quota"]),
        (error(429, "Insufficient balance, please recharge"), UnavailableError, ["quota"]),
        (error(402, "pay first"), UnavailableError, ["quota"]),
        (error(400, "The request was rejected because it was considered high risk", "content_filter"), ContentFilterError, ["filter"]),
        (error(400, "Your request exceeded model token limit : 262144"), ContextOverflowError, ["context", "Compact"]),
        (error(400, "Requested tokens (9000) exceed context window of 4096"), ContextOverflowError, ["4096"]),
        (error(500, "the request exceeds the available context size"), ContextOverflowError, ["context"]),
        (error(413, "too large"), ContextOverflowError, ["too large"]),
        (error(400, "invalid temperature"), KimicodeError, ["invalid temperature"]),
        (status(301, b"", "Location: http://evil.example/v1\r\n"), UnavailableError, ["redirects"]),
        (stream(event({"error": {"message": "request (31430 tokens) exceeds context size (30000)"}})), ContextOverflowError, ["31430"]),
        (stream(chunk({"content": "x"}, "content_filter")), ContentFilterError, ["filter"]),
    ],
)
def test_errors_that_are_final(behaviour: Behaviour, kind: type[KimicodeError], words: list[str]) -> None:
    deltas, server, _, failure = ask(behaviour)
    assert isinstance(failure, kind)
    assert not isinstance(failure, TemporaryError)
    assert len(server.calls) == 1
    assert not any(isinstance(delta, Finished | Restarted) for delta in deltas)
    assert [word for word in words if word not in str(failure)] == []


def test_the_key_is_in_no_message() -> None:
    *_, failure = ask(error(401, f"Incorrect API key provided: {KEY}"))
    assert failure is not None
    assert KEY not in str(failure)


@pytest.mark.parametrize("key", ["sk-a\nb", "sk-“quoted”"])
def test_a_key_that_is_none(key: str) -> None:
    environ = {"MOONSHOT_API_KEY": key}
    with pytest.raises(UnavailableError, match="MOONSHOT_API_KEY"):
        connect(resolve("moonshot", None, environ), environ, lambda _text: None, None)


def test_nothing_listens() -> None:
    waits = Waits()

    async def run() -> list[Delta]:
        async with FaultServer([]) as server:
            url = server.url
        client = connect(resolve(url, None, {}), {}, lambda _text: None, patience(waits))
        try:
            return [delta async for delta in client.stream(REQUEST)]
        finally:
            await client.aclose()

    with pytest.raises(UnavailableError, match=r"nothing answers at http://127\.0\.0\.1"):
        asyncio.run(run())
    assert waits.seconds == [0.5, 1.0]


@pytest.mark.parametrize("url", ["http://", "http://host:notaport/v1", "https://[::1/v1"])
def test_an_address_that_is_none(url: str) -> None:
    async def run() -> None:
        client = connect(resolve(url, None, {}), {}, lambda _text: None, patience(Waits()))
        try:
            async for _ in client.stream(REQUEST):
                pass
        finally:
            await client.aclose()

    with pytest.raises(UsageError, match="no usable address"):
        asyncio.run(run())


async def leave_early(act: Callable[["asyncio.Task[None]", asyncio.Event], Awaitable[None]]) -> None:
    """Start a stream, `act` after its first delta, and wait until the server has seen the connection close."""
    async with FaultServer([stall(chunk({"content": "Hel"}))]) as server:
        client = connect(resolve(server.url, None, {}), {}, lambda _text: None, patience(Waits()))
        first = asyncio.Event()

        async def consume() -> None:
            async with contextlib.aclosing(client.stream(REQUEST)) as deltas:  # type: ignore[type-var]
                async for _ in deltas:
                    first.set()
                    if act is close:
                        return

        task = asyncio.create_task(consume())
        await asyncio.wait_for(first.wait(), 10)
        await act(task, first)
        await asyncio.wait_for(server.client_left.wait(), 10)
        await asyncio.gather(task, return_exceptions=True)
        await client.aclose()


async def close(task: "asyncio.Task[None]", first: asyncio.Event) -> None:
    await task


async def cancel(task: "asyncio.Task[None]", first: asyncio.Event) -> None:
    task.cancel()


@pytest.mark.parametrize("act", [close, cancel])
def test_leaving_early_closes_the_connection(act: Callable[["asyncio.Task[None]", asyncio.Event], Awaitable[None]]) -> None:
    asyncio.run(leave_early(act))


def test_thoughts_go_back_under_the_name_they_came_with() -> None:
    async def run() -> FaultServer:
        first = stream(chunk({"reasoning": "hm"}), CALL)
        async with FaultServer([first, stream(HELLO)]) as server:
            client = connect(resolve(server.url, None, {}), {}, lambda _text: None, patience(Waits()))
            answer = [delta async for delta in client.stream(REQUEST)][-1]
            assert isinstance(answer, Finished)
            call = answer.message.tool_calls[0]
            messages = (*REQUEST.messages, answer.message, ToolResult(call.id, call.name, "text"))
            async for _ in client.stream(replace_messages(REQUEST, messages)):
                pass
            await client.aclose()
            return server

    sent = asyncio.run(run()).calls[1].json["messages"]
    assert isinstance(sent, list)
    assert sent[2] == {
        "role": "assistant",
        "reasoning": "hm",
        "tool_calls": [{"id": "functions.read:0", "type": "function", "function": {"name": "read", "arguments": '{"path": "a.py"}'}}],
    }


def replace_messages(request: ModelRequest, messages: tuple[System | User | Assistant | ToolResult, ...]) -> ModelRequest:
    return msgspec.structs.replace(request, messages=messages)


def test_a_notice_is_given_once() -> None:
    notices: list[str] = []
    bad = ToolSpec("x", "", {"type": "object"})

    async def run() -> None:
        async with FaultServer([stream(HELLO), stream(HELLO)]) as server:
            target = msgspec.structs.replace(resolve("moonshot", None, {"MOONSHOT_API_KEY": KEY}), base_url=server.url)
            client = connect(target, {"MOONSHOT_API_KEY": KEY}, notices.append, patience(Waits()))
            for _ in range(2):
                async for _delta in client.stream(msgspec.structs.replace(REQUEST, tools=(bad,), thinking=Thinking.KEEP)):
                    pass
            await client.aclose()
            assert "tools" not in server.calls[0].json

    asyncio.run(run())
    assert len(notices) == 1
    assert "The tool x is left out" in notices[0]


def test_the_delay_grows_to_its_limit_with_jitter() -> None:
    patient = Patience(random=lambda: 1.0)
    assert [patient.delay(attempt) for attempt in (1, 2, 3, 7, 20, 1000)] == [0.625, 1.25, 2.5, 40.0, 40.0, 40.0]
    assert replace(patient, random=lambda: 0.0).delay(1) == 0.5


def read_so_far(processed: int, cached: int = 0) -> bytes:
    told = {"total": 100, "cache": cached, "processed": processed, "time_ms": 5}
    return event({"choices": [{"index": 0, "delta": {}, "finish_reason": None}], "prompt_progress": told})


def test_how_much_of_the_prompt_is_read_is_told_and_ends_with_the_first_word(tmp_path: Path) -> None:
    told: list[EngineProgress] = []
    deltas, server, _, failure = ask(stream(read_so_far(40, 8), read_so_far(100, 8), HELLO), unix=tmp_path / "s", on_progress=told.append)
    assert failure is None
    assert finished(deltas).message.content == "Hello"
    assert server.calls[0].json["return_progress"] is True
    assert told == [EngineProgress("prefill", 40, 100), EngineProgress("prefill", 100, 100, 0.0)]


def test_a_prompt_that_is_never_read_to_its_end_is_told_to_be_over(tmp_path: Path) -> None:
    told: list[EngineProgress] = []
    ask(*[stream(read_so_far(40))] * 8, unix=tmp_path / "s", on_progress=told.append)
    begun, over = EngineProgress("prefill", 40, 100), EngineProgress("prefill", 100, 100, 0.0)
    assert told == [begun, over] * 8


def test_a_server_that_was_not_asked_gets_no_field_for_it() -> None:
    _, server, _, _ = ask(stream(HELLO))
    assert "return_progress" not in server.calls[0].json
