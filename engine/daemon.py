"""The life of one engine process: check the file, listen, load, serve, end.

The socket answers (`loading`) while the model loads. The process ends on SIGTERM and SIGINT, after `idle_timeout` seconds in which nobody
wanted an answer, and when the model can't be loaded; it does not care who started it. llama.cpp aborts the process on a failed
assertion: whoever starts engines must be ready to start another. What this module does not do: detach itself (`engine.control`).
"""

import asyncio
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

import uvicorn

from engine import hits, read_rate, side_file
from engine.access import LOCAL_HOSTS
from engine.batch import Batcher
from engine.connection import DeadlineProtocol
from engine.devices import Kind, devices, gpu
from engine.errors import EngineError, ModelFileError
from engine.expert_cache import ExpertCache
from engine.gguf import ModelFile, inspect
from engine.layout import AS_EVER, Experts, ExpertWish, Layout
from engine.listen import tcp_listener, unix_listener
from engine.llama import KvType, Llama, OnLoad, Options
from engine.native.plugin import DEFAULT, Attention
from engine.outlook import Outlook, Wishes, outlook
from engine.parse import end_ids
from engine.parts import read_parts
from engine.places import Places, cache_folder
from engine.pool import Pool
from engine.server import Host, create_app
from engine.service import LoadedModel, Service
from engine.shapes import read
from engine.store import BlockStore, identity
from engine.survey import Looking, quick, remembered
from engine.tokenizer import Tokenizer, VocabularyError

DEFAULT_CONTEXT: Final = 131_072
"""Tokens of context unless asked otherwise, or the model's own limit if lower. 9 GB of cache for K2.6, whose limit is twice that."""

CONVERSATIONS: Final = 8
"""How many conversations of full length the cache has room for unless asked otherwise, where that is below `DEFAULT_CONTEXT` tokens."""

DEFAULT_PARALLEL: Final = 16
"""How many answers are written at a time unless asked otherwise; more wait."""

KEPT_SEQUENCES: Final = 48
"""How many conversations are kept in memory besides, while there is room. llama.cpp takes up to 256 sequences in all."""

MAX_PARALLEL: Final = 128

DEFAULT_DISK_GB: Final = 16.0
"""How large the saved cells of all models may grow on disk."""

