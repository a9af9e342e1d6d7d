"""Every kernel that runs here against double precision."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.library import Cell, Cells, Library
from tests.engine.native import strided
from tests.engine.native.cases import BORDERS, HIDDEN, Case, cases, causal, only, usual
from tests.engine.native.reference import Doubles, Problem, attention, conditioning, read, worst, write

# The greatest relative error of a row, for usual and for hard inputs, and how many significant bits of a query count.
_LIMITS: Final = {"exact": (1e-5, 1e-3, 20), "pairs": (1e-3, 6e-3, 11)}
_WIDTHS: Final = ((96, 64), (64, 64), (128, 128), (160, 128), (320, 256), (576, 512))


def _run(library: Library, problem: Problem, kernel: str, threads: int = 2) -> NDArray[np.float32]:
    p = problem
    return library.attend(p.queries, p.cells, p.latent, p.scale, kernel, mask=p.mask, threads=threads)


def _limit(kernel: str) -> float:
    return _LIMITS[kernel.rsplit("-", 1)[1]][0]


@functools.lru_cache(maxsize=1)
def _solved(case: Case) -> tuple[Problem, Doubles]:
    problem = case.problem()
    return problem, attention(problem)


@pytest.mark.parametrize("case", tuple(cases()), ids=lambda case: case.name)
def test_results_are_near_those_of_double_precision(case: Case, kernel: str, library: Library) -> None:
    problem, wanted = _solved(case)
    error = worst(_run(library, problem, kernel), wanted)
    limit, hard, bits = _LIMITS[kernel.rsplit("-", 1)[1]]
    if case.hard:
        # Where weights hang on the queries' last bits, a kernel must be no worse than double precision on queries with as many bits.
        limit = hard if error <= hard else conditioning(problem, bits, wanted)
    assert error <= limit


def test_a_mask_of_large_finite_numbers_costs_what_f32_has_left(kernel: str, library: Library) -> None:
    rng = np.random.default_rng(1)
    problem = usual(rng, 11, 300, 9, 96, 64, mask=np.full((11, 300), np.float16(-65504)))
    # Near 65504 / ln 2 numbers of 32 bits lie 2^-7 apart, so that a weight may be wrong by 2^(2^-8), 0.3 %.
    assert worst(_run(library, problem, kernel), attention(problem)) <= 3e-3 + _limit(kernel)


@pytest.mark.parametrize("keys", BORDERS)
def test_tiles_end_anywhere(keys: int, kernel: str, library: Library) -> None:
    rng = np.random.default_rng(keys)
    for kind, mask in ((Cell.F16, None), (Cell.Q8_0, causal(3, keys)), (Cell.BF16, only(3, keys, keys - 1)), (Cell.F32, only(3, keys, 0))):
        problem = usual(rng, 3, keys, 5, 96, 64, kind, mask=mask)
        assert worst(_run(library, problem, kernel, 3), attention(problem)) <= _limit(kernel)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("queries", [1, 4, 40])
def test_threads_share_the_work_and_repeat_it_exactly(threads: int, queries: int, kernel: str, library: Library) -> None:
    problem = usual(np.random.default_rng(queries), queries, 1500, 6, 96, 64, mask=causal(queries, 1500))
    result = _run(library, problem, kernel, threads)
    assert worst(result, attention(problem)) <= _limit(kernel)
    assert np.array_equal(_run(library, problem, kernel, threads), result)


@pytest.mark.parametrize("kind", Cell)
def test_strides_change_nothing(kind: Cell, kernel: str, library: Library) -> None:
    rng = np.random.default_rng(2)
    problem = usual(rng, 5, 200, 7, 160, 128, kind, mask=causal(5, 200))
    size = problem.cells.data.shape[1]
    room = np.full((200, size + 96), 0xFF, np.uint8)
    room[:, :size] = problem.cells.data
    wide = np.full((7, 6, 192), np.nan, np.float32)
    wide[:, :5, :160] = problem.queries.transpose(1, 0, 2)
    mask = np.zeros((5, 333), np.float16)
    mask[:, :200] = problem.mask
    out = np.empty((5, 7, 128), np.float32)
    queries = wide[:, :5, :160].transpose(1, 0, 2)
    assert strided.attend(queries, Cells(room[:, :size], kind, 160), 128, problem.scale, kernel, mask[:, :200], 3, out) == 0
    assert np.array_equal(out, _run(library, problem, kernel, 3))


@pytest.mark.parametrize("kind", Cell)
def test_hidden_cells_leave_no_trace(kind: Cell, kernel: str, library: Library) -> None:
    """A cache's hidden cells hold what was there before; once, a great one took the bits of all others of its tile."""
    rng = np.random.default_rng(3)
    mask = np.where(rng.random((6, 400)) < 0.5, HIDDEN, np.float16(0))
    mask[:, rng.random(400) < 0.5] = HIDDEN
    problem = usual(rng, 6, 400, 5, 96, 64, kind, mask=mask)
    values = read(problem.cells).astype(np.float32)
    values[(mask == HIDDEN).all(axis=0)] *= np.float32(5000)
    changed = replace(problem, cells=write(values, kind))
    assert worst(_run(library, changed, kernel), attention(problem)) <= _limit(kernel)
    untouched = replace(problem, cells=write(read(problem.cells).astype(np.float32), kind))
    assert np.array_equal(_run(library, changed, kernel), _run(library, untouched, kernel))


