"""Carrying what a proxied connection consists of: bytes of a tunnel, or one request and its answer.

What this module does not do: decide where a connection goes, or look at what it carries beyond where a body ends.
"""

import asyncio
from contextlib import suppress
from typing import Final, TypeAlias

from kimicode.sandbox.proxyhead import BadRequest, Head, chunk_size, passed_on

CHUNK: Final = 64 * 1024
"""Bytes read at a time, and about as many as wait for a slow reader."""

_CLOSE_S: Final = 5.0
"""How long a reader may take for the last bytes of a connection that is over."""

Wire: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Pulse:
    """Puts off the end of an idle connection each time that something comes."""

    def __init__(self, idle: asyncio.Timeout, seconds: float) -> None:
        self._idle = idle
        self._seconds = seconds

    def __call__(self) -> None:
        """Something came."""
        self._idle.reschedule(asyncio.get_running_loop().time() + self._seconds)


async def tunnel(_head: Head, _host: str, client: Wire, server: Wire, pulse: Pulse) -> None:
    """Carry bytes both ways; the end of one direction is handed on, and the other goes on."""
    client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    ways = [asyncio.ensure_future(_carry(client[0], server[1], pulse)), asyncio.ensure_future(_carry(server[0], client[1], pulse))]
    try:
        await asyncio.gather(*ways)
    finally:
        await _stop(*ways)


async def exchange(head: Head, host: str, client: Wire, server: Wire, pulse: Pulse) -> None:
    """One request and its answer. What the client sends after the body goes nowhere: it may be a request to somebody else."""
    server[1].write(passed_on(head, host))
    sending = asyncio.ensure_future(_send_body(head, client[0], server[1], pulse))
    try:
        await _carry(server[0], client[1], pulse)
    finally:
        await _stop(sending)


async def _send_body(head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pulse: Pulse) -> None:
    try:
        if head.length is None:
            await _send_chunks(reader, writer, pulse)
        else:
            await _send(head.length, reader, writer, pulse)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadRequest):
        # The server must not take half a body for a whole one, nor the answer to it for an answer.
        writer.transport.abort()


async def _send_chunks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pulse: Pulse) -> None:
    while size := chunk_size(await reader.readuntil(b"\r\n")):
        writer.write(b"%x\r\n" % size)
        await _send(size, reader, writer, pulse)
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest("a chunk is longer than it says")
        writer.write(b"\r\n")
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _send(size: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pulse: Pulse) -> None:
    while size:
        data = await reader.read(min(size, CHUNK))
        if not data:
            raise asyncio.IncompleteReadError(b"", size)
        size -= len(data)
        writer.write(data)
        await writer.drain()
        pulse()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pulse: Pulse) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
        pulse()
    writer.write_eof()


async def _stop(*tasks: asyncio.Future[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def close(writer: asyncio.StreamWriter) -> None:
    """Close `writer` after what it still holds, unless nobody takes that."""
    writer.close()
    try:
        async with asyncio.timeout(_CLOSE_S):
            with suppress(ConnectionError):
                await writer.wait_closed()
    except OSError:
        writer.transport.abort()
