"""Our native library in this process's llama.cpp: choose a kernel for attention, and let ggml load the library as one of its backends.

ggml's registry belongs to the process, and a backend must be in it before a model is loaded that uses it; so this happens once, after
llama.cpp was loaded. Where it can't, llama.cpp computes all itself, and a sentence says why and what to do: that is no error.
What this module does not do: build the library (`engine.native.build`), or tell a context to use attention in one pass
(`engine.llama`, without which the backend is never asked).
"""

import ctypes
import functools
import os
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, assert_never

from engine.devices import loaded
from engine.errors import EngineError
from engine.native.build import TARGET
from engine.native.library import Library


class Attention(Enum):
    """Who computes attention. Values are the names on the command line."""

    STOCK = "stock"
    """llama.cpp itself."""

    PRECISE = "precise"
    """The best kernel here that multiplies in 32 bits."""

    FAST = "fast"
    """The best kernel here."""


DEFAULT: Final = Attention.FAST
"""Unless asked otherwise: no further from llama.cpp's own attention than that is from itself with flash attention off
(`benchmarks/mla_quality.py`: perplexity within 0.01 %, 99.8 % of positions with the same greedy token, either way)."""

AUTO: Final = "auto"
"""`DEFAULT`'s name on the command line."""


@dataclass(frozen=True)
class Loaded:
    """What came of it. Without a `kernel` attention is llama.cpp's own, and `reason` says why, and what to do, in one line; it is empty
    where that was the wish. `missing` says the same of the whole library, without which experts can't be kept in a store either."""

    kernel: str | None
    reason: str
    missing: str = ""

    @property
    def name(self) -> str:
        """The kernel's, or `stock`."""
        return self.kernel or Attention.STOCK.value


STOCK: Final = Loaded(None, "")
"""llama.cpp's own attention, because that was the wish."""


def wish(name: str) -> Attention:
    """What is meant by a name on the command line: `AUTO`, or a value of `Attention`."""
    return DEFAULT if name == AUTO else Attention(name)


def load(attention: Attention, path: Path = TARGET, *, experts: bool = False) -> Loaded:
    """Put the library at `path` into llama.cpp, once a process; later calls get the first one's answer. With `experts` it is put there also
    where attention is to be llama.cpp's own. From one thread at a time, after llama_cpp was imported and before the first context that is
    to use it. Raises `EngineError` where an earlier call wished for other attention."""
    first = _first_wish()
    if not first:
        first.append(_Wish(attention, path))
    return first[0].come_true(attention, path, experts=experts)


class _Wish:
    """The process's first wish, and what came of it."""

    def __init__(self, attention: Attention, path: Path) -> None:
        self._attention = attention
        self._path = path
        self._loaded: Loaded | None = None
        self._tried = False

    def come_true(self, attention: Attention, path: Path, *, experts: bool) -> Loaded:
        if (attention, path) != (self._attention, self._path):
            was = self._attention.value
            raise EngineError(f"attention is {was} in this process and can't become {attention.value}: start another process")
        if self._loaded is None or (experts and not self._tried):
            self._tried = experts or attention is not Attention.STOCK
            self._loaded = _load(attention, path, experts=experts)
        return self._loaded


@functools.cache
def _first_wish() -> list[_Wish]:
    """The process's memory of it: empty, then one entry."""
    return []


def _load(attention: Attention, path: Path, *, experts: bool) -> Loaded:
    if attention is Attention.STOCK and not experts:
        return STOCK
    if not path.exists():
        return _without(attention, f"kimicode's kernels are not built: install a C++ compiler (Debian, Ubuntu: g++) and {_again()}")
    try:
        library = Library(path)
    except EngineError as error:
        return _without(attention, f"{error}; {_again()}")
    kernel = choose(library.kernels(), attention)
    if kernel is not None and not library.choose(kernel):
        kernel = None
    if refusal := _into_llama(library, path):
        return _without(attention, refusal)
    unable = kernel is None and attention is not Attention.STOCK
    return Loaded(kernel, f"{path}: no attention kernel runs on this processor; {_again()}" if unable else "")


def _without(attention: Attention, why: str) -> Loaded:
    return Loaded(None, "" if attention is Attention.STOCK else why, why)


def _into_llama(library: Library, path: Path) -> str:
    """Why the library can't be one of ggml's backends; empty where it is one now."""
    ggml = loaded()
    if ggml is None:
        return "llama.cpp's ggml was not found in this process; install kimicode again, which brings its llama.cpp"
    ggml.ggml_backend_load.argtypes, ggml.ggml_backend_load.restype = (ctypes.c_char_p,), ctypes.c_void_p
    if not ggml.ggml_backend_load(os.fsencode(path)):
        why = library.refusal() or "ggml did not take it"
        return f"{path}: {why}; install kimicode again, which brings its llama.cpp and builds for this processor"
    return ""


def choose(names: tuple[str, ...], attention: Attention) -> str | None:
    """The best of `names`, which begin with the best, that `attention` allows."""
    match attention:
        case Attention.FAST:
            return next(iter(names), None)
        case Attention.PRECISE:
            return next((name for name in names if name.endswith("-exact")), None)
        case Attention.STOCK:
            return None
        case _:
            assert_never(attention)


def _again() -> str:
    return f"build them with `{sys.executable} -m engine.native.build`"
