"""The only module that touches llama.cpp's C API: one model, one key-value cache that many sequences of token ids share.

Token ids in, logits out; which sequence holds what at which position is the caller's business (`engine.batch`). The cache is one pool of
cells: a cell that two sequences share exists once. llama.cpp's log goes to a short memory instead of stderr, so that a refused file has
a reason. What this module does not do: look at the file first (`engine.gguf` does, because llama.cpp aborts the process on some bad
ones), tokenise, or sample. Nothing here is thread-safe: use one thread.
"""

import ctypes
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, NamedTuple, assert_never

import numpy as np
from numpy.typing import NDArray

# How often a thread looks before it sleeps while it waits for another one; OpenMP reads it when it is loaded, which is now. Measured with
# kimi-nano on 2 threads, 8 sequences a step: 1.8 ms with this, 11 ms where threads sleep at once; where they spin without end, seconds
# on a machine that others keep busy.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import llama_cpp.llama_cpp as api

from engine.devices import Kind, devices
from engine.errors import DecodeError, EngineError, ModelFileError
from engine.expert_cache import ExpertCache, ExpertState
from engine.expert_loading import Kept, bytes_read, leaves, load_around, open_store
from engine.llama_log import Log
from engine.machine import Memory, memory, numa_nodes
from engine.native.build import TARGET
from engine.native.plugin import DEFAULT, STOCK, Attention, Loaded, load
from engine.native.store import Store
from engine.parts import read_parts
from engine.placement import Placement, apply, overrides

Logits = NDArray[np.float32]

SMALL_MODEL: Final = 128 * 1024 * 1024
"""Bytes under which a model file is too small for more than one thread."""

LARGE_BATCH: Final = 32
"""Tokens of a batch that is large enough to be worth several threads with a small model."""

SMALL_MODEL_THREADS: Final = 4
"""How many threads a small model's batches may use."""

_INVALID: Final = -1
"""llama.cpp's status of a batch that it can't compute as it is; what is below failed in a computation."""

OnLoad = Callable[[int, int], None]
"""Gets how many bytes of weights llama.cpp has read so far, and how many it will read; the experts of a store are not among them."""

_AS_IT_LIKES: Final = -1
_NEVER: Final = 0
_ALWAYS: Final = 1


class KvType(Enum):
    """How a cell of the key-value cache is stored. Values are ggml's type numbers."""

    F32 = 0
    F16 = 1
    Q8_0 = 8


class Entry(NamedTuple):
    """One token of a batch: where it stands in which sequence, and whether the scores after it are wanted."""

    token: int
    position: int
    sequence: int
    wanted: bool


@dataclass(frozen=True)
class Options:
    """How to run a model. `cells` is the pool's size in tokens, `batch` the most tokens of one `decode`, `sequences` the most sequences
    at a time, numbered from 0. `threads` defaults to `default_threads`. `attention` is a wish; `Llama.attention` says what came of it.
    `experts` is one too, `Llama.experts` says what came of it: without, llama.cpp maps them with the rest of the file."""

    cells: int
    batch: int = 512
    sequences: int = 1
    threads: int | None = None
    kv_type: KvType = KvType.F16
    placement: Placement | None = None
    attention: Attention = DEFAULT
    experts: ExpertCache | None = None


def attention_kernel(wish: Attention, path: Path = TARGET, *, experts: bool = False) -> Loaded:
    """Load our native library into this process's llama.cpp, once; see `engine.native.plugin.load`."""
    # llama.cpp's log is silenced first.
    _library()
    return load(wish, path, experts=experts)


def default_threads(size: int) -> int:
    """How many threads to compute with for a model file of `size` bytes: all CPUs this process may use, or one for a small model.

    A small model's threads mostly wait for each other: with 12 million parameters on 2 CPUs, 1.3 ms a token on one thread, 2.8 ms on two
    that sleep while they wait.
    """
    return 1 if size < SMALL_MODEL else len(os.sched_getaffinity(0))


def batch_threads(size: int) -> int:
    """The same for batches of `LARGE_BATCH` tokens or more, which have work for several threads even with a small model.

    Measured with kimi-nano on 2 CPUs: a prompt of 4,000 tokens takes 4.3 s on one thread and 2.0 s on two; steps of eight tokens are as
    fast on one where the CPUs are free, and twice as fast where others use them.
    """
    cpus = len(os.sched_getaffinity(0))
    return min(cpus, SMALL_MODEL_THREADS) if size < SMALL_MODEL else cpus


def _library() -> Log:
    """Start llama.cpp once a process, and take over its log, which somebody else may have taken since."""
    log = _started()
    log.take()
    return log


@functools.cache
def _started() -> Log:
    log = Log()
    # A failed assertion would otherwise start a debugger on this process to print its stack.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    log.take()
    api.llama_backend_init()
    if numa_nodes() > 1 and len(os.sched_getaffinity(0)) == os.cpu_count():
        # Threads are spread over the nodes and stay there. Where this process has only some CPUs, whoever gave it those placed it.
        api.llama_numa_init(api.GGML_NUMA_STRATEGY_DISTRIBUTE)
    return log


