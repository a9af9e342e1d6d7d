"""The only module that touches llama.cpp's C API: one model, one context, one sequence of token ids.

Token ids in, logits out; positions are the caller's business (`engine.generate`). llama.cpp's log goes to a short memory instead of
stderr, so that a refused file has a reason. What this module does not do: look at the file first (`engine.gguf` does, because
llama.cpp aborts the process on some bad ones), tokenise, or sample. Nothing here is thread-safe: use one thread.
"""

import ctypes
import functools
import os
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import llama_cpp.llama_cpp as api
import numpy as np
from numpy.typing import NDArray

from engine.errors import DecodeError, EngineError, ModelFileError

Logits = NDArray[np.float32]

LOG_LINES: Final = 40
"""How many of llama.cpp's latest complaints are remembered: enough to hold the cause of a failed load."""

SMALL_MODEL: Final = 128 * 1024 * 1024
"""Bytes under which a model file is too small for more than one thread."""

_WARNING: Final = 3
_ERROR: Final = 4
_CONTINUED: Final = 5
_SEQUENCE: Final = 0


@dataclass(frozen=True)
class Options:
    """How to run a model. `context` and `batch` are tokens; `threads` defaults to `default_threads`."""

    context: int
    batch: int = 512
    threads: int | None = None


def default_threads(size: int) -> int:
    """How many threads to compute with for a model file of `size` bytes: all CPUs this process may use, or one for a small model.

    A small model's threads mostly wait for each other. Measured with 12 million parameters on 2 CPUs: 1.3 ms a token on one
    thread, 2.8 ms on two with threads that sleep while they wait, 3 s on two that spin where other programs kept the CPUs busy.
    """
    return 1 if size < SMALL_MODEL else len(os.sched_getaffinity(0))


class _Log:
    """llama.cpp's log callback, one for the process as in llama.cpp itself: keeps the latest warnings and errors."""

    def __init__(self) -> None:
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self._loud = False
        self.callback = api.llama_log_callback(self._receive)

    def _receive(self, level: int, text: bytes, _data: object) -> None:
        if level != _CONTINUED:
            self._loud = level in (_WARNING, _ERROR)
        if self._loud and (line := text.decode("utf-8", "replace").strip()):
            self.lines.append(line)

    def reason(self) -> str:
        """The first complaint of the latest failure: later ones only say that what called it failed too."""
        return next((line.split(": ", 1)[-1] for line in self.lines), "llama.cpp gave no reason")


@functools.cache
def _library() -> _Log:
    """Start llama.cpp once a process and take over its log."""
    log = _Log()
    # A failed assertion would otherwise start a debugger on this process to print its stack.
    os.environ.setdefault("GGML_NO_BACKTRACE", "1")
    api.llama_log_set(log.callback, ctypes.c_void_p(0))
    api.llama_backend_init()
    return log


class Llama:
    """A model file loaded through mmap, with a key-value cache for one sequence. Close it, or use it as a context manager.

    `wanted` is asked while loading, a few hundred times; once it answers False loading stops. Raises `ModelFileError` where llama.cpp
    refuses the file and `EngineError` where it can't make the context (memory) or loading was stopped.
    """

    def __init__(self, path: Path, options: Options, wanted: Callable[[], bool] = lambda: True) -> None:
        self._context: int | None = None
        self._log = _library()
        self._model = self._load(path, wanted)
        try:
            self._context = self._open(path, options)
        except EngineError:
            self.close()
            raise
        self._memory = api.llama_get_memory(self._context)
        self._batch = api.llama_batch_init(options.batch, 0, 1)
        self.batch = options.batch
        self.context = int(api.llama_n_ctx(self._context))
        self.vocabulary = int(api.llama_vocab_n_tokens(api.llama_model_get_vocab(self._model)))

    def __enter__(self) -> "Llama":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, tokens: Sequence[int], start: int) -> None:
        """Run 1 to `batch` tokens at positions `start`, `start`+1, …; `logits` are then the last one's. Raises `DecodeError`."""
        batch = self._batch
        batch.n_tokens = len(tokens)
        for index, token in enumerate(tokens):
            batch.token[index] = token
            batch.pos[index] = start + index
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = _SEQUENCE
            batch.logits[index] = index == len(tokens) - 1
        self._log.lines.clear()
        if (status := api.llama_decode(self._context, batch)) != 0:
            raise DecodeError(f"llama.cpp failed on {len(tokens)} tokens at position {start} (status {status}): {self._log.reason()}")

    def logits(self) -> Logits:
        """The scores of the token that follows the last decoded one, shape (vocabulary,); a copy."""
        pointer = api.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.vocabulary,)).copy()

    def forget(self, start: int) -> None:
        """Drop positions `start` and later from the cache."""
        if not api.llama_memory_seq_rm(self._memory, _SEQUENCE, start, -1):
            api.llama_memory_clear(self._memory, False)
            raise DecodeError(f"llama.cpp could not cut its cache at position {start}; it is empty now")

    def close(self) -> None:
        """Free everything; a second call does nothing."""
        if self._context is not None:
            api.llama_batch_free(self._batch)
            api.llama_free(self._context)
            self._context = None
        if self._model is not None:
            api.llama_model_free(self._model)
            self._model = None

    def _load(self, path: Path, wanted: Callable[[], bool]) -> int | None:
        parameters = api.llama_model_default_params()
        # The callback object must live as long as the call that uses it.
        progress = api.llama_progress_callback(lambda _done, _data: wanted())
        parameters.progress_callback = progress
        self._log.lines.clear()
        model: int | None = api.llama_model_load_from_file(os.fsencode(path), parameters)
        if model is None and not wanted():
            raise EngineError(f"{path}: loading was stopped")
        if model is None:
            raise ModelFileError(f"{path}: llama.cpp can't load this model: {self._log.reason()}")
        return model

    def _open(self, path: Path, options: Options) -> int:
        parameters = api.llama_context_default_params()
        threads = options.threads or default_threads(path.stat().st_size)
        parameters.n_ctx = options.context
        parameters.n_batch = parameters.n_ubatch = options.batch
        parameters.n_seq_max = 1
        parameters.n_threads = parameters.n_threads_batch = threads
        self._log.lines.clear()
        context: int | None = api.llama_init_from_model(self._model, parameters)
        if context is None:
            raise EngineError(
                f"{path}: no context of {options.context} tokens could be made: {self._log.reason()}; try a smaller --context",
            )
        return context
