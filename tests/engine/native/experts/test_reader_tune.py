"""Measuring how fast files are read: a rate that was reached, by a way that was asked for, and errors in a sentence."""

from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.native.library import Library
from engine.native.reader import ReaderLibrary

SIZE = 3_000_001


@pytest.fixture
def reader(library: Library) -> ReaderLibrary:
    assert library.kernels()
    return ReaderLibrary()


@pytest.fixture
def copies(tmp_path: Path) -> list[list[Path]]:
    """Two copies of a file, and of a small one."""
    paths = [[tmp_path / f"{copy}-{file}" for file in range(2)] for copy in range(2)]
    for large, small in paths:
        large.write_bytes(bytes(SIZE))
        small.write_bytes(b"small")
    return paths


@pytest.mark.parametrize("uring", [True, False])
def test_a_rate_is_measured_the_way_that_was_asked_for(uring: bool, reader: ReaderLibrary, copies: list[list[Path]]) -> None:
    rate = reader.measure(copies, 0.01, 65536, 2, direct=False, uring=uring)
    assert rate.bytes_per_second > 0
    assert (rate.piece, rate.depth, rate.direct) == (65536, 2, False)
    assert uring or not rate.uring


def test_tuning_finds_a_depth_and_pieces(reader: ReaderLibrary, copies: list[list[Path]]) -> None:
    rate = reader.tune(copies, 0.1)
    assert rate.bytes_per_second > 0
    assert rate.depth in (1, 2, 4, 8, 16, 32)
    assert rate.piece in (256 << 10, 1 << 20, 4 << 20)


def test_files_that_can_not_be_read_are_an_error(reader: ReaderLibrary, tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing", tmp_path / "empty"
    empty.touch()
    with pytest.raises(EngineError, match=r"missing: it can't be opened: No such file"):
        reader.tune([[missing]], 0.1)
    with pytest.raises(EngineError, match=r"empty: there is nothing in it to read"):
        reader.tune([[empty]], 0.1)
