"""Connections that somebody holds open for nothing: no request, half a request, an answer that nobody reads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from engine.connection import DeadlineProtocol

DEADLINE = 20.0
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Hasty(DeadlineProtocol):
    """Deadlines that a test can wait for."""

    head_seconds = 0.05
    send_seconds = 0.05


class Answer:
    """An application that answers for ever, or one byte; `over` is set where it was told that the client is gone."""

    def __init__(self, *, endless: bool) -> None:
        self.over = asyncio.Event()
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")] if not self._endless else []})
        leaving = asyncio.ensure_future(self._leave(receive))
        while self._endless and not leaving.done():
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            await asyncio.sleep(0)
        leaving.cancel()
        await send({"type": "http.response.body", "body": b"x" if not self._endless else b""})

    async def _leave(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.over.set()


@asynccontextmanager
async def _serving(app: Answer, folder: Path, protocol: type[DeadlineProtocol]) -> AsyncIterator[str]:
    path = str(folder / "s.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", http=protocol, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield path
        finally:
            server.should_exit = True
            await serving


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_a_request_whose_head_never_comes_is_hung_up_on(tmp_path: Path, sent: bytes) -> None:
    async def run() -> None:
        async with _serving(Answer(endless=False), tmp_path, Hasty) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(sent)
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), DEADLINE) == b""
            writer.close()

    asyncio.run(run())


def test_a_client_that_reads_nothing_is_hung_up_on_and_its_answer_ends(tmp_path: Path) -> None:
    async def run() -> None:
        app = Answer(endless=True)
        async with _serving(app, tmp_path, Hasty) as path:
            _, writer = await asyncio.open_unix_connection(path, limit=1024)
            writer.write(HEAD)
            await asyncio.wait_for(app.over.wait(), DEADLINE)
            writer.close()

    asyncio.run(run())


def test_a_client_that_reads_gets_more_than_one_answer_on_a_connection(tmp_path: Path) -> None:
    class Patient(DeadlineProtocol):
        """Deadlines that never come."""

    async def run() -> None:
        async with _serving(Answer(endless=False), tmp_path, Patient) as path:
            reader, writer = await asyncio.open_unix_connection(path)
            for _ in range(3):
                writer.write(HEAD)
                answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\nx"), DEADLINE)
                assert answer.startswith(b"HTTP/1.1 200")
            writer.close()

    asyncio.run(run())