REQUIRED_CONTROL: Final = (
    *("<|im_end|>", "<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>", "<think>", "</think>"),
    *("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    *("<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"),
)
"""Control tokens without which a conversation with tools can't be written."""

_OK: Final = 0


@dataclass(frozen=True)
class ServeOptions:
    """What to serve, where, and how.

    `socket` is a Unix socket; else `host` and `port`, with `token` as the password of its clients. `idle_timeout` is seconds, or never.
    `context` is the most tokens of one conversation, `cells` those of all together, `kv_type` how they are stored; what is None of these
    is planned for this machine. `attention` is who computes attention, `experts` who keeps routed experts; `experts_also` are folders with
    copies of the model's files on other drives. `parallel` answers are written at a time. `disk` is the folder of saved cells, of at most
    `disk_gb` GB; None saves none. `strict` takes only what the vendor's own API takes.
    """

    model: Path
    socket: Path | None = None
    port: int | None = None
    host: str = "127.0.0.1"
    token: str | None = None
    idle_timeout: float | None = None
    context: int | None = None
    cells: int | None = None
    parallel: int = DEFAULT_PARALLEL
    kv_type: KvType | None = None
    attention: Attention = DEFAULT
    experts: ExpertWish = AS_EVER
    experts_also: tuple[Path, ...] = ()
    threads: int | None = None
    disk: Path | None = None
    disk_gb: float = DEFAULT_DISK_GB
    strict: bool = False


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


def access_token(environ: Mapping[str, str]) -> str:
    """The password of a port's clients: `KIMICODE_ENGINE_TOKEN`, or one made now and shown on stderr."""
    if given := environ.get("KIMICODE_ENGINE_TOKEN"):
        return given
    token = secrets.token_urlsafe(24)
    print(f"Clients of this port need the token {token} (set KIMICODE_ENGINE_TOKEN to choose it).", file=sys.stderr, flush=True)  # noqa: T201
    return token


def disk_folder(environ: Mapping[str, str], limit_gb: float) -> Path | None:
    """Where cells are saved; None where `limit_gb` leaves no room for any."""
    return cache_folder(environ) if limit_gb > 0 else None


def expert_bytes(gib: float | None) -> int | None:
    """`--expert-memory` in bytes."""
    return None if gib is None else int(gib * (1 << 30))


def load(
    file: ModelFile, options: ServeOptions, stopping: threading.Event | None = None, on_load: OnLoad = lambda _done, _total: None
) -> tuple[Llama, LoadedModel]:
    """The model, loaded; close the first. Raises `ModelFileError`, `EngineError`. Blocks; `stopping` ends it early, from any thread, and
    `on_load` gets how far it is, in the thread of this call."""
    try:
        if wrong := read_parts(file.path).problem:
            raise ModelFileError(f"{file.path}: {wrong}")
        tokenizer = Tokenizer.from_gguf(file.path)
        for name in REQUIRED_CONTROL:
            tokenizer.control_id(name)
        loading, context = _llama_options(file, options)
        model = identity(file.path, version("llama-cpp-python"), loading.kv_type.name)
    except OSError as problem:
        raise ModelFileError(f"{file.path}: {problem.strerror or problem}") from None
    except VocabularyError as problem:
        raise ModelFileError(str(problem) if str(file.path) in str(problem) else f"{file.path}: {problem}") from problem
    if loading.experts is not None and loading.experts.side is None and (unused := side_file.unused(file.path)):
        print(f"experts are read from the model's own files: {unused}", file=sys.stderr, flush=True)  # noqa: T201
    store = _store(options, model)
    llama = Llama(file.path, loading, wanted=lambda: stopping is None or not stopping.is_set(), on_load=on_load)
    if llama.attention.reason:
        print(f"attention is llama.cpp's own, slow in long contexts: {llama.attention.reason}", file=sys.stderr, flush=True)  # noqa: T201
    if llama.unstored:
        print(f"llama.cpp maps experts, slow where memory can't hold all: {llama.unstored}", file=sys.stderr, flush=True)  # noqa: T201
    context = min(context, llama.cells)
    batcher = Batcher(llama, Pool(llama, store), context=context, ends=end_ids(tokenizer), parallel=options.parallel)
    return llama, LoadedModel(file, tokenizer, batcher, context, llama.vocabulary, store, llama.attention, llama.expert_state)


def _store(options: ServeOptions, model: bytes) -> BlockStore | None:
    """The cells on disk; without them the engine is slower, so a folder that can't be used is said and no failure."""
    if options.disk is None:
        return None
    try:
        return BlockStore(options.disk, int(options.disk_gb * 1e9), model)
    except EngineError as problem:
        print(f"nothing is saved on disk: {problem}", file=sys.stderr, flush=True)  # noqa: T201
        return None


def _llama_options(file: ModelFile, options: ServeOptions) -> tuple[Options, int]:
    """How to load the model, and the most tokens of one conversation: what was asked for, and for the rest what the planner says."""
    planned = _outlook(file, options)
    placement = planned.layout.placement
    kind = options.kv_type or KvType[placement.kv_type.upper()]
    context = min(file.context, options.context or min(DEFAULT_CONTEXT, placement.context))
    # The planner knows no context longer than the model's: only a shorter one says that memory is scarce.
    longest = planned.longest.get(placement.kv_type, 0)
    room = longest if longest < file.context else DEFAULT_CONTEXT
    cells = options.cells or min(CONVERSATIONS * context, DEFAULT_CONTEXT, room)
    loading = Options(
        cells=max(cells, context),
        batch=placement.batch,
        sequences=options.parallel + KEPT_SEQUENCES,
        threads=options.threads,
        kv_type=kind,
        placement=placement,
        attention=options.attention,
        experts=_experts(file, options, planned.layout),
    )
    return loading, context


def _experts(file: ModelFile, options: ServeOptions, layout: Layout) -> ExpertCache | None:
    """The store of routed experts: where it was planned, and where it was asked for, so that its absence has a reason."""
    planned, required = layout.placement.expert_memory, options.experts.who is Experts.STORE
    if planned is None and not required:
        return None
    side = side_file.find(file.path)
    if side is not None and not all((folder / side.name).exists() for folder in options.experts_also):
        # Every drive must have all that is read.
        side = None
    room = planned or options.experts.most or max(1, layout.ram.experts)
    return ExpertCache(room, options.experts_also, side, required, read_rate.recall(remembered(), file.path.parent))


def _outlook(file: ModelFile, options: ServeOptions) -> Outlook:
    """What `kimicode models plan` would say, by what is known of this machine without measuring."""
    shape, known = read(file.path), remembered()
    machine = quick(file.path, file.path.parent, known, Looking(options.attention))
    gpus = tuple(gpu(device) for device in devices() if device.kind in (Kind.GPU, Kind.IGPU))
    kind: Literal["f16", "q8_0"] | None = None
    if options.kv_type is not None:
        kind = "q8_0" if options.kv_type is KvType.Q8_0 else "f16"
    machine = replace(machine, gpus=gpus, hits=hits.recall(known, shape))
    return outlook(shape, machine, Wishes(options.context, kind, options.experts))


def _listener(options: ServeOptions, file: ModelFile) -> AbstractContextManager[socket.socket]:
    if options.socket is not None:
        return unix_listener(Places(options.socket.absolute()), file.path)
    return tcp_listener(options.port or 0, options.host)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


class _Process:
    def __init__(self, options: ServeOptions, file: ModelFile) -> None:
        self._options = options
        self._file = file
        self._host = Host(file.name)
        self._stopping = threading.Event()
        self._llama: Llama | None = None
        local_only = options.socket is None and _in_url(options.host) in LOCAL_HOSTS
        app = create_app(self._host, local_only=local_only, token=options.token, strict=options.strict)
        # One second of grace: an answer may run for an hour, and its client knows what a broken stream is.
        config = uvicorn.Config(
            app, http=DeadlineProtocol, log_config=None, access_log=False, lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)

    async def run(self, listener: socket.socket) -> None:
        """Serve on `listener` until a signal, idleness or a failed load. Raises what the load raised."""
        # uvicorn takes these signals while it serves, and gives them back to these handlers when it has ended.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._options.socket is None:
            print(f"http://{_in_url(self._options.host)}:{listener.getsockname()[1]}/v1", flush=True)  # noqa: T201
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

    def _on_failure(self, error: EngineError) -> None:
        print(error, file=sys.stderr, flush=True)  # noqa: T201
        self._server.should_exit = True

    async def _load(self) -> None:
        try:
            self._llama, model = await asyncio.to_thread(load, self._file, self._options, self._stopping, self._host.read)
            self._host.service = Service(model, self._on_failure)
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
