"""How work is divided: every visible cell once, equal pieces for any number of threads, and bounded memory; then computed.

Threads beyond this machine's are counted by work, not by time. A cell's work is one product of all heads of a query with it.
"""

import functools
import heapq
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.native.library import Cell, Library
from tests.engine.native.programs import compiled, output
from tests.engine.native.reference import Doubles, Problem, attention, write

HIDDEN: Final = np.float16(-np.inf)
TILE: Final = 60
PARTIAL: Final = 64 << 20
"""Bytes of partial results, at most."""
THREADS: Final = (1, 2, 8, 64, 128)

Mask = NDArray[np.float16]


@dataclass(frozen=True)
class Piece:
    """Queries that meet cells; `cost` with what reading the cells and packing the queries cost."""

    queries: range
    cells: NDArray[np.int64]
    slot: int
    listed: bool
    cost: float


@dataclass(frozen=True)
class Plan:
    """`slots`: of each query, how many partial results; `rows` of them wait to be merged."""

    pieces: list[Piece]
    slots: list[int]
    rows: int

    @property
    def cost(self) -> float:
        return sum(piece.cost for piece in self.pieces)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("division"), "plan_division", ("division", "sight", "team"))


def plan(program: Path, mask: Mask, threads: int, heads: int = 64) -> Plan:
    file = program.with_name("mask")
    mask.tofile(file)
    pieces: list[Piece] = []
    lists: list[NDArray[np.int64]] = []
    slots: list[int] = []
    rows = -1
    for line in output(program, *mask.shape, heads, TILE, threads, file).splitlines():
        match line.split():
            case ["slots", *numbers]:
                slots += map(int, numbers)
            case ["list", *numbers]:
                lists.append(np.array(numbers, np.int64))
            case ["piece", *numbers, cost]:
                group, query, queries, key, keys, listed, slot = map(int, numbers)
                cells = lists[group][key : key + keys] if listed else np.arange(key, key + keys)
                pieces.append(Piece(range(query, query + queries), cells, slot, bool(listed), float(cost)))
            case ["rows", number]:
                rows = int(number)
            case _:
                pass
    return Plan(pieces, slots, rows)


def hidden(queries: int, keys: int) -> Mask:
    return np.full((queries, keys), HIDDEN, np.float16)


