"""The native library's store of experts: some in memory, all in a model's files. And its cache policies alone, for measurements.

A process has one open store, which the backend uses too. What this module does not do: find experts in a model (`engine.expert_files`), or
decide how much memory they get (`engine.expert_cache`).
"""

import ctypes
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.expert_files import ExpertFiles
from engine.native.build import TARGET


class Policy(Enum):
    """Which expert goes when another one needs its place: the one unused for longest, the one used least, or least of late."""

    LRU = "lru"
    LFU = "lfu"
    LFRU = "lfru"


@dataclass(frozen=True)
class StoreOptions:
    """How a store reads: `piece` bytes at once, `depth` of them on the way for each copy (0: as usual), past the page cache (`direct`) and
    by io_uring (`uring`) where there are these."""

    policy: Policy = Policy.LFRU
    piece: int = 0
    depth: int = 0
    direct: bool = True
    uring: bool = True


@dataclass(frozen=True)
class StoreCounts:
    """A store's numbers since it was opened: `places` of `place_bytes` that it may use, how many hold an expert, and have
    memory; uses that found theirs
    there or did not; experts read because they were announced, and those of them that were used before they went; bytes and pieces read;
    pieces read twice, and reads that failed in spite of it; seconds in which computations had nothing to do but to wait, and in which
    something was being read; whether reads pass by the page cache, and by io_uring."""

    places: int
    place_bytes: int
    held: int
    made: int
    hits: int
    misses: int
    announced: int
    announced_used: int
    evictions: int
    bytes: int
    reads: int
    retries: int
    failures: int
    waited_seconds: float
    busy_seconds: float
    direct: bool
    uring: bool


_RANGE: Final = np.dtype([("file", np.int32), ("offset", np.uint64), ("bytes", np.uint64)], align=True)


class _Asked(ctypes.Structure):
    _fields_ = (
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("copies", ctypes.c_int),
        ("files", ctypes.c_int),
        ("ranges", ctypes.c_void_p),
        ("layers", ctypes.c_int),
        ("experts", ctypes.c_int),
        ("memory", ctypes.c_uint64),
        ("policy", ctypes.c_char_p),
        ("piece", ctypes.c_uint64),
        ("depth", ctypes.c_int),
        ("direct", ctypes.c_int),
        ("uring", ctypes.c_int),
    )


_SECONDS: Final = frozenset({"waited_seconds", "busy_seconds"})
_FLAGS: Final = frozenset({"direct", "uring"})


def _kind(name: str) -> type[ctypes.c_double | ctypes.c_int | ctypes.c_uint64]:
    return ctypes.c_double if name in _SECONDS else ctypes.c_int if name in _FLAGS else ctypes.c_uint64


class _Counts(ctypes.Structure):
    _fields_ = tuple((field.name, _kind(field.name)) for field in fields(StoreCounts))


