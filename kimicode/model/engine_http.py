"""One question to an engine on its Unix socket, with a deadline for the whole of it.

Without an HTTP library: who only wants to know how the engine is should not wait for one to load. Answers are short and come from an engine
of ours, to a request of HTTP/1.0, so they are neither chunked nor compressed. What this module does not do: start an engine, or know what
an answer means.
"""

import asyncio
import json
from pathlib import Path


class NobodyListensError(Exception):
    """No engine is at the socket."""


class NoAnswerError(Exception):
    """Somebody is at the socket and says nothing, or nothing that makes sense."""


async def ask(socket: Path, path: str, seconds: float) -> object:
    """The JSON at `path`. Raises `NobodyListensError`, or `NoAnswerError` also where it is not whole in `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            answer = await _get(socket, path)
    except TimeoutError:
        raise NoAnswerError(f"no answer in {seconds:g} s") from None
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise NoAnswerError("the answer is none of ours")
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswerError("the answer is no JSON") from None
    return found


async def _get(socket: Path, path: str) -> bytes:
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except (ConnectionRefusedError, FileNotFoundError, NotADirectoryError) as error:
        raise NobodyListensError(str(error)) from None
    except OSError as error:
        raise NoAnswerError(str(error)) from None
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: engine\r\nAccept: application/json\r\n\r\n".encode())
        return await reader.read(-1)
    except OSError as error:
        raise NoAnswerError(str(error)) from None
    finally:
        writer.transport.abort()
