"""A local HTTP server that misbehaves by script: request N gets behaviour N, and whatever it said is remembered.

A behaviour writes to the connection what it likes. What this module does not do: speak HTTP beyond what the tests need.
"""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kimicode.messages import JsonObject

SSE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Call:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> JsonObject:
        """The body as JSON."""
        data: JsonObject = json.loads(self.body)
        return data


class Peer:
    """The connection, as a behaviour sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Wait until the client has closed."""
        try:
            await self.reader.read()
        except ConnectionError:
            return

    def reset(self) -> None:
        """Cut with RST instead of FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.close()


Behaviour = Callable[[Peer], Awaitable[None]]


class FaultServer:
    """`async with FaultServer([...]) as server:` serves on `server.url`, or on a Unix socket where a path is given."""

    def __init__(self, script: Iterable[Behaviour], socket_path: Path | None = None) -> None:
        self._script = iter(script)
        self._socket_path = socket_path
        self.calls: list[Call] = []
        self.url = ""
        self.client_left = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "FaultServer":
        if self._socket_path:
            self._server = await asyncio.start_unix_server(self._serve, str(self._socket_path))
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._one(reader, writer)
        except (asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except asyncio.IncompleteReadError:
            return
        start, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.calls.append(Call(start.split(" ")[1], headers, body))
        behaviour = next(self._script, status(599, b"the script is used up"))
        peer = Peer(reader, writer)
        await behaviour(peer)
        if not writer.is_closing():
            writer.close()
        self.client_left.set()


def event(data: object) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def chunk(delta: JsonObject, finish: str | None = None) -> bytes:
    return event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


USAGE = event({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}})
DONE = b"data: [DONE]\n\n"
HELLO = chunk({"reasoning_content": "hm"}) + chunk({"content": "Hel"}) + chunk({"content": "lo"}) + chunk({}, "stop") + USAGE + DONE


def call_delta(arguments: str, *, index: int = 0, call_id: str = "functions.read:0", name: str = "read") -> JsonObject:
    return {"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}]}


CALL = chunk(call_delta('{"path": "a.py"}')) + chunk({}, "tool_calls") + USAGE + DONE


def stream(*parts: bytes) -> Behaviour:
    """A clean stream of these bytes, in these pieces."""

    async def behave(peer: Peer) -> None:
        await peer.send(SSE_HEAD)
        for part in parts:
            await peer.send(part)

    return behave


def status(code: int, body: bytes = b"{}", headers: str = "", kind: str = "application/json") -> Behaviour:
    async def behave(peer: Peer) -> None:
        head = f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{headers}\r\n"
        await peer.send(head.encode() + body)

    return behave


def error(code: int, message: str, kind: str = "", headers: str = "") -> Behaviour:
    return status(code, json.dumps({"error": {"message": message, "type": kind}}).encode(), headers)


def cut(*parts: bytes) -> Behaviour:
    """A chunked stream that stops in the middle: the client sees that bytes are missing."""

    async def behave(peer: Peer) -> None:
        await peer.send(SSE_HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked"))
        data = b"".join(parts)
        await peer.send(f"{len(data) + 10:x}\r\n".encode() + data)

    return behave


def reset(*parts: bytes) -> Behaviour:
    """RST after these bytes."""

    async def behave(peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"".join(parts))
        peer.reset()

    return behave


def stall(*parts: bytes) -> Behaviour:
    """These bytes, then silence until the client leaves."""

    async def behave(peer: Peer) -> None:
        await peer.send(SSE_HEAD + b"".join(parts))
        await peer.gone()

    return behave


def raw(data: bytes) -> Behaviour:
    async def behave(peer: Peer) -> None:
        await peer.send(data)

    return behave
