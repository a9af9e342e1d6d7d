"""A model that says what a test wrote, behind the real server on a real socket."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, repeat
from pathlib import Path

import httpx
import numpy as np
import uvicorn

from engine.batch import Batcher
from engine.errors import DecodeError
from engine.gguf import Defaults, ModelFile
from engine.llama import Entry, Logits
from engine.parse import end_ids
from engine.pool import Pool
from engine.server import Host, create_app
from engine.service import LoadedModel, Service
from engine.tokenizer import Tokenizer

DEADLINE = 20.0


class Script:
    """A decoder that generates `tokens`, whatever it is given, then the letter `a` for ever. `gate` lets so many tokens pass."""

    def __init__(self, tokens: Iterable[int] = (), *, gate: threading.Semaphore | None = None) -> None:
        self.cells = 2048
        self.batch = 64
        self.sequences = 8
        self.prompts: list[int] = []
        self.fail = False
        self._tokens: Iterator[int] = chain(tokens, repeat(ord("a")))
        self._gate = gate

    def decode(self, entries: Sequence[Entry]) -> None:
        if self.fail:
            raise DecodeError("llama.cpp failed, as asked")
        self.prompts += [entry.token for entry in entries]

    def logits(self, row: int) -> Logits:
        if self._gate is not None and not self._gate.acquire(timeout=DEADLINE):
            raise TimeoutError("nobody opened the gate")
        scores = np.zeros(400, np.float32)
        scores[next(self._tokens)] = 1
        return scores

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        pass

    def forget(self, sequence: int, start: int = 0) -> None:
        pass

    def save(self, sequence: int, start: int, end: int) -> bytes:
        raise NotImplementedError

    def restore(self, sequence: int, data: bytes, start: int, end: int) -> None:
        raise NotImplementedError


def spell(tokenizer: Tokenizer, *parts: str) -> list[int]:
    """Token ids of an answer; a part that is a control token's name becomes that token."""
    return [number for part in parts for number in ([tokenizer.control[part]] if part in tokenizer.control else tokenizer.encode(part))]


def service(tokenizer: Tokenizer, script: Script, *, parallel: int = 1) -> Service:
    """A service around `script`, greedy and thinking by default; one answer at a time unless asked otherwise."""
    file = ModelFile(Path("scripted.gguf"), "scripted", script.cells, 0, "lean", Defaults(temperature=0.0))
    batcher = Batcher(script, Pool(script), context=script.cells, ends=end_ids(tokenizer), parallel=parallel)
    return Service(LoadedModel(file, tokenizer, batcher, script.cells, 400))


@asynccontextmanager
async def served(host: Host, folder: Path, *, local_only: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server for `host`; both are closed afterwards, and the service too."""
    path = str(folder / "s.sock")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    app = create_app(host, local_only=local_only)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path), base_url="http://localhost", timeout=DEADLINE) as client:
            yield client
    finally:
        server.should_exit = True
        await serving
        if host.service is not None:
            host.service.close()


def hosting(found: Service | None) -> Host:
    """A host that serves `found`."""
    host = Host()
    host.service = found
    return host


async def until(client: httpx.AsyncClient, **wanted: int) -> dict[str, int]:
    """Wait until `/health` shows these counters."""
    deadline = time.monotonic() + DEADLINE
    while True:
        health: dict[str, int] = (await client.get("/health")).json()
        if wanted.items() <= health.items():
            return health
        if time.monotonic() > deadline:
            raise AssertionError(f"{health} never became {wanted}")
        await asyncio.sleep(0.01)


def chunks(text: str) -> list[dict[str, object]]:
    """The JSON events of a stream; it must end with `[DONE]`."""
    events = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    return [json.loads(event) for event in events]
