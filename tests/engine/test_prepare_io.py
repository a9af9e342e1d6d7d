"""Reading a model's experts and writing them elsewhere: past the page cache where that works, without it where not, never half."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelFileError
from engine.prepare_io import PIECE, SCRATCH, Direct, ModelBytes
from engine.prepare_team import Team, aligned

BLOCK = 4096


def buffered_only(path: Path, flags: int, mode: int) -> int:
    """A file system that knows no direct I/O."""
    if flags & os.O_DIRECT:
        raise OSError(errno.EINVAL, "invalid argument")
    return os.open(path, flags, mode)


def unable(path: Path, flags: int, mode: int) -> int:
    """A file that nobody can open."""
    raise OSError(errno.EACCES, "permission denied", str(path))


def test_whole_blocks_go_out_and_come_back(tmp_path: Path) -> None:
    data, back = aligned(3 * BLOCK), aligned(3 * BLOCK)
    data[:] = os.urandom(3 * BLOCK)
    with Direct(tmp_path / "file", os.O_RDWR | os.O_CREAT) as file:
        file.write(data, BLOCK)
        file.sync()
        file.forget()
        file.read(back, BLOCK)
        assert back == data
        file.cut(0)
        assert file.state().st_size == 0
    assert not (tmp_path / "file").read_bytes()


def test_where_there_is_no_direct_io_it_does_without(tmp_path: Path) -> None:
    data, back = aligned(BLOCK), aligned(BLOCK)
    data[:] = os.urandom(BLOCK)
    with Direct(tmp_path / "file", os.O_RDWR | os.O_CREAT, opener=buffered_only) as file:
        assert not file.direct
        file.write(data, 0)
        file.sync()
        file.forget()
        file.read(back, 0)
    assert back == data


def test_what_direct_io_refuses_is_done_without(tmp_path: Path) -> None:
    """Some file systems open a file for direct I/O and refuse it afterwards, as all do where a place is no multiple of a block."""
    with Direct(tmp_path / "file", os.O_RDWR | os.O_CREAT) as file:
        file.write(memoryview(b"some bytes"), 3)
        back = aligned(BLOCK)
        file.read(back[:5], 8)
        assert not file.direct
    assert bytes(back[:5]) == b"bytes"
    with Direct(tmp_path / "file", os.O_RDONLY) as file:
        file.read(back[1:5], 8)
    assert bytes(back[1:5]) == b"byte"


def test_other_failures_are_not_taken_for_that(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        Direct(tmp_path / "file", os.O_RDONLY, opener=unable)
    (tmp_path / "file").write_bytes(bytes(BLOCK + 5))
    with Direct(tmp_path / "file", os.O_RDONLY) as file:
        file.read(aligned(2 * BLOCK), 0, BLOCK + 5)
        with pytest.raises(OSError, match="ends too early"):
            file.read(aligned(2 * BLOCK), 0, BLOCK + 6)
        with pytest.raises(OSError, match="Bad file descriptor"):
            file.write(aligned(BLOCK), 0)


def test_matrices_larger_than_a_read_and_out_of_several_files_come_together(tmp_path: Path) -> None:
    """Two experts: gate and up behind each other in one file, down, far larger than one read, in another; at odd places."""
    rng = np.random.default_rng(0)
    sizes, large = (100, 77), PIECE + 12_345
    first, second = (rng.integers(0, 256, 2 * size + 11, np.uint8).tobytes() for size in (sum(sizes), large))
    (tmp_path / "one").write_bytes(first)
    (tmp_path / "two").write_bytes(second)
    gate = [(0, 11 + expert * sum(sizes), sizes[0]) for expert in range(2)]
    up = [(0, at + sizes[0], sizes[1]) for _, at, _ in gate]
    down = [(1, 7 + expert * large, large) for expert in range(2)]
    ranges = np.array([gate, up, down]).transpose(1, 0, 2)
    stride = -(-(sum(sizes) + large) // BLOCK) * BLOCK
    into = aligned(2 * stride)
    into[:] = b"\xff" * len(into)
    with ModelBytes((tmp_path / "one", tmp_path / "two")) as source:
        source.gather(into, aligned(SCRATCH), ranges, stride)
        assert not source.changed
    for expert in range(2):
        start, at = 11 + expert * sum(sizes), 7 + expert * large
        wanted = first[start : start + sum(sizes)] + second[at : at + large]
        assert bytes(into[expert * stride : (expert + 1) * stride]) == wanted.ljust(stride, b"\0")


def test_a_read_error_names_file_and_place(tmp_path: Path) -> None:
    """Nobody's memory begins at 0: the kernel says EIO, as for a broken drive."""
    ranges = np.array([[[0, 0, 10], [0, 10, 10], [0, 20, 10]]])
    with ModelBytes((Path("/proc/self/mem"),)) as source, pytest.raises(ModelFileError, match=r"mem can't be read at byte 0: input/output"):
        source.gather(aligned(BLOCK), aligned(SCRATCH), ranges, BLOCK)


def test_a_model_cut_meanwhile_is_an_error_and_a_change(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(bytes(100_000))
    ranges = np.array([[[0, 90_000, 10], [0, 90_010, 10], [0, 90_020, 10]]])
    with ModelBytes((tmp_path / "model",)) as source:
        os.truncate(tmp_path / "model", 1000)
        assert source.changed
        with pytest.raises(ModelFileError, match="at byte 90,000: it ends too early"):
            source.gather(aligned(BLOCK), aligned(SCRATCH), ranges, BLOCK)


def test_a_model_put_in_the_place_of_another_is_a_change(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(bytes(100))
    with ModelBytes((tmp_path / "model",)) as source:
        (tmp_path / "new").write_bytes(bytes(100))
        os.utime(tmp_path / "new", ns=(1, (tmp_path / "model").stat().st_mtime_ns))
        assert not source.changed
        (tmp_path / "new").replace(tmp_path / "model")
        assert source.changed
    with pytest.raises(ModelFileError, match="no such file"):
        ModelBytes((tmp_path / "model", tmp_path / "none"))


def test_a_team_works_in_order_and_stops_at_the_first_failure() -> None:
    done: list[int] = []

    def work(item: int, buffer: memoryview) -> int:
        buffer[0] = item
        if item == 50:
            raise ValueError("no")
        done.append(item)
        return buffer[0]

    with Team(3, 10) as team:
        results = team.each(range(200), work)
        assert [next(results) for _ in range(50)] == [(item, item) for item in range(50)]
        with pytest.raises(ValueError, match="no"):
            next(results)
    assert sorted(done)[:50] == list(range(50))
    assert len(done) < 100


def test_threads_that_meet_the_refusal_at_once_all_go_on(tmp_path: Path) -> None:
    """One of them opened the file anew, and the others took their refusal for a fault."""
    with Direct(tmp_path / "file", os.O_RDWR | os.O_CREAT) as file, Team(8, 10) as team:
        for _ in team.each(range(64), lambda item, _: file.write(memoryview(b"%9d\n" % item), item * 10)):
            pass
    assert (tmp_path / "file").read_text() == "".join(f"{item:9}\n" for item in range(64))
