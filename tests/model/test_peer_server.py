"""The client against an implementation that is not ours: the server that ships with llama-cpp-python, serving kimi-nano.

It drops K2's control tokens from its text and knows no reasoning, so what is held here is the transport: streams, usage, errors.
"""

import asyncio
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from kimicode.errors import TemporaryError
from kimicode.messages import Assistant, ToolResult, User
from kimicode.model import Delta, Finished, ModelRequest, Patience, Text, make_client, resolve
from kimicode.model.target import Target

MODEL = Path(__file__).parents[2] / "engine" / "nano" / "kimi-nano.gguf"
START_SECONDS = 120
CONTEXT = 1024


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(MODEL), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_ctx", str(CONTEXT), "--n_threads", "1", "--n_threads_batch", "1", "--verbose", "False"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", server)
        yield resolve(f"http://127.0.0.1:{port}/v1", "kimi-nano", {})
    finally:
        server.terminate()
        server.wait(30)


def wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)  # there is nothing to wait on until the port is open
    raise AssertionError(f"the server did not start (exit {server.poll()})")


def ask(target: Target, request: ModelRequest, *, stop_after: int | None = None) -> list[Delta]:
    async def go() -> list[Delta]:
        client = make_client(target, {}, patience=Patience(attempts=2, first_delay=0.01))
        deltas: list[Delta] = []
        try:
            async with aclosing(client.stream(request)) as stream:
                async for delta in stream:
                    deltas.append(delta)
                    if len(deltas) == stop_after:
                        break
        finally:
            await client.aclose()
        return deltas

    return asyncio.run(go())


def test_a_stream_arrives_in_pieces_and_ends_once(target: Target):
    deltas = ask(target, ModelRequest((User("Fix the failing test."),), max_tokens=24))
    *pieces, last = deltas
    assert isinstance(last, Finished)
    assert len(pieces) > 3
    assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == last.message.content
    assert last.finish_reason in ("stop", "length")


def test_a_conversation_with_tool_results_is_accepted(target: Target):
    call = Assistant("", "Run the tests.", ())
    history = (User("Fix the failing test."), call, ToolResult("functions.shell:0", "shell", "1 failed"), User("Go on."))
    assert isinstance(ask(target, ModelRequest(history, max_tokens=8))[-1], Finished)


def test_a_stream_that_is_left_early_leaves_the_server_able_to_answer(target: Target):
    assert len(ask(target, ModelRequest((User("Fix the failing test."),), max_tokens=500), stop_after=2)) == 2
    assert isinstance(ask(target, ModelRequest((User("Hello"),), max_tokens=4))[-1], Finished)


def test_an_overflow_that_the_server_hides_in_an_empty_stream_is_no_answer(target: Target):
    """It answers a streamed prompt that is too long with status 200 and nothing; that must end as a cut stream, not as an answer."""
    with pytest.raises(TemporaryError, match=r"before the answer was whole|broke off"):
        ask(target, ModelRequest((User("word " * 4 * CONTEXT),), max_tokens=4))
