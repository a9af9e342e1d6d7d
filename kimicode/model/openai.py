"""The client for every OpenAI-compatible endpoint, over TCP or a Unix socket.

All I/O goes through one seam, httpx's transport. A failed attempt that may succeed later is made again, after `Restarted` has said
so; the errors that are raised, and what each means, stand in `faults`. Proxies are taken from the environment as httpx does;
redirects are never followed, since the key would go with them; the key is never part of a message.
What this module does not do: choose an endpoint, read the environment, or start a server.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Protocol, cast

import httpx

from kimicode.errors import ContractError, KimicodeError, TemporaryError, UnavailableError, UsageError
from kimicode.messages import Assistant
from kimicode.model.client import Delta, ModelInfo, ModelRequest, Restarted
from kimicode.model.faults import fault
from kimicode.model.patience import Patience
from kimicode.model.progress import Meter, OnProgress, nobody
from kimicode.model.sse import SseDecoder, SseOverflowError
from kimicode.model.stream import Assembly, EmptyAnswerError
from kimicode.model.target import Target
from kimicode.model.wire import call_count, request_body

_LONGEST_BODY = 64 << 20


class ConnectFailedError(TemporaryError):
    """Nothing answered at the endpoint's address, or what answered is no API."""


class Prepare(Protocol):
    """Something to do before each attempt, such as starting a server. Raises an error of the tree to end the attempts."""

    def __call__(self) -> Awaitable[None]:
        """Do it."""
        ...


async def _nothing() -> None:
    return


def _ignore(_text: str) -> None:
    return


