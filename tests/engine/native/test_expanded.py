"""The expanded form against double precision: what its results are made for, the product with the values' matrix, must be right."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.library import Cell, Form, Library, Matrices
from tests.engine.native.cases import HIDDEN, causal, normal, only
from tests.engine.native.reference import Doubles, Problem, attention, worst, write

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """Of a head's matrices and of what is asked."""

    queries: int = 70
    keys: int = 200
    heads: int = 2
    latent: int = 512
    rotated: int = 64
    key_rank: int = 128
    value_rank: int = 128


def matrices(rng: np.random.Generator, sizes: Sizes) -> Matrices:
    """Well conditioned."""
    keys = normal(rng, sizes.heads, sizes.latent, sizes.key_rank)
    values = normal(rng, sizes.heads, sizes.value_rank, sizes.latent)
    return Matrices(keys / np.float32(sizes.latent**0.5), values / np.float32(sizes.latent**0.5))


def problem(
    rng: np.random.Generator,
    sizes: Sizes,
    given: Matrices,
    kind: Cell = Cell.F16,
    mask: NDArray[np.float16] | None = None,
) -> Problem:
    """Queries that `given` made, with scores whose standard deviation is 3."""
    before = normal(rng, sizes.queries, sizes.heads, sizes.key_rank)
    absorbed = np.einsum("hlr,qhr->qhl", given.keys.astype(np.float64), before)
    absorbed *= (sizes.latent / np.square(absorbed).sum(axis=-1).mean()) ** 0.5
    asked = np.concatenate([absorbed, normal(rng, sizes.queries, sizes.heads, sizes.rotated)], axis=2).astype(np.float32)
    cells = write(normal(rng, sizes.keys, sizes.latent + sizes.rotated), kind)
    return Problem(asked, cells, sizes.latent, 3 / (sizes.latent + sizes.rotated) ** 0.5, mask)


def products(given: Matrices, results: Floats | Doubles) -> Doubles:
    """What comes next in a model."""
    result: Doubles = np.einsum("hrl,qhl->qhr", given.values.astype(np.float64), results)
    return result


def expanded(library: Library, kernel: str, asked: Problem, given: Matrices, threads: int = 1, form: Form = Form.EXPANDED) -> Floats:
    return library.attend_expanded(asked.queries, asked.cells, given, asked.scale, kernel, mask=asked.mask, threads=threads, form=form)


def check(library: Library, kernel: str, asked: Problem, given: Matrices) -> None:
    """The product is right."""
    got = products(given, expanded(library, kernel, asked, given))
    assert worst(got, products(given, attention(asked))) < (5e-5 if kernel.endswith("-exact") else 6e-3)


@pytest.mark.parametrize("kind", Cell)
def test_types_of_cells(kernel: str, kind: Cell, library: Library) -> None:
    rng, sizes = np.random.default_rng(1), Sizes()
    given = matrices(rng, sizes)
    check(library, kernel, problem(rng, sizes, given, kind, causal(sizes.queries, sizes.keys)), given)


@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(1, 1),
        Sizes(3, 95),
        Sizes(63, 97),
        Sizes(64, 192),
        Sizes(65, 193),
        Sizes(129, 385, 3),
        Sizes(40, 200, 3, 64, 32, 32, 64),
        Sizes(40, 200, 1, 128, 0, 31, 33),
        Sizes(40, 200, 2, 192, 32, 192, 17),
        Sizes(40, 200, 2, 256, 64, 96, 160),
    ],
)
def test_sizes(kernel: str, sizes: Sizes, library: Library) -> None:
    rng = np.random.default_rng(sizes.keys)
    given = matrices(rng, sizes)
    for mask in (None, causal(sizes.queries, sizes.keys) if sizes.queries <= sizes.keys else None):
        check(library, kernel, problem(rng, sizes, given, mask=mask), given)