class Store:
    """The process's store, open from now on: the experts of `files` in `memory` bytes. `copies`: the same files on other drives, to be read
    from too. Raises `EngineError` where there can't be one, with what is wrong."""

    def __init__(
        self,
        files: ExpertFiles,
        memory: int,
        *,
        copies: Sequence[Sequence[Path]] = (),
        options: StoreOptions = StoreOptions(),
        path: Path = TARGET,
    ) -> None:
        self._library = _loaded(path)
        self._files = files
        self._open = False
        asked, ranges = _asked(files, memory, copies, options), _ranges(files)
        asked.ranges = ranges.ctypes.data
        self._check(self._library.kimicode_store_open(ctypes.byref(asked)))
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close it, unless it is closed: memory goes back once no computation uses it any more."""
        if self._open:
            self._open = False
            self._library.kimicode_store_close()

    def resize(self, memory: int) -> None:
        """Use so many bytes from now on. Raises `EngineError` where that is too little to work with."""
        self._check(self._library.kimicode_store_resize(memory))

    def counts(self) -> StoreCounts:
        """Its numbers now. Any thread. Raises `EngineError` where it is closed."""
        found = _Counts()
        self._check(self._library.kimicode_store_counts_of(ctypes.byref(found)))
        values = {field.name: getattr(found, field.name) for field in fields(StoreCounts)}
        return StoreCounts(**{**values, **{name: bool(values[name]) for name in _FLAGS}})

    def fetch(self, layer: int, expert: int) -> NDArray[np.uint8]:
        """An expert's bytes, gate, up and down one behind the other, read if they must be. Raises `EngineError` where they can't be."""
        known = 0 <= layer < self._files.layers and 0 <= expert < self._files.experts
        out = np.empty(int(self._files.ranges[layer, expert, :, 2].sum()) if known else 0, np.uint8)
        self._check(self._library.kimicode_store_fetch(layer, expert, out.ctypes.data))
        return out

    def announce(self, layer: int, experts: Sequence[int]) -> None:
        """These will probably be wanted, the first of them most probably. Raises `EngineError` where there are no such experts."""
        self._check(self._library.kimicode_store_announce(layer, (ctypes.c_int * len(experts))(*experts), len(experts)))

    def warm(self) -> None:
        """Have memory for all its places provided when processors are idle: clearing pages takes time."""
        self._check(self._library.kimicode_store_warm())

    def seal(self) -> None:
        """After the model is loaded: what lies where its experts' weights would be can't be read any more."""
        self._library.kimicode_store_seal()

    def predict(self, on: bool) -> None:
        """Whether the backend announces experts of the next layer by its router."""
        self._library.kimicode_store_predict(int(on))

    def error(self) -> str:
        """Why this thread's last call, or the backend's last computation, failed; empty where none has."""
        return str(self._library.kimicode_experts_error().decode("utf-8", "replace"))

    def _check(self, status: int) -> None:
        if status:
            raise EngineError(self.error())


def simulate(policy: Policy, experts: int, places: int, trace: NDArray[np.int32], *, path: Path = TARGET) -> int:
    """How many uses of `trace` would have found their expert in memory, of (computations, experts used by each), with so many places and
    `experts` over all layers."""
    steps, used = trace.shape
    assert trace.flags.c_contiguous
    assert trace.dtype == np.int32
    assert not trace.size or 0 <= trace.min() <= trace.max() < experts
    return int(_loaded(path).kimicode_simulate(policy.value.encode(), experts, places, trace.ctypes.data, steps, used))


def _asked(files: ExpertFiles, memory: int, copies: Sequence[Sequence[Path]], options: StoreOptions) -> _Asked:
    """All but the ranges."""
    if any(len(copy) != len(files.files) for copy in copies):
        raise EngineError("a copy of the model has another number of files than the model")
    paths = [os.fsencode(path) for copy in (files.files, *copies) for path in copy]
    return _Asked(
        paths=(ctypes.c_char_p * len(paths))(*paths),
        copies=1 + len(copies),
        files=len(files.files),
        layers=files.layers,
        experts=files.experts,
        memory=memory,
        policy=options.policy.value.encode(),
        piece=options.piece,
        depth=options.depth,
        direct=int(options.direct),
        uring=int(options.uring),
    )


def _ranges(files: ExpertFiles) -> NDArray[np.void]:
    """As C has them."""
    rows = np.zeros(files.layers * files.experts * 3, _RANGE)
    for index, name in enumerate(("file", "offset", "bytes")):
        rows[name] = files.ranges[..., index].reshape(-1)
    return rows


def _loaded(path: Path) -> ctypes.CDLL:
    """Raises `EngineError` where the library can't be loaded, or has no store."""
    try:
        library = ctypes.CDLL(str(path))
        library.kimicode_store_open.argtypes = (ctypes.POINTER(_Asked),)
        library.kimicode_store_close.restype = None
        library.kimicode_store_resize.argtypes = (ctypes.c_uint64,)
        library.kimicode_store_counts_of.argtypes = (ctypes.POINTER(_Counts),)
        library.kimicode_store_fetch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
        library.kimicode_store_announce.argtypes = (ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.c_int)
        library.kimicode_experts_error.restype = ctypes.c_char_p
        library.kimicode_simulate.restype = ctypes.c_int64
        library.kimicode_simulate.argtypes = (
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_void_p,
            ctypes.c_int64,
            ctypes.c_int,
        )
    except (OSError, AttributeError) as error:
        raise EngineError(f"{path}: the store of experts can't be loaded: {str(error).removeprefix(f'{path}: ')}") from error
    return library
