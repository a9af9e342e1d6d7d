"""Where a tensor of the output comes from: float tensors of the checkpoint, or INT4 matrices; and of what type it therefore is.

INT4 matrices become Q4_0 if that holds them exactly, which `examine` finds out before anything is written, because types decide the
layout. What this module does not do: know the model's architecture (`engine.convert.text`, `engine.convert.vision`).
"""

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from engine.convert import int4
from engine.convert.encode import FLOAT_TYPES, QUANT_ROW, Bytes, Floats, Kind, encode, size_of, to_float32
from engine.convert.layout import Piece, Tensor
from engine.convert.safetensors import Checkpoint, Entry, Raw
from engine.errors import ModelFileError

CHUNK: Final = 4 * 1024 * 1024
"""Weights that are converted at once: a few tens of megabytes of memory a thread at most."""

AHEAD: Final = 2
"""How many pieces may be waiting, finished, for each one being made."""

_SLICE: Final = 16_384
"""Groups of INT4 weights handled at once, so that they stay in a CPU's cache."""

_AGAIN: Final = "download it again"


@dataclass(frozen=True)
class Packed:
    """An INT4 matrix of shape (`rows`, `columns`) in the checkpoint."""

    packed: Entry
    scale: Entry
    shape: Entry
    rows: int
    columns: int

    @property
    def groups(self) -> int:
        """How many scales it has."""
        return self.rows * self.columns // int4.GROUP


@dataclass(frozen=True)
class Int4:
    """One matrix or, for routed experts, as many as there are experts, one after the other."""

    matrices: tuple[Packed, ...]


@dataclass(frozen=True)
class Float:
    """Floats of `entries`. `pieces` makes them in the output's order and in the type that `kind` says."""

    kind: Kind
    entries: tuple[Entry, ...]
    pieces: Callable[[Kind], Iterator[Piece]]


@dataclass(frozen=True)
class Spec:
    """A tensor of the output whose type may still be open."""

    name: str
    shape: tuple[int, ...]
    source: Int4 | Float

    @property
    def files(self) -> frozenset[Path]:
        """The files of the checkpoint that it is made from."""
        match self.source:
            case Int4(matrices):
                return frozenset(entry.file for matrix in matrices for entry in (matrix.packed, matrix.scale, matrix.shape))
            case Float(_, entries):
                return frozenset(entry.file for entry in entries)


Count: TypeAlias = Callable[[int], None]
"""Told how many more bytes have been handled."""


def float_kind(wanted: Kind, shape: Sequence[int]) -> Kind:
    """The type of a float tensor: vectors are float32, and rows that are no whole number of blocks can't be quantised."""
    if len(shape) < 2:
        return Kind.F32
    return Kind.BF16 if wanted is Kind.Q8_0 and shape[-1] % QUANT_ROW else wanted


