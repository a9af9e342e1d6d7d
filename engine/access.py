"""Who may ask, and how much: host names, the bearer token, and the bodies of requests.

A TCP port answers only clients that know the token, except on `/health`, which says how busy the engine is; one on this
machine's own interface answers to local names only, so that a web page that points a name of its own at this machine gets nothing.
A body must be JSON, of limited length, and come without long pauses.
What this module does not do: anything about connections (`engine.connection`), or reading the JSON (`engine.body`).
"""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.problems import ApiError

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes a request may have: a full context of text is about 1 MB, images take more."""

BODY_SECONDS: Final = 30.0
"""How long a client may send nothing in the middle of a body."""

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
"""Host names a local TCP port answers to."""

HEALTH: Final = "/health"


class LocalHosts:
    """Refuses requests to other names than `LOCAL_HOSTS`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or _host(Headers(scope=scope).get("host", "")) in LOCAL_HOSTS:
            await self._app(scope, receive, send)
            return
        error = ApiError(400, "this port answers to the host names localhost, 127.0.0.1 and [::1] only")
        await JSONResponse(error.body, error.status)(scope, receive, send)


class BearerToken:
    """Refuses requests without `token` in their Authorization header. How long that takes says nothing about the token."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or scope["path"] == HEALTH or self._knows(Headers(scope=scope).get("authorization", "")):
            await self._app(scope, receive, send)
            return
        message = "Invalid Authentication: send the engine's token as 'Authorization: Bearer TOKEN'"
        error = ApiError(401, message, kind="invalid_authentication_error")
        await JSONResponse(error.body, error.status, error.headers)(scope, receive, send)

    def _knows(self, header: str) -> bool:
        scheme, _, given = header.partition(" ")
        return scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode("latin-1"), self._expected)


async def read_body(request: Request, *, pause: float = BODY_SECONDS, limit: int = MAX_BODY) -> bytes:
    """The body. `pause` is in seconds, `limit` in bytes. Raises `ApiError` 408, 413 or 415, and 499 where the client goes away."""
    _check_form(request.headers)
    data = bytearray()
    stream = aiter(request.stream())
    try:
        while (piece := await _in_time(stream, pause)) is not None:
            data += piece
            if len(data) > limit:
                raise ApiError(413, f"the body is longer than {limit:,} bytes")
        return bytes(data)
    except TimeoutError:
        raise ApiError(408, f"the rest of the body did not come within {pause:g} seconds") from None
    except ClientDisconnect:
        raise ApiError(499, "the client went away") from None


async def _in_time(stream: AsyncIterator[bytes], seconds: float) -> bytes | None:
    """The next piece, None at the end. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds):
        return await anext(stream, None)


def _check_form(headers: Headers) -> None:
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise ApiError(415, f"the body is {kind!r}: send JSON, with 'Content-Type: application/json'")
    if (coding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise ApiError(415, f"the body is encoded with {coding!r}: send it as it is")


def _host(header: str) -> str:
    """The name in a Host header, without the port."""
    if header.startswith("["):
        return header.partition("]")[0].lower() + "]"
    return header.partition(":")[0].lower()