class Llama:
    """A model file loaded, with a key-value cache that many sequences share. Close it, or use it as a context manager.

    `cells`, `batch` and `sequences` are what there really is; `vocabulary` is the number of scores; `attention` says which kernel computes
    attention; `experts` is the store of routed experts, and where there is none, in spite of the wish, `unstored` says why, and what to do.
    Without a store all weights are mapped. `wanted` is asked while loading, a few hundred times; once it answers False loading stops.
    `on_load` is told as often how far that is, in the thread that loads. `look` tells the machine's memory, to which a store's size is
    fitted while batches run.
    Raises `ModelFileError` where llama.cpp refuses the file or it can't be read, and `EngineError` where it can't make the context
    (memory), loading was stopped, a store that is required can't be, or another model in this process has another `attention`.
    """

    def __init__(
        self,
        path: Path,
        options: Options,
        wanted: Callable[[], bool] = lambda: True,
        look: Callable[[], Memory] = memory,
        on_load: OnLoad = lambda _done, _total: None,
    ) -> None:
        self._context: int | None = None
        self._model: int | None = None
        self._log = _library()
        self.unstored = ""
        self.attention, loaded = _attention(options)
        self._kept = self._keep(path, options, loaded, look)
        try:
            self._model = self._load(path, options.placement, wanted, on_load)
            self._context = self._open(path, options)
        except BaseException:
            self.close()
            raise
        self._memory = api.llama_get_memory(self._context)
        self._batch = api.llama_batch_init(options.batch, 0, 1)
        self.batch = options.batch
        self.sequences = options.sequences
        self.cells = int(api.llama_n_ctx(self._context))
        self.vocabulary = int(api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model)))
        self._scratch = options.sequences

    @property
    def experts(self) -> Store | None:
        """The store of routed experts."""
        return self._kept.store if self._kept is not None else None

    def expert_state(self) -> ExpertState | None:
        """The store's numbers now. Any thread."""
        return self._kept.state() if self._kept is not None else None

    def __enter__(self) -> "Llama":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, entries: Sequence[Entry]) -> None:
        """Run 1 to `batch` tokens, each behind its sequence. Raises `DecodeError`: what of them is in the cache is then unknown."""
        batch = self._batch
        batch.n_tokens = len(entries)
        for index, (token, position, sequence, wanted) in enumerate(entries):
            batch.token[index] = token
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = wanted
        threads = self._batch_threads if len(entries) >= LARGE_BATCH else self._threads
        api.llama_set_n_threads(self._context, threads, threads)
        if self._kept is not None:
            self._kept.keeper.check()
        self._log.clear()
        if (status := api.llama_decode(self._context, batch)) != 0:
            raise DecodeError(f"llama.cpp failed on a batch of {len(entries)} tokens (status {status}): {self._failure(status)}")

    def _failure(self, status: int) -> str:
        """Why a batch failed: what the store says where a computation did, else what llama.cpp says."""
        said = self._kept.store.error() if self._kept is not None and status < _INVALID else ""
        return said or self._log.reason()

    def logits(self, row: int) -> Logits:
        """The scores of the token that follows entry `row` of the last batch, shape (vocabulary,): llama.cpp's own memory, writable, valid
        until the next `decode`. The entry must have been `wanted`."""
        pointer = api.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary,))

    def copy(self, source: int, target: int, start: int, end: int) -> None:
        """Let `target` hold positions `start` to `end` of `source` too. Nothing is copied in memory: the cells get a second owner."""
        api.llama_memory_seq_cp(self._memory, source, target, start, end)

    def forget(self, sequence: int, start: int = 0) -> None:
        """Drop positions `start` and later of a sequence; cells that nobody else holds are free then."""
        # Only a part of a recurrent state can't be dropped, and K2 has none.
        api.llama_memory_seq_rm(self._memory, sequence, start, -1)

    def save(self, sequence: int, start: int, end: int) -> bytes:
        """The cells of positions `start` to `end`, for `restore`."""
        self.copy(sequence, self._scratch, start, end)
        try:
            size = int(api.llama_state_seq_get_size(self._context, self._scratch))
            data = (ctypes.c_uint8 * size)()
            written = int(api.llama_state_seq_get_data(self._context, data, size, self._scratch))
            return bytes(memoryview(data)[:written])
        finally:
            self.forget(self._scratch)

    def restore(self, sequence: int, data: bytes, start: int, end: int) -> None:
        """Give a sequence cells that `save` returned: those of positions `start` to `end`. Raises `DecodeError` where they don't fit."""
        self._log.clear()
        buffer = (ctypes.c_uint8 * len(data)).from_buffer_copy(data)
        taken = int(api.llama_state_seq_set_data(self._context, buffer, len(data), self._scratch))
        if taken == len(data):
            self.copy(self._scratch, sequence, start, end)
        self.forget(self._scratch)
        if taken != len(data):
            raise DecodeError(f"llama.cpp took {taken} of {len(data)} bytes of saved cells: {self._log.reason()}")

    def close(self) -> None:
        """Free everything; a second call does nothing."""
        if self._context is not None:
            api.llama_batch_free(self._batch)
            api.llama_free(self._context)
            self._context = None
        if self._model is not None:
            api.llama_model_free(self._model)
            self._model = None
        if self._kept is not None:
            self._kept.store.close()
            self._kept = None

    def _keep(self, path: Path, options: Options, loaded: Loaded, look: Callable[[], Memory]) -> Kept | None:
        """The store of experts, opened before the model is loaded: only then llama.cpp's devices take their computations."""
        if options.experts is None:
            return None
        try:
            return open_store(read_parts(path), options.experts, overrides(options.placement, stored=True), loaded, look)
        except ModelFileError:
            raise
        except EngineError as reason:
            if options.experts.required:
                raise EngineError(f"{path}: its experts can't be kept in a store: {reason}") from None
            self.unstored = str(reason)
            return None

    def _load(self, path: Path, placement: Placement | None, wanted: Callable[[], bool], on_load: OnLoad) -> int:
        parameters = api.llama_model_default_params()
        # What the parameters point to must live as long as the call that uses them: the overrides, and the callback.
        overriding = apply(parameters, placement, stored=self._kept is not None)
        stored = overrides(placement, stored=True) if self._kept is not None else ()
        total = bytes_read(path, stored)

        def told(share: float, _data: object) -> bool:
            on_load(int(min(max(share, 0.0), 1.0) * total), total)
            return wanted()

        progress = api.llama_progress_callback(told)
        parameters.progress_callback = progress
        self._log.clear()
        model: int | None
        if self._kept is None:
            parameters.use_extra_bufts = _fits(path)
            model = api.llama_model_load_from_file(os.fsencode(path), parameters)
        else:
            model = load_around(read_parts(path), parameters, lambda name: leaves(name, stored))
        del overriding
        if model is None and not wanted():
            raise EngineError(f"{path}: loading was stopped")
        if model is None:
            raise ModelFileError(f"{path}: llama.cpp can't load this model: {self._log.reason()}")
        if self._kept is not None:
            self._kept.store.seal()
            self._kept.store.warm()
        return model

    def _open(self, path: Path, options: Options) -> int:
        parameters = api.llama_context_default_params()
        size = read_parts(path).size
        parameters.n_ctx = options.cells
        parameters.n_batch = parameters.n_ubatch = options.batch
        # One more than asked for: `save` and `restore` need one.
        parameters.n_seq_max = options.sequences + 1
        parameters.kv_unified = True
        self._threads = options.threads or default_threads(size)
        self._batch_threads = options.threads or batch_threads(size)
        parameters.n_threads = parameters.n_threads_batch = self._threads
        # K2 has no separate values, but llama.cpp wants both of one type, and attention in one pass where they are quantised.
        parameters.type_k = parameters.type_v = options.kv_type.value
        parameters.flash_attn_type = self._one_pass(options.kv_type)
        self._log.clear()
        context: int | None = api.llama_init_from_model(self._model, parameters)
        if context is None:
            raise EngineError(
                f"{path}: no cache of {options.cells} tokens could be made: {self._log.reason()}; try less --context",
            )
        return context

    def _one_pass(self, kv_type: KvType) -> int:
        """llama.cpp's number for: attention in one pass, or not, or as it likes."""
        match kv_type:
            case KvType.F32:
                # It works in half precision where it can, which is not what exact cells are asked for.
                return _NEVER
            case KvType.F16:
                # As it likes would be never, because our kernels are not on the device that it expects.
                return _ALWAYS if self.attention.kernel else _AS_IT_LIKES
            case KvType.Q8_0:
                return _ALWAYS
            case _:
                assert_never(kv_type)


def _fits(path: Path) -> bool:
    """Whether there is room for weights in another order, which is quicker: those are copies, and no longer the file's pages."""
    try:
        return read_parts(path).size <= memory().available
    except ModelFileError:
        # llama.cpp will say what is wrong.
        return True


def _attention(options: Options) -> tuple[Loaded, Loaded]:
    """What computes attention for `options`: llama.cpp itself where cells are exact, and where a GPU may hold layers, because our kernels
    work in memory. And what came of loading the native library, which experts may want all the same."""
    # Without a placement llama.cpp puts all it can on a GPU.
    movable = options.placement is None or options.placement.gpu_layers > 0
    elsewhere = movable and any(device.kind in (Kind.GPU, Kind.IGPU) for device in devices())
    stock = elsewhere or options.kv_type is KvType.F32
    if stock and options.experts is None:
        return STOCK, STOCK
    # Exact cells never ask the kernel, so the process may keep its wish.
    loaded = attention_kernel(Attention.STOCK if elsewhere else options.attention, experts=options.experts is not None)
    return STOCK if stock else loaded, loaded