def test_masks(kernel: str, library: Library) -> None:
    rng, sizes = np.random.default_rng(2), Sizes(150, 500, 1)
    given = matrices(rng, sizes)
    shape = (sizes.queries, sizes.keys)
    staircase = np.where(np.arange(500) // 100 == (np.arange(150) // 40)[:, None], np.float16(0), HIDDEN)
    slopes = np.where(rng.random(shape) < 0.3, HIDDEN, (-rng.random(shape) * 4).astype(np.float16))
    alone = only(*shape, 499)
    alone[70] = HIDDEN
    for mask in (staircase, slopes, alone, only(*shape, slice(96, 192)), only(*shape)):
        check(library, kernel, problem(rng, sizes, given, mask=mask), given)


@pytest.mark.parametrize("condition", [1e2, 1e4])
def test_ill_conditioned_matrices(kernel: str, condition: float, library: Library) -> None:
    rng, sizes = np.random.default_rng(3), Sizes()
    well = matrices(rng, sizes)
    spread = np.geomspace(1, 1 / condition, 128)

    def spoil(matrix: Doubles) -> Floats:
        left, _, right = np.linalg.svd(matrix, full_matrices=False)
        return np.ascontiguousarray((left * spread) @ right, np.float32)

    given = Matrices(spoil(well.keys.astype(np.float64)), spoil(well.values.astype(np.float64)))
    check(library, kernel, problem(rng, sizes, given), given)


def test_dependent_rows_and_rows_of_zeros(kernel: str, library: Library) -> None:
    rng, sizes = np.random.default_rng(4), Sizes()
    given = matrices(rng, sizes)
    given.keys[:, :, 5] = 0
    given.keys[:, :, 100] = 2 * given.keys[:, :, 3] + given.keys[:, :, 4]
    given.values[0, 64:] = given.values[0, :64]
    given.values[1, 2:] = given.values[1, :1] * 1e-3
    given.values[1, 70] = 0
    check(library, kernel, problem(rng, sizes, given), given)


def test_results_are_the_part_that_counts(kernel: str, library: Library) -> None:
    rng, sizes = np.random.default_rng(10), Sizes(heads=1)
    given = matrices(rng, sizes)
    asked = problem(rng, sizes, given)
    matrix = given.values[0].astype(np.float64)
    shortest = np.linalg.solve(matrix @ matrix.T, matrix @ attention(asked)[:, 0].T).T @ matrix
    assert worst(expanded(library, kernel, asked, given)[:, 0], shortest) < 6e-3


def test_matrices_of_zeros(kernel: str, library: Library) -> None:
    rng, sizes = np.random.default_rng(5), Sizes()
    given = matrices(rng, sizes)
    asked = problem(rng, sizes, given)
    given.values[:] = 0
    assert not expanded(library, kernel, asked, given).any()


def test_threads_share_heads_and_queries(kernel: str, library: Library) -> None:
    rng, sizes = np.random.default_rng(6), Sizes(200, 300, 1)
    given = matrices(rng, sizes)
    asked = problem(rng, sizes, given, mask=causal(200, 300))
    alone = expanded(library, kernel, asked, given)
    for threads in (2, 3):
        assert np.array_equal(expanded(library, kernel, asked, given, threads), alone)


@pytest.mark.parametrize("number", [np.inf, np.nan])
def test_weights_that_are_no_numbers_are_declined(kernel: str, number: float, library: Library) -> None:
    rng, sizes = np.random.default_rng(7), Sizes()
    given = matrices(rng, sizes)
    asked = problem(rng, sizes, given)
    given.values[1, 7, 9] = number
    with pytest.raises(EngineError):
        expanded(library, kernel, asked, given)


def test_ranks_above_the_latent_are_declined(kernel: str, library: Library) -> None:
    rng = np.random.default_rng(8)
    for sizes in (Sizes(latent=64, key_rank=65, value_rank=64), Sizes(latent=64, key_rank=64, value_rank=65)):
        given = matrices(rng, sizes)
        with pytest.raises(EngineError, match="sizes"):
            expanded(library, kernel, problem(rng, sizes, given), given)


def test_the_cheaper_form_is_chosen(kernel: str, library: Library) -> None:
    rng = np.random.default_rng(9)
    for queries, keys, ranks, taken in ((1, 2000, 64, False), (64, 64, 64, False), (600, 600, 512, False), (600, 1500, 64, True)):
        sizes = Sizes(queries, keys, 1, key_rank=ranks, value_rank=ranks)
        given = matrices(rng, sizes)
        asked = problem(rng, sizes, given)
        if taken:
            expanded(library, kernel, asked, given, form=Form.CHEAPER)
        else:
            with pytest.raises(EngineError, match="not cheaper"):
                expanded(library, kernel, asked, given, form=Form.CHEAPER)
