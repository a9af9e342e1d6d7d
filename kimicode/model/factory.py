"""From a target to a client, without loading the HTTP library before the first request: a run's first event must not wait for it.

What this module does not do: choose the target (`target.resolve`).
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from importlib import import_module
from typing import cast

from kimicode.model.client import Delta, ModelClient, ModelInfo, ModelRequest
from kimicode.model.patience import Patience
from kimicode.model.progress import OnProgress, nobody
from kimicode.model.target import Target


def make_client(
    target: Target,
    environ: Mapping[str, str],
    *,
    on_notice: Callable[[str], None] = lambda _text: None,
    on_progress: OnProgress = nobody,
    patience: Patience | None = None,
) -> ModelClient:
    """The client for `target`. `on_notice` gets sentences for the user: the engine starts, a tool was left out; `on_progress` how far
    the engine is with loading the model and reading the prompt, at most four times a second, in the thread of the stream."""

    def make() -> ModelClient:
        connect = import_module("kimicode.model.connect").connect
        return cast("ModelClient", connect(target, environ, on_notice, patience, on_progress))

    return DeferredClient(target.info, make)


class DeferredClient:
    """A `ModelClient` that is made at its first request and then steps aside."""

    def __init__(self, info: ModelInfo, make: Callable[[], ModelClient]) -> None:
        self._info = info
        self._make = make
        self._client: ModelClient | None = None
        self._making = threading.Lock()

    @property
    def info(self) -> ModelInfo:
        """What is known without asking; afterwards the client's own."""
        return self._client.info if self._client else self._info

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Delta, None]:
        """The client's stream."""
        # Loading httpx takes a tenth of a second, and a keyring as long as somebody needs to unlock it.
        client = await asyncio.to_thread(self._made) if self._client is None else self._client
        async with aclosing(cast("AsyncGenerator[Delta, None]", client.stream(request))) as deltas:
            async for delta in deltas:
                yield delta

    def _made(self) -> ModelClient:
        with self._making:
            if self._client is None:
                self._client = self._make()
            return self._client

    async def aclose(self) -> None:
        """Close the client if there ever was one."""
        if self._client is not None:
            await self._client.aclose()