def rows_of(checkpoint: Checkpoint, entry: Entry, kind: Kind, first: int = 0, rows: int | None = None) -> Iterator[Piece]:
    """`rows` rows (default: all) of `entry` from row `first` on; its other axes together count as rows."""
    columns = entry.shape[-1] if entry.shape else 1
    step = max(1, CHUNK // max(columns, 1))
    end = entry.elements // max(columns, 1) if rows is None else first + rows

    def make(start: int, stop: int) -> Bytes:
        values = checkpoint.read(entry, start * columns, (stop - start) * columns)
        return encode(values.reshape(stop - start, columns), entry.dtype, kind, str(entry))

    for start in range(first, end, step):
        yield functools.partial(make, start, min(start + step, end))


def whole(checkpoint: Checkpoint, entry: Entry, kind: Kind, change: Callable[[Raw], Raw]) -> Iterator[Piece]:
    """All of `entry`, in its own shape changed by `change`, in one piece."""
    yield lambda: encode(change(checkpoint.read(entry).reshape(entry.shape)), entry.dtype, kind, str(entry))


def examine(checkpoint: Checkpoint, specs: Iterable[Spec], pool: Executor, count: Count) -> dict[str, Kind]:
    """The type that holds each INT4 tensor of `specs` exactly. Raises `ModelFileError` if none does, or the matrices don't fit together."""
    return {spec.name: _exact_kind(checkpoint, spec.name, spec.source, pool, count) for spec in specs if isinstance(spec.source, Int4)}


def scale_bytes(specs: Iterable[Spec]) -> int:
    """How many bytes `examine` will count."""
    return sum(matrix.groups * 2 for spec in specs if isinstance(spec.source, Int4) for matrix in spec.source.matrices)


def tensors(checkpoint: Checkpoint, specs: Iterable[Spec], kinds: Mapping[str, Kind]) -> list[Tensor]:
    """`specs` with their types settled. `kinds` is what `examine` found."""
    return [_tensor(checkpoint, spec, spec.source, kinds) for spec in specs]


def ahead(pool: Executor, tasks: Iterable[Piece], workers: int) -> Iterator[Bytes]:
    """The results of `tasks` in order, a few of them being made while the caller handles the ones before."""
    waiting: deque[Future[Bytes]] = deque()
    remaining = iter(tasks)
    try:
        while True:
            waiting.extend(pool.submit(task) for task in itertools.islice(remaining, AHEAD * workers - len(waiting)))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _tensor(checkpoint: Checkpoint, spec: Spec, source: Int4 | Float, kinds: Mapping[str, Kind]) -> Tensor:
    origin = checkpoint.origin(spec.files)
    match source:
        case Int4():
            kind = kinds[spec.name]
            return Tensor(spec.name, spec.shape, kind, lambda: _int4_pieces(checkpoint, source.matrices, kind), origin)
        case Float():
            return Tensor(spec.name, spec.shape, source.kind, lambda: source.pieces(source.kind), origin)


def _int4_pieces(checkpoint: Checkpoint, matrices: Iterable[Packed], kind: Kind) -> Iterator[Piece]:
    for matrix in matrices:
        step = max(1, CHUNK * 4 // matrix.columns)
        for start in range(0, matrix.rows, step):
            stop = min(start + step, matrix.rows)
            yield functools.partial(_convert, checkpoint, matrix, kind, start, stop)


def _convert(checkpoint: Checkpoint, matrix: Packed, kind: Kind, start: int, stop: int) -> Bytes:
    """Rows `start` to `stop` of an INT4 matrix as `kind`, checked weight by weight."""
    nibbles, scales = _nibbles(checkpoint, matrix, start, stop), _scales(checkpoint, matrix, start, stop)
    out = np.empty(size_of(kind, len(scales) * int4.GROUP), np.uint8)
    size = size_of(kind, int4.GROUP)
    for at in range(0, len(scales), _SLICE):
        some, their = nibbles[at : at + _SLICE], scales[at : at + _SLICE]
        target = out[at * size : (at + len(some)) * size]
        if kind is Kind.Q4_0:
            blocks = int4.pack(some, their)
            exact = int4.same(blocks, some, their)
            target[:] = blocks.reshape(-1)
        else:
            values = int4.weights(some, their)
            exact = kind in int4.exact_kinds(values)
            target[:] = encode(values.astype(np.float32), "F32", kind, str(matrix.packed))
        if not exact:
            raise ModelFileError(f"{matrix.packed} did not convert exactly: its file changed while it was read; run the command again")
    return out


def _nibbles(checkpoint: Checkpoint, matrix: Packed, start: int, stop: int) -> Bytes:
    words = matrix.columns // 8
    return checkpoint.read(matrix.packed, start * words, (stop - start) * words).view(np.uint8).reshape(-1, int4.GROUP // 2)


def _scales(checkpoint: Checkpoint, matrix: Packed, start: int, stop: int) -> Floats:
    groups = matrix.columns // int4.GROUP
    return to_float32(checkpoint.read(matrix.scale, start * groups, (stop - start) * groups), matrix.scale.dtype)


def _exact_kind(checkpoint: Checkpoint, name: str, source: Int4, pool: Executor, count: Count) -> Kind:
    fits = True
    for matrix, good in zip(source.matrices, pool.map(lambda matrix: _fits_q4_0(checkpoint, matrix), source.matrices), strict=True):
        fits = fits and good
        count(matrix.groups * 2)
    if fits:
        return Kind.Q4_0
    possible = frozenset(int4.EXACT_KINDS)
    for found in pool.map(lambda matrix: _possible(checkpoint, matrix), source.matrices):
        possible &= found
    for kind in int4.EXACT_KINDS:
        if kind in possible:
            return kind
    raise ModelFileError(f"{source.matrices[0].scale.file}: scales of {name} are too large or small for float32: {_AGAIN}")


def _fits_q4_0(checkpoint: Checkpoint, matrix: Packed) -> bool:
    given = tuple(int(size) for size in checkpoint.read(matrix.shape))
    if given != (matrix.rows, matrix.columns):
        raise ModelFileError(f"{matrix.shape} says {list(given)}, but config.json {[matrix.rows, matrix.columns]}: {_AGAIN}")
    scales = _scales(checkpoint, matrix, 0, matrix.rows)
    if not np.isfinite(scales).all():
        raise ModelFileError(f"{matrix.scale} holds values that are not finite: {_AGAIN}")
    return int4.scales_fit(scales) or int4.fits_q4_0(_nibbles(checkpoint, matrix, 0, matrix.rows), scales)


def _possible(checkpoint: Checkpoint, matrix: Packed) -> frozenset[Kind]:
    possible = frozenset(int4.EXACT_KINDS)
    step = max(1, _SLICE * int4.GROUP // matrix.columns)
    for start in range(0, matrix.rows, step):
        stop = min(start + step, matrix.rows)
        values = int4.weights(_nibbles(checkpoint, matrix, start, stop), _scales(checkpoint, matrix, start, stop))
        possible &= int4.exact_kinds(values)
    return possible


def check_float(entry: Entry, shape: Sequence[int]) -> None:
    """Raise `ModelFileError` unless `entry` holds floats of that shape."""
    if entry.shape != tuple(shape):
        raise ModelFileError(f"{entry} has shape {list(entry.shape)}, but by config.json it is {list(shape)}: download both again")
    if entry.dtype not in FLOAT_TYPES:
        raise ModelFileError(f"{entry} is of type {entry.dtype}: cast the checkpoint to one of {', '.join(FLOAT_TYPES)} first")