class OpenAIClient:
    """A `ModelClient` for one target. `on_notice` gets sentences for the user, each once; `on_progress` how far the server is with reading
    a prompt, where it says so."""

    def __init__(
        self,
        target: Target,
        *,
        key: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
        prepare: Prepare = _nothing,
        on_notice: Callable[[str], None] = _ignore,
        on_progress: OnProgress = nobody,
    ) -> None:
        self._target = target
        self._key = key
        self._transport = transport
        self._patience = patience or Patience()
        self._prepare = prepare
        self._on_notice = on_notice
        self._meter = Meter("prefill", on_progress)
        self._noticed: set[str] = set()
        self._reasoning_field: str | None = None
        self._http: httpx.AsyncClient | None = None

    @property
    def info(self) -> ModelInfo:
        """What the target says."""
        return self._target.info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """Ask once, with as many attempts as patience allows. See `ModelClient.stream`."""
        attempt = 0
        while True:
            attempt += 1
            try:
                async with contextlib.aclosing(self._attempt(request)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except TemporaryError as error:
                delay = self._next_delay(attempt, error)
                reason = f"{error.message}; trying again in {delay:.1f} s ({attempt + 1} of {self._limit(error)})"
            yield Restarted(reason)
            await self._patience.sleep(delay)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _next_delay(self, attempt: int, error: TemporaryError) -> float:
        """Seconds until the next attempt; raises the final error where there is none."""
        delay = self._patience.delay(attempt, error.retry_after) if attempt < self._limit(error) else None
        if delay is not None:
            return delay
        match error:
            case EmptyAnswerError():
                raise ContractError(f"{error.message}, {attempt} times in a row", hint=error.hint) from error
            case ConnectFailedError():
                raise UnavailableError(error.message, hint=error.hint) from error
            case _:
                raise error

    def _limit(self, error: TemporaryError) -> int:
        """How many attempts there are where one ends like this."""
        match error:
            case EmptyAnswerError():
                return min(self._patience.empty_attempts, self._patience.attempts)
            case ConnectFailedError():
                return min(self._patience.connect_attempts, self._patience.attempts)
            case _:
                return self._patience.attempts

    async def _attempt(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        await self._prepare()
        body = request_body(request, self._target, reasoning_field=self._reasoning_field)
        self._notify(body.notices)
        taken = [call.id for message in request.messages if isinstance(message, Assistant) for call in message.tool_calls]
        assembly = Assembly(self._target, taken=taken, first_index=call_count(request.messages), on_prompt=self._meter.see)
        with contextlib.ExitStack() as leaving:
            leaving.callback(self._meter.end)
            leaving.enter_context(_as_errors(self._target, assembly))
            async with self._client().stream("POST", "chat/completions", content=body.content) as response:
                if not response.is_success:
                    raise await self._refusal(response)
                if response.headers.get("content-type", "").startswith("text/html"):
                    raise ConnectFailedError(
                        f"{self._target.endpoint} answers with a web page, not as an API",
                        hint=f"Is {self._target.base_url} the API's base URL (it often ends with /v1), or does a proxy ask to sign in?",
                    )
                async with contextlib.aclosing(self._payloads(response, assembly)) as payloads:
                    async for payload in payloads:
                        for delta in assembly.feed(payload):
                            self._meter.end()
                            yield delta
        # The name is learned, so that thoughts go back under the name they came with.
        if assembly.reasoning_field in ("reasoning_content", "reasoning"):
            self._reasoning_field = assembly.reasoning_field
        yield assembly.finish()

    async def _payloads(self, response: httpx.Response, assembly: Assembly) -> AsyncGenerator[bytes, None]:
        """The events of the answer, until it is done; with a whole completion instead of a stream, that one."""
        if response.headers.get("content-type", "").startswith("application/json"):
            yield await _read(response)
            return
        decoder = SseDecoder()
        async with contextlib.aclosing(_chunks(response)) as chunks:
            while not assembly.done:
                # Once the answer is whole only usage can follow; a server that keeps the line open must not hold the run up.
                async with asyncio.timeout(self._patience.grace if assembly.complete else None):
                    chunk = await anext(chunks, None)
                for payload in decoder.flush() if chunk is None else decoder.feed(chunk):
                    yield payload
                if chunk is None:
                    return

    async def _refusal(self, response: httpx.Response) -> KimicodeError:
        error = fault(self._target, response.status_code, await _read(response), response.headers, now=self._patience.wall_clock())
        if self._key and self._key in error.message:
            error.message = error.message.replace(self._key, "…")
        return error

    def _client(self) -> httpx.AsyncClient:
        """Made at the first request: loading certificates takes longer than a run's first event may."""
        if self._http is None:
            patience, target = self._patience, self._target
            idle = target.accepts.idle_seconds if patience.idle is None else patience.idle
            # A compressed stream would come in blocks, late.
            headers = {
                "Content-Type": "application/json",
                "Accept": "text/event-stream",
                "Accept-Encoding": "identity",
                "User-Agent": "kimicode",
            }
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            try:
                self._http = httpx.AsyncClient(
                    base_url=target.base_url,
                    headers=headers,
                    transport=self._transport,
                    timeout=httpx.Timeout(connect=patience.connect, read=idle, write=idle, pool=None),
                    follow_redirects=False,
                )
            except (httpx.InvalidURL, ValueError) as error:
                raise UsageError(f"{target.base_url} is no usable address: {error}", hint="Write --endpoint http://HOST:PORT/v1") from None
        return self._http

    def _notify(self, notices: tuple[str, ...]) -> None:
        for notice in notices:
            if notice not in self._noticed:
                self._noticed.add(notice)
                self._on_notice(notice)


def _chunks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    # httpx promises an iterator and returns a generator, which has to be closed where it is left early.
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


async def _read(response: httpx.Response) -> bytes:
    """The whole body, up to the longest one that makes sense."""
    body = bytearray()
    async with contextlib.aclosing(_chunks(response)) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > _LONGEST_BODY:
                break
    return bytes(body)


@contextlib.contextmanager
def _as_errors(target: Target, assembly: Assembly) -> Iterator[None]:
    """Turns httpx's errors into ours, at this one border. What breaks after the answer is whole is no error."""
    place = target.endpoint
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError(f"{target.base_url} is no usable address: {error}", hint="Write --endpoint http://HOST:PORT/v1") from None
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        where = target.socket or target.base_url
        if "SSL" in str(error) or "certificate" in str(error).lower():
            raise ConnectFailedError(
                f"{place}: no secure connection to {where} ({error})",
                hint="Is it https at all? Where a proxy or your own server signs its certificates itself, "
                "SSL_CERT_FILE names a file with those to trust.",
            ) from None
        raise ConnectFailedError(
            f"{place}: nothing answers at {where} ({str(error) or 'timeout'})",
            hint="Is the server running, and the address right? See --endpoint.",
        ) from None
    except (httpx.TransportError, httpx.DecodingError, TimeoutError, SseOverflowError) as error:
        if assembly.complete:
            return
        what = "was silent for too long" if isinstance(error, httpx.ReadTimeout) else "broke off"
        raise TemporaryError(f"{place}: the connection {what} ({type(error).__name__})", hint="Try again.") from None