def causal(queries: int, depth: int) -> Mask:
    """As llama.cpp makes it: cells padded to 256."""
    mask = hidden(queries, -(-(depth + queries) // 256) * 256)
    for query in range(queries):
        mask[query, : depth + query + 1] = 0
    return mask


def side_by_side(prefix: int, tail: int, queries: int = 8) -> Mask:
    """A prefix that all see, then a tail of each."""
    mask = hidden(queries, prefix + queries * tail)
    mask[:, :prefix] = 0
    for query in range(queries):
        mask[query, prefix + query * tail : prefix + (query + 1) * tail] = 0
    return mask


def interleaved(prefix: int, tail: int, queries: int = 8) -> Mask:
    """The same, where the tails grew a token of each at a time."""
    mask = hidden(queries, prefix + queries * tail)
    mask[:, :prefix] = 0
    for query in range(queries):
        mask[query, prefix + query :: queries] = 0
    return mask


def scattered(queries: int, keys: int, share: float) -> Mask:
    return np.where(np.random.default_rng(queries).random((queries, keys)) < share, np.float16(0), HIDDEN)


SHAPES: Final = {
    "one": causal(1, 0),
    "first": causal(1, 255),
    "decode": causal(1, 8191),
    "agents": causal(8, 8184),
    "batch": causal(17, 2031),
    "prefill": causal(256, 0),
    "deeper": causal(128, 8192),
    "separate": side_by_side(0, 2048),
    "shared": side_by_side(4096, 96),
    "interleaved": interleaved(4096, 512),
    "one of eight": np.ascontiguousarray(interleaved(0, 1024)[:1]),
    "thin": scattered(9, 3000, 0.02),
    "half": scattered(40, 1500, 0.5),
    "nothing": hidden(3, 512),
}


@pytest.mark.parametrize("heads", [8, 64])
@pytest.mark.parametrize("threads", THREADS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_visible_cell_is_met_once_and_memory_is_bounded(program: Path, shape: str, threads: int, heads: int) -> None:
    mask = SHAPES[shape]
    found = plan(program, mask, threads, heads)
    met = np.zeros(mask.shape, np.int64)
    slots: list[list[int]] = [[] for _ in mask]
    for piece in found.pieces:
        met[piece.queries.start : piece.queries.stop, piece.cells] += 1
        for query in piece.queries:
            slots[query].append(piece.slot)
    assert (met[mask == 0] == 1).all()
    assert met.max(initial=0) <= 1
    assert [sorted(its) for its in slots] == [list(range(count)) for count in found.slots]
    assert found.rows * 512 * 4 <= PARTIAL


# What is reachable is less where there is little work for many: a piece's overhead is that of 30 cells a query.
@pytest.mark.parametrize(
    ("shape", "threads", "least"),
    [
        ("first", 2, 0.65),
        ("decode", 2, 0.85),
        ("decode", 8, 0.80),
        ("decode", 64, 0.50),
        ("agents", 2, 0.92),
        ("agents", 64, 0.80),
        ("batch", 8, 0.80),
        ("batch", 64, 0.70),
        ("deeper", 8, 0.95),
        ("deeper", 64, 0.90),
        ("prefill", 8, 0.70),
        ("prefill", 64, 0.65),
        ("separate", 2, 0.80),
        ("separate", 8, 0.75),
        ("interleaved", 8, 0.80),
    ],
)
def test_threads_have_equal_work(program: Path, shape: str, threads: int, least: float) -> None:
    busy = [0.0] * threads
    for piece in plan(program, SHAPES[shape], threads).pieces:
        heapq.heapreplace(busy, busy[0] + piece.cost)
    assert (SHAPES[shape] == 0).sum() / threads / max(busy) > least


def test_interleaved_tails_cost_what_tails_side_by_side_cost(program: Path) -> None:
    for threads in (1, 2, 8):
        apart, mixed = (plan(program, mask, threads).cost for mask in (side_by_side(4096, 512), interleaved(4096, 512)))
        assert mixed < 1.05 * apart


def test_a_shared_prefix_is_read_once_for_all_and_a_tail_by_its_own_query(program: Path) -> None:
    prefix, tail = 68 * TILE, 512
    for piece in plan(program, interleaved(prefix, tail), 1).pieces:
        if piece.listed:
            assert len(piece.queries) == 1
            assert (piece.cells >= prefix - TILE).all()
        else:
            assert piece.queries == range(8)
            assert piece.cells[-1] < prefix + TILE


def test_little_work_is_not_divided(program: Path) -> None:
    assert len(plan(program, causal(1, 30), 2).pieces) == 1


@functools.cache
def gathered(queries: int, heads: int, keys: int) -> tuple[Problem, Doubles]:
    """Interleaved sequences, one of which sees nothing, and what attention is then."""
    random = np.random.default_rng(7)
    mask = interleaved(128, keys // queries, queries)
    mask[queries // 2] = HIDDEN
    cells = write(random.standard_normal((mask.shape[1], 96), np.float32), Cell.F16)
    problem = Problem(random.standard_normal((queries, heads, 96), np.float32), cells, 64, 0.1, mask)
    return problem, attention(problem)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize(("queries", "heads", "keys"), [(4, 64, 4500), (300, 5, 700), (20, 64, 800)])
def test_divided_work_is_computed(library: Library, kernel: str, queries: int, heads: int, keys: int, threads: int) -> None:
    problem, wanted = gathered(queries, heads, keys)
    found = library.attend(problem.queries, problem.cells, 64, 0.1, kernel, mask=problem.mask, threads=threads)
    assert np.linalg.norm(found - wanted) < 1e-3 * np.linalg.norm(wanted)


def test_more_queries_than_are_divided_at_once(library: Library) -> None:
    random = np.random.default_rng(8)
    mask = causal(270, 0)  # at K2's sizes 256 are
    cells = write(random.standard_normal((mask.shape[1], 576), np.float32), Cell.F16)
    problem = Problem(random.standard_normal((270, 64, 576), np.float32), cells, 512, 0.05, mask)
    kernel = next(name for name in library.kernels() if name.endswith("-exact"))
    found = library.attend(problem.queries, cells, 512, 0.05, kernel, mask=mask, threads=2)
    wanted = attention(problem)
    assert np.linalg.norm(found - wanted) < 1e-5 * np.linalg.norm(wanted)
