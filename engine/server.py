"""The engine's OpenAI-compatible HTTP interface: `/health`, `/v1/models`, `/v1/chat/completions`.

A stream begins with the role, sends comment lines while the prompt is read (so that a client knows the engine is alive), and ends with
the finish reason, the usage if asked for, and `[DONE]`; a failure in the middle is one `error` event and no `[DONE]`. A client that
goes away ends its answer, running or queued. Errors have OpenAI's form and the status code that belongs to them.
What this module does not do: listen on a socket or load a model (`engine.daemon`).
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from engine.answer import CallIds, Envelope, JsonObject, deltas
from engine.chat import ChatFormatError
from engine.errors import ContextOverflowError, EngineError
from engine.generate import Prefilled
from engine.request import RequestError, read_request
from engine.service import Answered, Job, Service
from engine.tokenizer import VocabularyError

MAX_BODY: Final = 64 * 1024 * 1024
"""Bytes a request may have: a full context of text is about 1 MB, images take more."""

LOCAL_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
"""Host names a TCP port answers to: a web page that points a name of its own at this machine gets nothing."""

_RETRY_SECONDS: Final = "1"
_DONE: Final = "data: [DONE]\n\n"
_T = TypeVar("_T")


class ApiError(Exception):
    """An error reply in OpenAI's form."""

    def __init__(self, status: int, message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.body: JsonObject = {"error": {"message": message, "type": kind, "param": param, "code": code or None}}


class Host:
    """What the server serves: nothing while the model loads, then `service`."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def ready(self) -> Service:
        """The service. Raises `ApiError` 503 while there is none."""
        if self.service is None:
            raise ApiError(503, "the model is still loading; ask again in a moment", kind="unavailable_error", code="loading")
        return self.service


def create_app(host: Host, *, local_only: bool = False) -> Starlette:
    """The application. `local_only` refuses requests to other host names; for TCP ports."""

    async def health(_: Request) -> Response:
        if host.service is None:
            return JSONResponse({"status": "loading"})
        return JSONResponse({"status": "ok", "model": host.service.model.file.name, **asdict(host.service.counters)})

    async def models(_: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(host.ready())]})

    async def chat(request: Request) -> Response:
        service = host.ready()
        job = await _job(service, await _body(request))
        envelope = Envelope(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), service.model.file.name)
        if job.request.stream:
            return _EventStream(_events(service, job, envelope), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        return JSONResponse(await _while_connected(request, _whole(service, job, envelope)))

    return Starlette(
        routes=[
            Route("/health", health, methods=["GET"]),
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", chat, methods=["POST"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(LOCAL_HOSTS))] if local_only else [],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _bug},
    )


def _model(service: Service) -> JsonObject:
    file = service.model.file
    return {
        "id": file.name,
        "object": "model",
        "created": 0,
        "owned_by": "local",
        "context": service.model.context,
        "profile": file.profile,
        "path": str(file.path),
    }


async def _body(request: Request) -> bytes:
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > MAX_BODY:
            raise ApiError(413, f"the body is longer than {MAX_BODY:,} bytes")
    return bytes(data)


async def _job(service: Service, body: bytes) -> Job:
    try:
        request = read_request(body, service.model.file.defaults)
        # A long prompt takes a while to encode, and another answer may be streaming.
        return await asyncio.to_thread(service.prepare, request)
    except RequestError as problem:
        raise ApiError(400, str(problem), param=problem.param) from None
    except ChatFormatError as problem:
        raise ApiError(400, str(problem), param=f"messages[{problem.index}]") from None
    except ContextOverflowError as problem:
        raise ApiError(400, str(problem), param="messages", code="context_length_exceeded") from None
    except VocabularyError as problem:
        raise ApiError(400, f"the messages need something this model does not have: {problem}", param="messages") from None
    except RecursionError:
        raise ApiError(400, "the tools or messages are nested too deeply") from None


async def _whole(service: Service, job: Job, envelope: Envelope) -> JsonObject:
    try:
        async with aclosing(service.answer(job)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return envelope.completion(event.answer, event.finish_reason, event.usage, CallIds(job.request.taken))
    except EngineError as problem:
        raise ApiError(500, str(problem), kind="server_error") from problem
    raise AssertionError("an answer ends with Answered")


async def _events(service: Service, job: Job, envelope: Envelope) -> AsyncGenerator[str, None]:
    """The server-sent events of one answer."""
    ids = CallIds(job.request.taken)
    yield _event(envelope.chunk({"role": "assistant", "content": ""}))
    try:
        async with aclosing(service.answer(job)) as events:
            async for event in events:
                match event:
                    case Prefilled():
                        yield f": prompt {event.done}/{event.total}\n\n"
                    case Answered():
                        yield _event(envelope.chunk({}, event.finish_reason))
                        if job.request.include_usage:
                            yield _event(envelope.usage_chunk(event.usage))
                        yield _DONE
                    case _:
                        for delta in deltas([event], ids):
                            yield _event(envelope.chunk(delta))
    except EngineError as problem:
        yield _event(ApiError(500, str(problem), kind="server_error").body)


def _event(value: JsonObject) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


class _EventStream(StreamingResponse):
    """A stream whose source is closed at once when the client is gone, not when the garbage collector finds it."""

    def __init__(self, source: AsyncGenerator[str, None], *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(source, media_type=media_type, headers=headers)
        self._source = source

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self._source):
            await super().stream_response(send)


async def _while_connected(request: Request, work: Awaitable[_T]) -> _T:
    """The result of `work`, which is cancelled when the client goes away."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request.receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        return await working
    except asyncio.CancelledError:
        if leaving.done():
            # Nobody reads this; 499 is what servers log for it.
            raise ApiError(499, "the client went away") from None
        raise
    finally:
        leaving.cancel()
        working.cancel()


async def _gone(receive: Callable[[], Awaitable[object]]) -> None:
    while True:
        match await receive():
            case {"type": "http.disconnect"}:
                return


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    headers = {"Retry-After": _RETRY_SECONDS} if error.status == 503 else None
    return JSONResponse(error.body, error.status, headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail.lower()}"
    return JSONResponse(ApiError(error.status_code, message).body, error.status_code, error.headers)


async def _bug(_: Request, error: Exception) -> Response:
    # Starlette raises the error again after this reply, so that its trace reaches the log.
    return JSONResponse(ApiError(500, f"the engine failed unexpectedly: {error}", kind="server_error").body, 500)
