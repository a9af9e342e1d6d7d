"""Trying a target: what a person reads in each of the usual cases, and how little is asked."""

import asyncio
import json
import sys
from pathlib import Path

import msgspec
import pytest

from kimicode.model import Target, resolve
from kimicode.model.probe import Probed, probe
from tests.model.faultserver import DONE, HELLO, Behaviour, FaultServer, chunk, raw, stall, status, stream
from tests.model.test_target import FACTS, model_file

KEY = "sk-very-secret"
LIST = json.dumps({"data": [{"id": "first"}, {"id": "second"}, {"no": "id"}, 3]}).encode()
LISTED = status(200, LIST)
NO_LIST = status(404, b"{}")
ENVIRON = {"KIMICODE_API_KEY": KEY}


def tried(*script: Behaviour, model: str = "first", deadline: float = 20.0) -> tuple[Probed, FaultServer]:
    async def run() -> tuple[Probed, FaultServer]:
        async with FaultServer(script) as server:
            target = resolve(server.url, model, ENVIRON)
            return await probe(target, ENVIRON, deadline=deadline), server

    return asyncio.run(run())


def test_what_works_is_said_with_its_time_and_asks_for_one_token() -> None:
    probed, server = tried(LISTED, stream(HELLO))
    assert probed.ok
    assert probed.models == ("first", "second")
    assert probed.seconds is not None
    assert f"first answers at {server.url}, in 0." in probed.words
    listing, asking = server.calls
    assert (listing.path, listing.headers["authorization"]) == ("/v1/models", f"Bearer {KEY}")
    assert asking.json["max_tokens"] == 1
    assert "tools" not in asking.json


def test_a_server_without_a_list_is_as_good() -> None:
    probed, _ = tried(NO_LIST, stream(HELLO))
    assert (probed.ok, probed.models) == (True, ())


@pytest.mark.parametrize("listing", [b"[", b"[]", b'{"data": 7}', b"<html>", b"\xff\xfe"])
def test_a_list_that_is_none_is_no_failure(listing: bytes) -> None:
    probed, _ = tried(status(200, listing), stream(HELLO))
    assert (probed.ok, probed.models) == (True, ())


def test_one_token_of_nothing_is_an_answer() -> None:
    assert tried(NO_LIST, stream(chunk({"content": ""}, "stop"), DONE))[0].ok
    assert tried(NO_LIST, stream(chunk({"reasoning_content": "h"}, "length"), DONE))[0].ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(401, b'{"error": {"message": "bad key"}}'), ["key was refused", "bad key", "KIMICODE_API_KEY", "/setup"]),
        (status(404, b'{"error": {"message": "no such model"}}'), ["no such model", "third", "It lists: first, second."]),
        (status(429, b'{"error": {"message": "slow down"}}'), ["slow down", "Try again later"]),
        (status(402, b'{"error": {"message": "pay"}}'), ["quota is used up"]),
        (status(302, b""), ["redirects"]),
        (raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"), ["web page"]),
    ],
)
def test_failures_say_what_is_wrong_and_what_to_do(answer: Behaviour, words: list[str]) -> None:
    probed, server = tried(LISTED, answer, model="third")
    assert not probed.ok
    assert [word for word in words if word not in probed.words] == []
    assert KEY not in probed.words
    assert len(server.calls) == 2, "nothing is tried again"


def test_a_server_that_takes_its_time_is_given_up() -> None:
    probed, _ = tried(NO_LIST, stall(b""), deadline=0.3)
    assert not probed.ok
    assert "may still be loading" in probed.words or "silent for too long" in probed.words


def test_nobody_there_and_no_secure_connection() -> None:
    nobody = asyncio.run(probe(resolve("http://127.0.0.1:1/v1", "m", {}), {}))
    assert "nothing answers at http://127.0.0.1:1/v1" in nobody.words


def test_no_secure_connection() -> None:
    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 This is not https\r\n\r\n")
        await writer.drain()
        writer.close()

    async def run() -> Probed:
        async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await probe(resolve(f"https://127.0.0.1:{port}/v1", "m", {}), {})

    probed = asyncio.run(run())
    assert "no secure connection to https://127.0.0.1" in probed.words
    assert "SSL_CERT_FILE" in probed.words


def file_target(path: Path) -> Target:
    return msgspec.structs.replace(resolve("unix:/x", "m", {}), model_file=str(path))


def planner(script: str) -> tuple[str, ...]:
    return (sys.executable, "-c", script)


def test_a_model_file_is_described_and_planned(tmp_path: Path) -> None:
    path = model_file(tmp_path / "m.gguf", FACTS)
    says = 'print(\'{"models": [{"model": "m", "runs": true, "found": "m (1 GB) runs in memory", "advice": "Buy more."}]}\')'
    probed = asyncio.run(probe(file_target(path), {}, fit=planner(says)))
    assert probed == Probed(True, "m.gguf is tiny (deepseek2, 2,048 tokens of context). m (1 GB) runs in memory. Buy more.")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            "import sys; sys.exit('Traceback\\nengine.errors.ModelFileError: m.gguf: the file is cut off')",
            "it: m.gguf: the file is cut off",
        ),
        ("import sys; sys.exit(1)", "no reason"),
        ("print('no JSON')", "no reason"),
        ("print('{\"models\": []}')", "no reason"),
    ],
)
def test_a_model_file_that_has_no_plan(tmp_path: Path, script: str, words: str) -> None:
    probed = asyncio.run(probe(file_target(model_file(tmp_path / "m.gguf", FACTS)), {}, fit=planner(script)))
    assert not probed.ok
    assert words in probed.words


def test_what_is_no_model_file(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_text("hello, this is text")
    probed = asyncio.run(probe(file_target(tmp_path / "m.gguf"), {}, fit=("/no/such/program",)))
    assert not probed.ok
    assert "is not a GGUF model file" in probed.words
