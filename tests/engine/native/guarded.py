"""A program that runs one kernel on arrays that end where unreadable pages begin, or begin where they end: `guarded.py KERNEL`.

A read or a write outside an array ends it with a signal. What this module does not do: run in the tests' own process.
"""

import ctypes
import mmap
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.native.library import Cell, Cells, Library
from tests.engine.native.cases import HIDDEN, causal, usual
from tests.engine.native.reference import Problem, attention, worst

_PAGE = mmap.PAGESIZE


def fenced(array: NDArray[np.generic], at_end: bool) -> NDArray[np.generic]:
    """A copy that touches an unreadable page with its last byte, or with its first."""
    pages = -(-array.nbytes // _PAGE)
    room = mmap.mmap(-1, (pages + 2) * _PAGE)
    libc = ctypes.CDLL(None, use_errno=True)
    start = ctypes.addressof(ctypes.c_char.from_buffer(room))
    for fence in (start, start + (pages + 1) * _PAGE):
        if libc.mprotect(ctypes.c_void_p(fence), ctypes.c_size_t(_PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    offset = (pages + 1) * _PAGE - array.nbytes if at_end else _PAGE
    copy = np.frombuffer(room, array.dtype, array.size, offset).reshape(array.shape)
    copy[...] = array
    return copy


def problems(rng: np.random.Generator) -> Iterator[Problem]:
    """Sizes at which whole vectors, tiles or blocks would run over."""
    for kind in Cell:
        for width, latent in ((96, 64), (64, 64), (160, 128), (576, 512)):
            for queries, keys, heads in ((1, 1, 1), (1, 7, 3), (3, 61, 5), (2, 97, 64), (1, 193, 65), (9, 131, 2)):
                if width == 576 and heads > 5:
                    continue
                yield usual(rng, queries, keys, heads, width, latent, kind)
                yield usual(rng, queries, keys, heads, width, latent, kind, mask=causal(queries, keys))
                some = np.where(rng.random((queries, keys)) < 0.5, HIDDEN, np.float16(0))
                yield usual(rng, queries, keys, heads, width, latent, kind, mask=some)


def main(kernel: str) -> None:
    """Every problem, fenced both ways, with one thread and with three."""
    library = Library()
    for problem in problems(np.random.default_rng(0)):
        wanted = attention(problem)
        for at_end in (True, False):
            queries = fenced(problem.queries, at_end).view(np.float32)
            cells = Cells(fenced(problem.cells.data, at_end).view(np.uint8), problem.cells.kind, problem.cells.width)
            mask = None if problem.mask is None else fenced(problem.mask, at_end).view(np.float16)
            out = fenced(np.full((*queries.shape[:2], problem.latent), np.nan, np.float32), at_end).view(np.float32)
            for threads in (1, 3):
                given = replace(problem, queries=queries, cells=cells, mask=mask)
                library.attend(given.queries, given.cells, given.latent, given.scale, kernel, mask=given.mask, threads=threads, out=out)
                assert worst(out, wanted) < 0.05


if __name__ == "__main__":
    main(sys.argv[1])