def _no_mask(rng: np.random.Generator, queries: int, keys: int) -> None:
    return None


def _random(rng: np.random.Generator, queries: int, keys: int) -> NDArray[np.float16]:
    return np.where(rng.random((queries, keys)) < rng.random(), HIDDEN, np.float16(0))


def _bands(rng: np.random.Generator, queries: int, keys: int) -> NDArray[np.float16]:
    first = rng.integers(0, keys, (queries, 1))
    inside = (np.arange(keys) >= first) & (np.arange(keys) < first + rng.integers(0, keys, (queries, 1)))
    return np.where(inside, np.float16(0), HIDDEN)


def _graded(rng: np.random.Generator, queries: int, keys: int) -> NDArray[np.float16]:
    return np.where(rng.random((queries, keys)) < 0.3, HIDDEN, (-4 * rng.random((queries, keys))).astype(np.float16))


Masks = Callable[[np.random.Generator, int, int], NDArray[np.float16] | None]


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    queries=st.integers(1, 20),
    keys=st.integers(1, 400),
    heads=st.integers(1, 100),
    sizes=st.sampled_from(_WIDTHS),
    kind=st.sampled_from(Cell),
    mask=st.sampled_from((_no_mask, _random, _bands, _graded)),
    threads=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
def _any_shape(
    library: Library,
    kernel: str,
    queries: int,
    keys: int,
    heads: int,
    sizes: tuple[int, int],
    kind: Cell,
    mask: Masks,
    threads: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    heads = min(heads, max(1, 1_000_000 // (queries * keys * sizes[0] // 64)))
    problem = usual(rng, queries, keys, heads, *sizes, kind, logits=2.0, mask=mask(rng, queries, keys))
    assert worst(_run(library, problem, kernel, threads), attention(problem)) <= _limit(kernel)


def test_any_shape_is_computed(kernel: str, library: Library) -> None:
    _any_shape(library, kernel)


@pytest.mark.parametrize(("width", "latent", "kind"), [(40, 32, Cell.F16), (96, 32, Cell.F16), (64, 128, Cell.F16), (80, 64, Cell.F32)])
def test_sizes_that_no_kernel_takes_are_refused(width: int, latent: int, kind: Cell, kernel: str, library: Library) -> None:
    with pytest.raises(EngineError, match="no kernel takes these sizes"):
        _run(library, usual(np.random.default_rng(0), 1, 4, 2, width, latent, kind), kernel)


def test_an_unknown_kernel_is_refused(library: Library) -> None:
    with pytest.raises(EngineError, match="no such kernel"):
        _run(library, usual(np.random.default_rng(0), 1, 4, 2, 96, 64), "nothing-exact")
