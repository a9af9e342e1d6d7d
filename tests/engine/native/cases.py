"""Attentions that are hard to get right, by name: what they are made of, and how near a kernel must come.

Every case is made from the seed of its name, so that a failure can be run again alone. What this module does not do: run a kernel.
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.native.library import Cell
from tests.engine.native.reference import Problem, write

Floats = NDArray[np.float32]
Halves = NDArray[np.float16]

HIDDEN: Final = np.float16(-np.inf)
BORDERS: Final = (1, 2, 3, 5, 6, 7, 59, 60, 61, 63, 64, 65, 95, 96, 97, 119, 120, 121, 127, 128, 129, 191, 192, 193, 255, 257)
"""Keys at and beside the ends of the kernels' tiles, of 60, 64 and 96, and of their groups of 2, 4 and 6."""

_HEADS: Final = ((1, 1), (1, 65), (3, 22), (4, 33), (5, 8), (7, 9), (16, 5), (31, 3), (64, 9), (65, 2), (96, 5), (127, 1), (128, 3))
"""Heads and queries: a block of the kernels is 64 rows, which are several queries, or a part of one, or end in the middle of one."""
_WIDTHS: Final = ((96, 64), (64, 64), (128, 128), (320, 256), (160, 128), (576, 512))
_ROTATED: Final = slice(512, None)
_LATENT: Final = slice(0, 512)


@dataclass(frozen=True)
class Case:
    """One attention. `hard`: the larger limit holds."""

    name: str
    make: Callable[[np.random.Generator], Problem]
    hard: bool = False

    def problem(self) -> Problem:
        """The same each time."""
        return self.make(np.random.default_rng(zlib.crc32(self.name.encode())))


def usual(
    rng: np.random.Generator,
    queries: int = 1,
    keys: int = 300,
    heads: int = 16,
    width: int = 576,
    latent: int = 512,
    kind: Cell = Cell.F16,
    logits: float = 3.0,
    mask: Halves | None = None,
    cells: Floats | None = None,
    asked: Floats | None = None,
) -> Problem:
    """Values of about 1, and scores whose standard deviation is `logits`."""
    cells = normal(rng, keys, width) if cells is None else cells
    asked = normal(rng, queries, heads, width) if asked is None else asked
    return Problem(asked, write(cells, kind), latent, logits / width**0.5, mask)


def normal(rng: np.random.Generator, *shape: int) -> Floats:
    """Normal values of this shape."""
    return rng.standard_normal(shape, np.float32)


def causal(queries: int, keys: int) -> Halves:
    """The last query sees all keys, each before it one less."""
    return np.where(np.arange(keys) > np.arange(keys - queries, keys)[:, None], HIDDEN, np.float16(0))


def only(queries: int, keys: int, *seen: int | slice) -> Halves:
    """Every query sees these keys only."""
    mask = np.full((queries, keys), HIDDEN)
    for place in seen:
        mask[:, place] = 0
    return mask


def _random_mask(rng: np.random.Generator, share: float) -> Halves:
    return np.where(rng.random((11, 300)) < share, HIDDEN, np.float16(0))


def _rows_hidden(rng: np.random.Generator) -> Halves:
    mask = _random_mask(rng, 0.5)
    mask[[0, 4, 10]] = HIDDEN
    return mask


def _slopes(rng: np.random.Generator, least: float) -> Halves:
    return (rng.random((11, 300)) * least).astype(np.float16)


def _either(rng: np.random.Generator, value: float) -> Halves:
    return np.where(rng.random((11, 300)) < 0.5, np.float16(value), np.float16(0))


def _mixed(rng: np.random.Generator) -> Halves:
    return np.where(rng.random((11, 300)) < 0.3, HIDDEN, _slopes(rng, -4))


def _masked(rng: np.random.Generator, mask: Halves | Callable[[np.random.Generator], Halves]) -> Problem:
    return usual(rng, 11, 300, 9, 96, 64, mask=mask(rng) if callable(mask) else mask)


def _cell_scaled(rng: np.random.Generator, factor: float, logits: float) -> Problem:
    """One cell is so many times as large."""
    cells = normal(rng, 300, 576)
    cells[70] *= np.float32(factor)
    return usual(rng, 2, cells=cells, logits=logits)


