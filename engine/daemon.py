"""The life of one engine process: check the file, listen, load, serve, end.

The socket answers (`loading`) while the model loads. The process ends on SIGTERM and SIGINT, after `idle_timeout` seconds in which nobody
wanted an answer, and when the model can't be loaded; it does not care who started it. llama.cpp aborts the process on a failed
assertion: whoever starts engines must be ready to start another. What this module does not do: detach itself (`engine.control`).
"""

import asyncio
import signal
import socket
import sys
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvicorn

from engine.errors import EngineError, ModelFileError
from engine.generate import SequenceCache
from engine.gguf import ModelFile, inspect
from engine.listen import tcp_listener, unix_listener
from engine.llama import Llama, Options
from engine.places import Places
from engine.server import Host, create_app
from engine.service import LoadedModel, Service
from engine.tokenizer import Tokenizer, VocabularyError

DEFAULT_CONTEXT: Final = 131_072
"""Tokens of context unless asked otherwise, or the model's own limit if lower. 9 GB of cache for K2.6, whose limit is twice that."""

REQUIRED_CONTROL: Final = (
    *("<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>", "<think>", "</think>"),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    *("<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"),
)
"""Control tokens without which a conversation with tools can't be written."""

_OK: Final = 0


@dataclass(frozen=True)
class ServeOptions:
    """What to serve and where: a Unix socket or a loopback TCP port. `idle_timeout` is seconds, None for ever."""

    model: Path
    socket: Path | None = None
    port: int | None = None
    idle_timeout: float | None = None
    context: int | None = None
    threads: int | None = None


def serve(options: ServeOptions) -> int:
    """Serve until the end; the exit code. Failures are one line on stderr."""
    try:
        file = inspect(options.model)
        with _listener(options, file) as listener:
            asyncio.run(_Process(options, file).run(listener))
    except EngineError as error:
        print(" ".join(str(error).split()), file=sys.stderr)  # noqa: T201
        return error.exit_code
    except MemoryError:
        print(f"{options.model}: not enough memory; try a smaller --context", file=sys.stderr)  # noqa: T201
        return EngineError.exit_code
    return _OK


def load(file: ModelFile, options: Options, stopping: threading.Event | None = None) -> tuple[Llama, LoadedModel]:
    """The model, loaded; close the first. Raises `ModelFileError`, `EngineError`. Blocks; `stopping` ends it early, from any thread."""
    try:
        tokenizer = Tokenizer.from_gguf(file.path)
        for name in REQUIRED_CONTROL:
            tokenizer.control_id(name)
    except OSError as problem:
        raise ModelFileError(f"{file.path}: {problem.strerror or problem}") from None
    except VocabularyError as problem:
        raise ModelFileError(str(problem) if str(file.path) in str(problem) else f"{file.path}: {problem}") from problem
    llama = Llama(file.path, options, wanted=lambda: stopping is None or not stopping.is_set())
    return llama, LoadedModel(file, tokenizer, SequenceCache(llama), llama.context, llama.vocabulary)


def _listener(options: ServeOptions, file: ModelFile) -> AbstractContextManager[socket.socket]:
    if options.socket is not None:
        return unix_listener(Places(options.socket.absolute()), file.path)
    return tcp_listener(options.port or 0)


class _Process:
    def __init__(self, options: ServeOptions, file: ModelFile) -> None:
        self._options = options
        self._file = file
        self._host = Host()
        self._stopping = threading.Event()
        self._llama: Llama | None = None
        app = create_app(self._host, local_only=options.socket is None)
        # One second of grace: an answer may run for an hour, and its client knows what a broken stream is.
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)

    async def run(self, listener: socket.socket) -> None:
        """Serve on `listener` until a signal, idleness or a failed load. Raises what the load raised."""
        # uvicorn takes these signals while it serves, and gives them back to these handlers when it has ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._options.socket is None:
            print(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", flush=True)  # noqa: T201
        loading = asyncio.create_task(self._load())
        idling = asyncio.create_task(self._end_when_idle())
        try:
            await self._server.serve(sockets=[listener])
            told_to_end = not loading.done()
        finally:
            self._stopping.set()
            idling.cancel()
            await asyncio.wait((loading, idling))
            self._close()
        if not told_to_end:
            loading.result()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._server.should_exit = True

    async def _load(self) -> None:
        context = min(self._file.context, self._options.context or DEFAULT_CONTEXT)
        options = Options(context=context, threads=self._options.threads)
        try:
            self._llama, model = await asyncio.to_thread(load, self._file, options, self._stopping)
            self._host.service = Service(model)
        except BaseException:
            self._server.should_exit = True
            raise

    async def _end_when_idle(self) -> None:
        timeout = self._options.idle_timeout
        while timeout is not None:
            idle = self._host.service.idle_seconds() if self._host.service else 0.0
            if idle >= timeout:
                self._server.should_exit = True
                return
            await asyncio.sleep(max(timeout - idle, 0.01))

    def _close(self) -> None:
        if self._host.service is not None:
            self._host.service.close()
        if self._llama is not None:
            self._llama.close()
