"""The engine's OpenAI-compatible HTTP interface; `docs/server.md` is its reference.

A stream begins with the role, sends comment lines while the prompt is read (so that a client knows the engine is alive; chunks with
numbers to those who asked by `return_progress`), and ends with the finish reason, the usage if asked for, and `[DONE]`; a failure in the
middle is one `error` event and no `[DONE]`. A client that goes away ends its answer, running or queued. Errors have the form of Kimi's
API and the status code that belongs to them.
What this module does not do: listen on a socket or load a model (`engine.daemon`), or decide who may ask (`engine.access`).
"""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Final, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Send

from engine import counting
from engine.access import HEALTH, BearerToken, LocalHosts, read_body
from engine.answer import Envelope, JsonObject, deltas
from engine.batch import Prefilled
from engine.callids import CallIds
from engine.errors import EngineError
from engine.layout import Experts
from engine.metrics import CONTENT_TYPE, Metrics, Outcome, Watch
from engine.problems import ApiError, as_api_errors, failed, loading, not_found, plain
from engine.request import ChatRequest, read_request
from engine.service import Answered, AnswerEvent, Job, Service

PRIORITY_HEADER: Final = "x-kimicode-priority"

_DONE: Final = "data: [DONE]\n\n"
_OUTCOMES: Final = {429: Outcome.OVERLOADED, 499: Outcome.CANCELLED, 500: Outcome.FAILED}
_T = TypeVar("_T")


class Host:
    """What the server serves: nothing while the model of this name loads, then `service`."""

    def __init__(self, model: str = "") -> None:
        self.service: Service | None = None
        self._model = model
        self._read = (0, 0)

    def read(self, done: int, total: int) -> None:
        """`done` of the `total` bytes that are to be read were read. Any thread."""
        self._read = done, total

    def loading(self) -> JsonObject:
        """How far loading is; `total` is 0 until it is known."""
        done, total = self._read
        return {"status": "loading", "model": self._model, "done": done, "total": total}

    def ready(self) -> Service:
        """The service. Raises `ApiError` 503 while there is none."""
        if self.service is None:
            raise loading()
        return self.service


def create_app(host: Host, *, local_only: bool = False, token: str | None = None, strict: bool = False) -> Starlette:
    """The application.

    `local_only` refuses requests to other host names, and `token` those without it: for TCP ports. On a port a request must also name the
    model that is served, or none; on a private socket the client started the engine for its model. `strict` takes only what the vendor's
    API takes.
    """
    routes = _Routes(host, Metrics(), strict=strict, named=local_only or token is not None)
    return Starlette(
        routes=[
            Route(HEALTH, routes.health, methods=["GET"]),
            Route("/metrics", routes.metrics_text, methods=["GET"]),
            Route("/v1/models", routes.models, methods=["GET"]),
            Route("/v1/models/{name:path}", routes.model, methods=["GET"]),
            Route("/v1/chat/completions", routes.chat, methods=["POST"]),
            Route("/v1/tokenizers/estimate-token-count", routes.counted(counting.estimate), methods=["POST"]),
            Route("/tokenize", routes.counted(counting.tokenize), methods=["POST"]),
            Route("/detokenize", routes.counted(counting.detokenize), methods=["POST"]),
        ],
        middleware=[
            *([Middleware(LocalHosts)] if local_only else []),
            *([Middleware(BearerToken, token)] if token is not None else []),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _bug},
    )