def _columns_scaled(rng: np.random.Generator, place: int | slice, cell: float, query: float, logits: float = 3.0) -> Problem:
    """Some columns of the cells, and of the queries, are so many times as large."""
    cells, asked = normal(rng, 300, 576), normal(rng, 2, 16, 576)
    cells[..., place] *= np.float32(cell)
    asked[..., place] *= np.float32(query)
    return usual(rng, 2, cells=cells, asked=asked, logits=logits)


def _all_scaled(rng: np.random.Generator, kind: Cell, size: float) -> Problem:
    """Cells' values are of this size, and queries' of its inverse."""
    cells, asked = normal(rng, 300, 576) * np.float32(size), normal(rng, 2, 16, 576) / np.float32(size)
    return usual(rng, 2, kind=kind, cells=cells, asked=asked)


def _every_third_zero(rng: np.random.Generator) -> Problem:
    cells = normal(rng, 300, 576)
    cells[::3] = 0
    return usual(rng, 2, cells=cells)


def _equal_cells(rng: np.random.Generator) -> Problem:
    return usual(rng, 2, cells=np.repeat(normal(rng, 1, 576), 300, axis=0))


def _sink(rng: np.random.Generator, keys: int, sink: int, others: float) -> Problem:
    """One key has nearly all the weight, each other 2^-`others` of it; the others' values are alike, so that none may be lost."""
    cells = np.zeros((keys, 96), np.float32)
    cells[:, :64] = normal(rng, 64) + 0.05 * normal(rng, keys, 64)
    cells[sink, :64] = normal(rng, 64)
    cells[sink, 95] = others * np.log(2)
    asked = np.zeros((1, 16, 96), np.float32)
    asked[..., 95] = 1
    return Problem(asked, write(cells, Cell.F16), 64, 1.0)


def _offset(rng: np.random.Generator) -> Problem:
    """All scores lie about 200 above zero and differ by about 1."""
    cells, asked = normal(rng, 300, 576), normal(rng, 2, 16, 576)
    cells[:, 575], asked[..., 575] = 20, 240
    return Problem(asked, write(cells, Cell.F16), 512, 1 / 24)


def _shared_direction(rng: np.random.Generator) -> Problem:
    """Values that are nearly the same in every cell, with equal weights: errors of one sign add up."""
    cells = normal(rng, 1, 576) + 0.01 * normal(rng, 1000, 576)
    return usual(rng, 1, cells=cells, asked=0.001 * normal(rng, 1, 16, 576))


def _hidden_giants(rng: np.random.Generator) -> Problem:
    """Cells that no query sees hold values 10,000 times as large: what was there before, perhaps."""
    cells = normal(rng, 300, 576)
    cells[1::2] *= np.float32(1e4)
    return usual(rng, 3, mask=only(3, 300, slice(0, None, 2)), cells=cells)


def _unweighted_giants(rng: np.random.Generator) -> Problem:
    """As above, but seen, with scores so low that their weights are zero."""
    cells, asked = normal(rng, 300, 576), normal(rng, 3, 16, 576)
    asked[..., 575] = 24
    cells[:, 575] = 0
    cells[1::7] *= np.float32(100)
    cells[1::7, 575] = -2000
    return usual(rng, 3, cells=cells, asked=asked, logits=1.0)


def cases() -> Iterator[Case]:
    """All of them."""
    yield from _sizes()
    yield from _masks()
    yield from _magnitudes()
    yield from _long()


def _sizes() -> Iterator[Case]:
    for kind in Cell:
        yield Case(f"kind-{kind.name.lower()}", partial(usual, queries=3, keys=500, kind=kind))
        yield Case(f"kind-{kind.name.lower()}-one-key", partial(usual, queries=2, keys=1, kind=kind))
    for width, latent in _WIDTHS:
        for kind in (Cell.F16, Cell.Q8_0):
            make = partial(usual, queries=5, keys=200, heads=7, width=width, latent=latent, kind=kind, mask=causal(5, 200))
            yield Case(f"width-{width}-{latent}-{kind.name.lower()}", make)
    for heads, queries in _HEADS:
        make = partial(usual, queries=queries, keys=150, heads=heads, width=96, latent=64, mask=causal(queries, 150))
        yield Case(f"heads-{heads}-queries-{queries}", make)
    for queries in (2, 7, 8, 9, 16, 17, 63, 64, 65, 129, 300):
        make = partial(usual, queries=queries, keys=333, heads=8, width=96, latent=64, mask=causal(queries, 333))
        yield Case(f"queries-{queries}", make)
    yield Case("queries-20-k2", partial(usual, queries=20, keys=700, heads=64, mask=causal(20, 700)))


