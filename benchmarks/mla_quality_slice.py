"""The slice of K2.6's shape under llama.cpp's attention and ours: scores at several depths, for batches of several sizes.

Its weights are random, so its router turns a rounding into another choice of experts; what counts is how llama.cpp's own ways to the same
scores differ: filling the cache in other batches, attention in steps, other batches for the same tokens. One process at a time, since the
library keeps a copy of 10 GB. What this module does not do: judge; `mla_quality` does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from mla_quality_compare import HEADINGS, Rows, Scores
from mla_quality_worker import WIDE, Score, Variant, Worker

from engine.llama import KvType
from engine.native.plugin import Attention

COUNTS: Final = {1: 24, 3: 24, 17: 34, WIDE: WIDE}
"""How many tokens are scored in batches of each size: small ones in several batches, for the sake of more rows."""

SHARED: Final = 24
"""Tokens that every size of batch has scored."""

OTHER_FILL: Final = 32
"""Below 64 llama.cpp's attention takes another way than in large batches."""

VOCABULARY: Final = 1024


class Case(NamedTuple):
    """So many tokens in the cache, and so many at a time behind them."""

    depth: int
    batch: int


@dataclass(frozen=True)
class Compared:
    """`second` beside llama.cpp as it is, case by case. `own`: it is llama.cpp too. Its attention in steps is the yardstick, since that, as
    ours, is another computation at every position; other batches are at some."""

    second: str
    own: bool
    variant: Variant
    rows: Mapping[Case, Rows]

    @property
    def yardstick(self) -> bool:
        """Whether ours may differ from llama.cpp as much as this does."""
        return self.variant.in_steps

    def all(self) -> Rows:
        """Every case, the same number of rows of each."""
        return Rows.all([rows.first(SHARED) for rows in self.rows.values()])


def run(path: Path, cells: KvType, depths: Sequence[int], *, quick: bool) -> Iterator[Compared]:
    """Each variant over these cells with llama.cpp as it is. `quick`: without other ways to fill the cache, and without ours in the
    expanded form where it is not the cheaper one."""
    stock_variant = Variant(Attention.STOCK, cells)
    stock = _scores(path, stock_variant, depths, WIDE)
    yield from _with_itself(stock_variant, stock)
    ours = (Attention.PRECISE, Attention.FAST)
    others = [Variant(attention, cells) for attention in ours]
    if not quick:
        refilled = _scores(path, stock_variant, depths, OTHER_FILL)
        yield _compared(f"{stock_variant.name}, filled by {OTHER_FILL}", stock_variant, stock, refilled)
        others += [Variant(attention, cells, expanded=True) for attention in ours]
    if cells is not KvType.Q8_0:
        others.insert(0, Variant(Attention.STOCK, cells, in_steps=True))
    for variant in others:
        yield _compared(variant.name, variant, stock, _scores(path, variant, depths, WIDE))


def _scores(path: Path, variant: Variant, depths: Sequence[int], fill: int) -> dict[Case, Scores]:
    tokens = tuple(int(token) for token in np.random.default_rng(3).integers(0, VOCABULARY, max(depths) + WIDE))
    with Worker(path, variant, max(depths) + 2 * WIDE) as worker:
        found = {
            Case(depth, batch): Scores.of(worker.score(Score(tokens[: depth + count], batch, range(count), depth, fill)))
            for depth in depths
            for batch, count in COUNTS.items()
        }
        if worker.kernel:
            forms = worker.forms()
            print(f"{variant.name}: kernel {worker.kernel}, {forms.absorbed} attentions absorbed, {forms.expanded} expanded")
    return found


def _with_itself(variant: Variant, stock: Mapping[Case, Scores]) -> Iterator[Compared]:
    """The same tokens in batches of one and in others."""
    for batch in COUNTS:
        if batch != 1:
            cases = [case for case in stock if case.batch == batch]
            rows = {case: Rows.of(stock[Case(case.depth, 1)].first(SHARED), stock[case].first(SHARED)) for case in cases}
            yield Compared(f"{variant.name}, 1 with {batch} at a time", True, variant, rows)


def _compared(name: str, variant: Variant, stock: Mapping[Case, Scores], other: Mapping[Case, Scores]) -> Compared:
    rows = {case: Rows.of(stock[case], other[case]) for case in stock}
    return Compared(name, variant.attention is Attention.STOCK, variant, rows)


def headings() -> str:
    """Over `text`."""
    return f"{'with stock, as it is':<32}{'depth':>6}{'batch':>6}{HEADINGS}"


def text(compared: Compared) -> str:
    """A line a case, and one for all."""
    lines = [f"{compared.second:<32}{case.depth:6}{case.batch:6}{rows.text()}" for case, rows in compared.rows.items()]
    return "\n".join([*lines, f"{compared.second:<32}{'all':>12}{compared.all().text()}"])
