"""The client for the engine in the box: an `OpenAIClient` on the daemon's socket that keeps the daemon up.

Nothing is started or waited for before the first `stream`, so that a run's first event does not wait for a model to load. When the
daemon dies in the middle of an answer, the stream says `Restarted`, the daemon is started again and the request is made again; after
a few such deaths the error says what the daemon last wrote.
What this module does not do: hold a model itself; kimicode never loads one into its own process.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

import httpx
import msgspec

from kimicode.errors import TemporaryError, UnavailableError
from kimicode.model.client import Delta, ModelInfo, ModelRequest
from kimicode.model.daemon import EngineDaemon
from kimicode.model.openai import OpenAIClient
from kimicode.model.patience import Patience
from kimicode.model.progress import OnProgress, nobody
from kimicode.model.target import Target


class EmbeddedClient:
    """A `ModelClient` for a target with a model file."""

    def __init__(
        self,
        target: Target,
        daemon: EngineDaemon,
        *,
        patience: Patience | None = None,
        on_notice: Callable[[str], None] | None = None,
        on_progress: OnProgress = nobody,
    ) -> None:
        self._target = target
        self._daemon = daemon
        # A local daemon comes back at once or not at all.
        self._patience = replace(patience or Patience(), attempts=4, connect_attempts=4, longest_delay=2.0)
        self._on_notice = on_notice or (lambda _text: None)
        self._on_progress = on_progress
        self._client: OpenAIClient | None = None
        self._context: int | None = None

    @property
    def info(self) -> ModelInfo:
        """What the model file's head says; once the daemon is up, with the context that it really serves."""
        return msgspec.structs.replace(self._target.info, context=self._context or self._target.context)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """See `ModelClient.stream`. Raises `UsageError` where the daemon refuses the model file."""
        try:
            async with aclosing(self._inner().stream(request)) as deltas:
                async for delta in deltas:
                    yield delta
        except TemporaryError as error:
            tail = self._daemon.log_tail()
            raise UnavailableError(
                f"the engine keeps failing: {error.message}\n{tail}", hint=f"Its log is {self._daemon.paths.log}."
            ) from error

    async def aclose(self) -> None:
        """Close the connections; the daemon stays for others until it is idle."""
        if self._client is not None:
            await self._client.aclose()

    def _inner(self) -> OpenAIClient:
        if self._client is None:
            transport = httpx.AsyncHTTPTransport(uds=str(self._daemon.paths.socket), verify=False)
            self._client = OpenAIClient(
                self._target,
                transport=transport,
                patience=self._patience,
                prepare=self._prepare,
                on_notice=self._on_notice,
                on_progress=self._on_progress,
            )
        return self._client

    async def _prepare(self) -> None:
        await self._daemon.ensure()
        if self._context is None:
            self._context = await self._daemon.served_context() or self._target.context