def _masks() -> Iterator[Case]:
    masks: dict[str, Halves | Callable[[np.random.Generator], Halves]] = {
        "causal": causal(11, 300),
        "random-half": partial(_random_mask, share=0.5),
        "random-most": partial(_random_mask, share=0.99),
        "rows-hidden": _rows_hidden,
        "all-hidden": only(11, 300),
        "tiles-hidden": only(11, 300, slice(96, 120), slice(192, 240)),
        "alternating": only(11, 300, slice(0, None, 2)),
        "alternating-odd": only(11, 300, slice(1, None, 2)),
        "last-key": only(11, 300, 299),
        "first-key": only(11, 300, 0),
        "tile-end": only(11, 300, 59, 63, 95),
        "tile-start": only(11, 300, 60, 64, 96),
        "staircase": np.where(np.arange(300) // 30 == np.arange(11)[:, None], np.float16(0), HIDDEN),
        "negative-zero": np.full((11, 300), np.float16(-0.0)),
        "least-half": np.full((11, 300), np.float16(-6e-8)),
        "minus-one": partial(_either, value=-1),
        "some-65504": partial(_either, value=-65504),
        "slopes": partial(_slopes, least=-8),
        "positive": partial(_slopes, least=8),
        "mixed": _mixed,
    }
    for name, mask in masks.items():
        yield Case(f"mask-{name}", partial(_masked, mask=mask))


def _magnitudes() -> Iterator[Case]:
    for logits in (20.0, 50.0, 1000.0):
        yield Case(f"logits-{logits:.0f}", partial(usual, queries=2, keys=1000, logits=logits), hard=True)
    yield Case("offset", _offset, hard=True)
    yield Case("larger-cell", partial(_cell_scaled, factor=1e4, logits=1e-3), hard=True)
    yield Case("larger-cell-decides", partial(_cell_scaled, factor=1e4, logits=3.0), hard=True)
    yield Case("smaller-cell", partial(_cell_scaled, factor=1e-4, logits=3.0))
    yield Case("hidden-giants", _hidden_giants)
    yield Case("unweighted-giants", _unweighted_giants)
    for ratio in (10.0, 1e2, 1e3):
        for name, place in (("rotated", _ROTATED), ("latent", _LATENT)):
            yield Case(f"cells-{name}-x{ratio:.0f}", partial(_columns_scaled, place=place, cell=ratio, query=1 / ratio))
    yield Case("rotated-x1000-unasked", partial(_columns_scaled, place=_ROTATED, cell=1e3, query=0.0))
    yield Case("one-column-x100", partial(_columns_scaled, place=37, cell=100.0, query=1.0, logits=0.1), hard=True)
    yield Case("zero-cells", partial(usual, queries=2, cells=np.zeros((300, 576), np.float32)))
    yield Case("zero-cells-among", _every_third_zero)
    yield Case("zero-queries", partial(usual, queries=2, asked=np.zeros((2, 16, 576), np.float32)))
    for kind, size in ((Cell.F16, 1e-6), (Cell.Q8_0, 1e-4), (Cell.BF16, 1e-15), (Cell.F32, 1e-15)):
        yield Case(f"tiny-cells-{kind.name.lower()}", partial(_all_scaled, kind=kind, size=size))
    for kind, size in ((Cell.F16, 1e4), (Cell.BF16, 1e12), (Cell.F32, 1e12)):
        yield Case(f"great-cells-{kind.name.lower()}", partial(_all_scaled, kind=kind, size=size))
    yield Case("shared-direction", _shared_direction)
    yield Case("equal-cells", _equal_cells)
    yield Case("one-value-a-cell", partial(usual, queries=2, cells=np.eye(300, 576, dtype=np.float32), logits=24.0))


def _long() -> Iterator[Case]:
    yield Case("keys-5000", partial(usual, keys=5000, heads=64))
    yield Case("sink-elsewhere", partial(_sink, keys=100_000, sink=3, others=17.0), hard=True)
    yield Case("sink-last", partial(_sink, keys=100_000, sink=99_999, others=17.0), hard=True)
    yield Case("sink-in-tile", partial(_sink, keys=60, sink=3, others=16.0), hard=True)
    yield Case("keys-131072", partial(usual, keys=131_072, heads=8, width=96, latent=64))
