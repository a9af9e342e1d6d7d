"""What is measured of attention by itself: how many queries see which of how many cells, and the data for it.

Data are the same for whoever computes them: queries f32 [queries][64][576], cells of a cache in one of ggml's types, and a mask f16
[queries][keys] of zeros and minus infinities. All are normal random numbers, and scores have a standard deviation of 3.
What this module does not do: compute attention, or measure.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, assert_never

import gguf
import numpy as np
from numpy.typing import NDArray

from engine.native.library import Cell, Cells, Matrices

HEADS: Final = 64
ROPE: Final = 64
LATENT: Final = 512
WIDTH: Final = LATENT + ROPE
RANK: Final = 128
"""How many values the latent part of a head's query was made of, and how many its result will serve to compute."""

SCALE: Final = 3 / WIDTH**0.5
"""What scores are multiplied with: random queries and cells have products with a standard deviation of the root of `WIDTH`."""

_GGUF: Final = {
    Cell.F32: gguf.GGMLQuantizationType.F32,
    Cell.F16: gguf.GGMLQuantizationType.F16,
    Cell.Q8_0: gguf.GGMLQuantizationType.Q8_0,
    Cell.BF16: gguf.GGMLQuantizationType.BF16,
}


class View(Enum):
    """Which cells a query sees."""

    OPEN = "all"
    """All of them."""

    CAUSAL = "causal"
    """The last cells are the queries' own: each query sees those up to its own."""

    SHARED = "shared"
    """A prefix that all queries see, and an equal part of the rest for each."""

    SEPARATE = "separate"
    """An equal part for each."""


@dataclass(frozen=True)
class Case:
    """`prefix` is how many cells all queries of a `SHARED` view see. Where it is `factored` it may be computed in the expanded form: the
    matrices are known of which queries were made, and with which results will be multiplied."""

    name: str
    queries: int
    keys: int
    kind: Cell = Cell.F16
    view: View = View.OPEN
    prefix: int = 0
    factored: bool = False

    @property
    def pairs(self) -> int:
        """How often a query sees a key."""
        match self.view:
            case View.OPEN:
                return self.queries * self.keys
            case View.CAUSAL:
                return self.queries * (self.keys - self.queries) + self.queries * (self.queries + 1) // 2
            case View.SHARED:
                return self.queries * self.prefix + self.keys - self.prefix
            case View.SEPARATE:
                return self.keys
            case _:
                assert_never(self.view)

    @property
    def operations(self) -> float:
        """Multiplications and additions that can't be done without, of scores and of values, for every head: in the absorbed form, or in
        the expanded one where that takes fewer and may be used."""
        absorbed = 2.0 * HEADS * (WIDTH + LATENT) * self.pairs
        expanded = 2.0 * HEADS * ((2 * RANK + ROPE) * self.pairs + 2 * RANK * LATENT * self.keys)
        return min(absorbed, expanded) if self.factored else absorbed


@dataclass(frozen=True)
class Data:
    """What a case is computed from."""

    queries: NDArray[np.float32]
    cells: Cells
    mask: NDArray[np.float16]
    matrices: Matrices | None

    def read(self, result: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a reader gets of a result: of a factored case only its product with the values' matrices."""
        return result if self.matrices is None else np.einsum("qhl,hrl->qhr", result, self.matrices.values, optimize=True)


def data(case: Case, seed: int = 0) -> Data:
    """The case's data; the same each time."""
    rng = np.random.default_rng(seed)
    queries = rng.standard_normal((case.queries, HEADS, WIDTH), np.float32)
    cells = Cells(encode(rng.standard_normal((case.keys, WIDTH), np.float32), case.kind), case.kind, WIDTH)
    if not case.factored:
        return Data(queries, cells, mask(case), None)
    keys, values = rng.standard_normal((HEADS, LATENT, RANK), np.float32), rng.standard_normal((HEADS, RANK, LATENT), np.float32)
    queries[:, :, :LATENT] = np.einsum("qhr,hlr->qhl", queries[:, :, :RANK], keys / np.float32(RANK**0.5), optimize=True)
    return Data(queries, cells, mask(case), Matrices(keys, values))


def encode(values: NDArray[np.float32], kind: Cell) -> NDArray[np.uint8]:
    """Rows of values as cells, [rows][bytes of a cell]."""
    encoded = values.astype(np.float16) if kind is Cell.F16 else gguf.quants.quantize(values, _GGUF[kind])
    return np.ascontiguousarray(encoded).view(np.uint8).reshape(len(values), -1)


def mask(case: Case) -> NDArray[np.float16]:
    """What is added to the scores."""
    query, key = np.arange(case.queries)[:, None], np.arange(case.keys)[None, :]
    match case.view:
        case View.OPEN:
            seen = np.ones((case.queries, case.keys), bool)
        case View.CAUSAL:
            seen = key <= query + case.keys - case.queries
        case View.SHARED:
            seen = (key < case.prefix) | (np.floor_divide(key - case.prefix, (case.keys - case.prefix) // case.queries) == query)
        case View.SEPARATE:
            seen = key // (case.keys // case.queries) == query
        case _:
            assert_never(case.view)
    return np.where(seen, np.float16(0), np.float16(-np.inf))


def write(folder: Path, what: Data, *, rotated_first: bool) -> None:
    """The files that `mla_op.cpp` reads. ik_llama.cpp keeps the rotated part of a cell before its latent, not behind it."""
    queries, cells = what.queries, what.cells.data
    if rotated_first:
        queries = np.roll(queries, ROPE, axis=-1)
        cells = np.roll(cells, cells.shape[1] * ROPE // WIDTH, axis=-1)
    for name, array in (("q", queries), ("cells", cells), ("mask", what.mask)):
        array.tofile(folder / name)
