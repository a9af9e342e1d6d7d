"""Latent attention in double precision, and cells of a cache written and read without the engine's code.

What this module does not do: call a kernel.
"""

from dataclasses import dataclass, replace
from typing import Final, assert_never

import numpy as np
from numpy.typing import NDArray

from engine.native.library import Cell, Cells

Doubles = NDArray[np.float64]
_Q8_BLOCK: Final = np.dtype([("scale", "<f2"), ("values", "i1", (32,))])
"""ggml's q8_0: 32 signed bytes and the half-precision scale that all of them share."""
_PIECE: Final = 1 << 23
"""Scores at a time: 64 MiB of doubles."""


@dataclass(frozen=True)
class Problem:
    """What is asked of a kernel. `queries` f32 (queries, heads, width), `mask` f16 (queries, keys) or none."""

    queries: NDArray[np.float32]
    cells: Cells
    latent: int
    scale: float
    mask: NDArray[np.float16] | None = None


def write(values: NDArray[np.float32], kind: Cell) -> Cells:
    """Cells of this kind that hold `values`, (keys, width), rounded to what the kind can hold."""
    keys, width = values.shape
    match kind:
        case Cell.F32:
            data = np.ascontiguousarray(values).view(np.uint8)
        case Cell.F16:
            data = values.astype(np.float16).view(np.uint8)
        case Cell.BF16:
            bits = np.ascontiguousarray(values).view(np.uint32)
            data = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16).view(np.uint8)
        case Cell.Q8_0:
            blocks = np.empty((keys, width // 32), _Q8_BLOCK)
            parts = values.reshape(keys, -1, 32)
            blocks["scale"] = np.abs(parts).max(axis=2) / 127
            steps = blocks["scale"].astype(np.float32)[..., None]
            blocks["values"] = np.rint(np.divide(parts, steps, out=np.zeros_like(parts), where=steps > 0)).clip(-127, 127)
            data = blocks.view(np.uint8).reshape(keys, -1)
        case _:
            assert_never(kind)
    return Cells(data, kind, width)


def read(cells: Cells) -> Doubles:
    """What the cells hold, (keys, width)."""
    data = np.ascontiguousarray(cells.data[:, : size_of(cells.kind, cells.width)])
    match cells.kind:
        case Cell.F32:
            return data.view(np.float32).astype(np.float64)
        case Cell.F16:
            return data.view(np.float16).astype(np.float64)
        case Cell.BF16:
            return (data.view(np.uint16).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        case Cell.Q8_0:
            blocks = data.view(_Q8_BLOCK)
            values: Doubles = blocks["scale"].astype(np.float64)[..., None] * blocks["values"]
            return values.reshape(len(data), -1)
        case _:
            assert_never(cells.kind)


def size_of(kind: Cell, width: int) -> int:
    """Bytes of one cell."""
    match kind:
        case Cell.F32:
            return 4 * width
        case Cell.F16 | Cell.BF16:
            return 2 * width
        case Cell.Q8_0:
            return width // 32 * _Q8_BLOCK.itemsize
        case _:
            assert_never(kind)


def attention(problem: Problem) -> Doubles:
    """The result in double precision, (queries, heads, latent); zeros where the mask hides every key."""
    values = read(problem.cells)
    count, heads, _ = problem.queries.shape
    result = np.empty((count, heads, problem.latent))
    step = max(1, _PIECE // (heads * len(values)))
    for first in range(0, count, step):
        some = slice(first, first + step)
        scores = problem.queries[some].astype(np.float64) @ values.T * float(np.float32(problem.scale))
        if problem.mask is not None:
            scores += problem.mask[some, None, :].astype(np.float64)
        top = scores.max(axis=-1, keepdims=True)
        weights = np.exp(scores - np.where(np.isfinite(top), top, 0))
        total = weights.sum(axis=-1, keepdims=True)
        result[some] = weights @ values[:, : problem.latent] / np.where(total > 0, total, 1)
    return result


def worst(got: NDArray[np.float32] | Doubles, wanted: Doubles) -> float:
    """The greatest relative error of a row in the Euclidean norm; infinite where a row must be zeros and is not, or is not a number."""
    size = np.linalg.norm(wanted, axis=-1)
    error = np.linalg.norm(got - wanted, axis=-1)
    errors = np.divide(error, size, out=np.where(error == 0, 0.0, np.inf), where=size > 0)
    return float(np.nan_to_num(errors, nan=np.inf).max())


def conditioning(problem: Problem, bits: int, wanted: Doubles) -> float:
    """The error that comes from nothing but the queries' values being rounded to `bits` significant bits, where 11 is half precision."""
    fraction, exponent = np.frexp(problem.queries)
    rounded = np.ldexp(np.rint(np.ldexp(fraction, bits)), exponent - bits).astype(np.float32)
    return worst(attention(replace(problem, queries=rounded)), wanted)