@dataclass(frozen=True)
class _Routes:
    """What each route does. `named`: a request's `model` must be the one that is served."""

    host: Host
    metrics: Metrics
    strict: bool
    named: bool

    async def health(self, _: Request) -> Response:
        service = self.host.service
        if service is None:
            return JSONResponse(self.host.loading())
        attention, experts = service.model.attention.name, _experts(service)
        return JSONResponse(
            {"status": "ok", "model": service.model.file.name, "attention": attention, "experts": experts, **asdict(service.counters)}
        )

    async def metrics_text(self, _: Request) -> Response:
        numbers = self.host.service.metrics() if self.host.service is not None else {}
        return PlainTextResponse(self.metrics.text(numbers), media_type=CONTENT_TYPE)

    async def models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(self.host.ready())]})

    async def model(self, request: Request) -> Response:
        service = self.host.ready()
        _check_model(service, request.path_params["name"])
        return JSONResponse(_model(service))

    def counted(self, function: Callable[[Service, bytes], JsonObject]) -> Callable[[Request], Awaitable[Response]]:
        """A route that answers with `function` of the body."""

        async def route(request: Request) -> Response:
            service = self.host.ready()
            body = await read_body(request)
            with as_api_errors():
                return JSONResponse(await asyncio.to_thread(function, service, body))

        return route

    async def chat(self, request: Request) -> Response:
        service = self.host.ready()
        watch = Watch(self.metrics)
        try:
            job = await self._job(service, request)
        except ApiError as problem:
            watch.outcome = _OUTCOMES.get(problem.status, Outcome.REFUSED)
            watch.close()
            raise
        envelope = Envelope(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), service.model.file.name)
        if job.request.stream:
            source = _events(service, job, envelope, watch)
            return _EventStream(source, watch, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
        return JSONResponse(await _while_connected(request, _whole(service, job, envelope, watch)))

    async def _job(self, service: Service, request: Request) -> Job:
        body = await read_body(request)
        priority = request.headers.get(PRIORITY_HEADER)

        def prepare() -> Job:
            asked = read_request(body, service.model.file.defaults, strict=self.strict, priority=priority)
            self._check_name(service, asked)
            return service.prepare(asked)

        with as_api_errors():
            # A long prompt takes a while to encode, and other answers are streaming.
            return await asyncio.to_thread(prepare)

    def _check_name(self, service: Service, asked: ChatRequest) -> None:
        if self.named and asked.model:
            _check_model(service, asked.model)


def _check_model(service: Service, name: str) -> None:
    file = service.model.file
    if name not in (file.name, file.path.stem):
        raise not_found(f"Not found the model {name}: this engine serves {file.name}", "model")


def _model(service: Service) -> JsonObject:
    file = service.model.file
    return {
        "id": file.name,
        "object": "model",
        "created": 0,
        "owned_by": "local",
        "context": service.model.context,
        "context_length": service.model.context,
        "profile": file.profile,
        "path": str(file.path),
        "supports_reasoning": True,
        "supports_image_in": False,
        "supports_video_in": False,
        "capabilities": ["thinking", "tools", "json_object", "json_schema", "partial"],
    }


async def _answer(service: Service, job: Job, watch: Watch) -> AsyncGenerator[AnswerEvent, None]:
    """The service's answer, watched."""
    try:
        async with aclosing(service.answer(job)) as events:
            async for event in events:
                watch.see(event)
                yield event
    except EngineError:
        watch.outcome = Outcome.FAILED
        raise


async def _whole(service: Service, job: Job, envelope: Envelope, watch: Watch) -> JsonObject:
    try:
        async with aclosing(_answer(service, job, watch)) as events:
            async for event in events:
                if isinstance(event, Answered):
                    return envelope.completion(event.answer, event.finish_reason, event.usage, CallIds(job.request.taken))
    except EngineError as problem:
        raise failed(problem) from problem
    finally:
        watch.close()
    raise AssertionError("an answer ends with Answered")


async def _events(service: Service, job: Job, envelope: Envelope, watch: Watch) -> AsyncGenerator[str, None]:
    """The server-sent events of one answer."""
    ids = CallIds(job.request.taken)
    begun = time.monotonic()
    yield _event(envelope.chunk({"role": "assistant", "content": ""}))
    try:
        async with aclosing(_answer(service, job, watch)) as events:
            async for event in events:
                match event:
                    case Prefilled() if job.request.return_progress:
                        yield _event(envelope.progress_chunk(event.cached, event.done, event.total, time.monotonic() - begun))
                    case Prefilled():
                        yield f": prompt {event.done}/{event.total}\n\n"
                    case Answered():
                        yield _event(envelope.last_chunk(event.finish_reason, event.usage))
                        if job.request.include_usage:
                            yield _event(envelope.usage_chunk(event.usage))
                        yield _DONE
                    case _:
                        for delta in deltas([event], ids):
                            yield _event(envelope.chunk(delta))
    except EngineError as problem:
        yield _event(failed(problem).body)


def _event(value: JsonObject) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _experts(service: Service) -> JsonObject | str:
    """Who keeps routed experts: llama.cpp, or a store of this size."""
    state = service.model.experts()
    if state is None:
        return Experts.MAPPED.value
    return {
        "hit_rate": round(state.hit_rate, 4),
        "cache_bytes": state.cache_bytes,
        "planned_bytes": state.planned_bytes,
        "read_bytes": state.read_bytes,
    }


class _EventStream(StreamingResponse):
    """A stream whose source is closed at once when the client is gone, not when the garbage collector finds it."""

    def __init__(self, source: AsyncGenerator[str, None], watch: Watch, *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(source, media_type=media_type, headers=headers)
        self._source = source
        self._watch = watch

    async def stream_response(self, send: Send) -> None:
        try:
            async with aclosing(self._source):
                await super().stream_response(send)
        finally:
            self._watch.close()


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
    return JSONResponse(error.body, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail.lower()}"
    return JSONResponse(plain(error.status_code, message).body, error.status_code, error.headers)


async def _bug(_: Request, error: Exception) -> Response:
    # Starlette raises the error again after this reply, so that its trace reaches the log.
    return JSONResponse(failed(RuntimeError(f"the engine failed unexpectedly: {error}")).body, 500)
