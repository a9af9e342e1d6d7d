"""How a run ends when something outside ends it: the endpoint, the disk, the reader of its output, a deadline."""

import asyncio
import os
import socket
import subprocess
import sys

import pytest

from kimicode.agent.context import unanswered
from kimicode.events import RunFinished, SessionStarted, ToolFinished
from kimicode.session.replay import replay
from tests.e2e.conftest import Serve
from tests.e2e.kimi import Kimi, do, end, read_until, runs, say, until
from tests.model.faultserver import SSE_HEAD, Behaviour, Peer, chunk, error, stall, status

PROMPT = ("--headless", "go", "--model", "m", "--endpoint")


def nobody() -> str:
    """The address of a port that nobody listens on."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{unused.getsockname()[1]}/v1"


@pytest.mark.parametrize("address", ["refused", "http://kimicode.invalid/v1", "http://a..b/v1"])
def test_nobody_answers(kimi: Kimi, address: str) -> None:
    kimi.environ["RES_OPTIONS"] = "timeout:1 attempts:1"
    url = nobody() if address == "refused" else address
    ended = kimi.run(*PROMPT, url)
    assert (ended.out, ended.code) == ("", 69)
    assert url in ended.err.splitlines()[-2]
    assert "--endpoint" in ended.err.splitlines()[-1]
    finished = kimi.logged()[-1]
    assert isinstance(finished, RunFinished)
    assert finished.exit_code == ended.code


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        (error(401, "Invalid key"), 69, ["the key was refused", "Invalid key", "KIMICODE_API_KEY"]),
        (error(404, "no model m"), 69, ["no model m", "The model asked for is m", "--model"]),
        (error(429, "exceeded_current_quota_error: you have no credit"), 69, ["quota is used up", "Add credit"]),
        (error(429, "slow down", headers="Retry-After: 3600\r\n"), 75, ["slow down", "Try again later"]),
        (error(400, "no \x1b[2Jsense"), 1, ["the request was refused", "no ␛[2Jsense"]),
        (status(302, headers="Location: http://other.example/\r\n"), 69, ["redirects", "--endpoint"]),
        (status(200, b"<html>Sign in</html>", kind="text/html"), 69, ["answers with a web page", "base URL"]),
    ],
)
def test_the_endpoint_refuses(kimi: Kimi, serve: Serve, behaviour: Behaviour, code: int, words: list[str]) -> None:
    kimi.environ["KIMICODE_API_KEY"] = "sk-secret-of-the-user"
    ended = kimi.run(*PROMPT, serve(*[behaviour] * 3).url)
    assert (ended.out, ended.code) == ("", code)
    assert all(word in ended.err for word in words), ended.err
    assert "\x1b" not in ended.err
    assert "sk-secret" not in ended.err + kimi.log().read_text()


def test_deadlines(kimi: Kimi, serve: Serve) -> None:
    """In a stalled stream what came stays; in a command its processes are gone. Both at once, because each takes its seconds."""
    streaming = serve(stall(chunk({"content": "As far as it came"})))
    working = serve(do(("shell", {"command": f"echo begun; sleep {kimi.mark} & wait"})))
    limit = ("--max-seconds", "6")
    with kimi.start(*PROMPT, streaming.url, *limit) as first, kimi.start(*PROMPT, working.url, *limit, "--output", "stream-json") as second:
        read, worked = end(first), end(second)
    assert (read.code, read.out) == (124, "As far as it came\n")
    assert "the limit of 6 seconds is reached" in read.err
    assert (worked.code, worked.finished.status) == (124, "budget")
    results = [event.result.content for event in worked.events if isinstance(event, ToolFinished)]
    assert results == ["Stopped before it finished: the limit of 6 seconds is reached."]
    until(lambda: not runs(kimi.mark))


def small_disk(size: int) -> tuple[str, ...]:
    """Runs a command whose files can't grow beyond `size` bytes."""
    code = f"import os, resource as r, sys; r.setrlimit(r.RLIMIT_FSIZE, ({size}, {size})); os.execv(sys.argv[1], sys.argv[1:])"
    return (sys.executable, "-B", "-c", code)


@pytest.mark.parametrize("size", [100, 1_000, 6_000])
def test_the_disk_is_full(kimi: Kimi, serve: Serve, size: int) -> None:
    """At the first event, in the prompt, at a large result: whole lines stay, and with space the session goes on."""
    (kimi.workspace / "large").write_text(("x" * 79 + "\n") * 100)
    server = serve(do(("read", {"path": "large"})), say("not reached"))
    kimi.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    ended = kimi.run(*PROMPT, server.url, "--output", "json", through=small_disk(size))
    assert ended.code == 1
    assert f"can't write the session log {kimi.log()}: File too large" in ended.err
    assert "Free some space" in ended.err
    assert len(server.calls) == (size == 6_000)
    events = kimi.logged()
    assert kimi.log().read_bytes()[-1:] in (b"\n", b"")
    assert isinstance(events[0], SessionStarted) if size > 100 else events == []
    if size > 100:
        again = kimi.run("--headless", "go on", "--continue", "--endpoint", serve(say("ok")).url, "--model", "m")
        assert (again.code, again.out) == (0, "ok\n")
        assert unanswered(replay(kimi.logged()).conversation) == ()


@pytest.mark.parametrize("output", ["text", "json", "stream-json"])
def test_stdout_is_full(kimi: Kimi, serve: Serve, output: str) -> None:
    """A stream that can't be written once went on to the end, unseen and at the user's cost."""
    server = serve(say("ok"))
    with open("/dev/full", "wb") as full, kimi.start(*PROMPT, server.url, "--output", output, stdout=full) as process:
        ended = end(process)
    assert ended.code == 1
    assert "can't write to stdout: No space left on device" in ended.err
    assert len(server.calls) == (output != "stream-json")


async def endless(peer: Peer) -> None:
    """Says something ever again, until the client leaves."""
    await peer.send(SSE_HEAD)
    while True:
        await peer.send(chunk({"content": "more "}))
        await asyncio.sleep(0.02)


def test_the_reader_goes_away(kimi: Kimi, serve: Serve) -> None:
    server = serve(endless, say("not reached"))
    with kimi.running(*PROMPT, server.url, "--output", "stream-json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        ended = end_without_stdout(process)
    assert ended[0] == 1
    assert "can't write to stdout: Broken pipe" in ended[1]


def end_without_stdout(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    assert process.stderr is not None
    said = process.stderr.read().decode()
    assert "Traceback" not in said
    assert "Exception ignored" not in said
    return process.wait(), said


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["models", "list"],
        ["doctor"],
        ["tool", "glob", '{"pattern": "*"}'],
        ["sessions", "list"],
        ["engine", "status"],
    ],
)
def test_a_command_whose_reader_is_gone(kimi: Kimi, serve: Serve, arguments: list[str]) -> None:
    kimi.run(*PROMPT, serve(say("ok")).url)
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as closed, kimi.start(*arguments, stdout=closed) as process:
        code, said = end_without_stdout(process)
    assert code in (0, 1)
    assert "unexpected" not in said


def test_a_slow_answer_is_not_lost(kimi: Kimi, serve: Serve) -> None:
    """stdout is a full pipe for a while: the answer waits, and then it is there as a whole."""
    text = "x" * 200_000
    with kimi.running(*PROMPT, serve(say(text)).url) as process:
        read_until(process.stderr, b"done (")
        ended = end(process)
    assert ended.out == f"{text}\n"
