"""Bytes for and from a side file: experts gathered out of a model's files, and runs of the side file past the page cache.

Experts of a layer lie in three places of the model, each a run of bytes over all experts; a batch of them is read run by run, in pieces
of a few megabytes, and from there each goes to where its expert wants it. What this module does not do: know what is to be copied, or in
what order.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError
from engine.side_file import BLOCK

PIECE: Final = 8 << 20
"""Bytes of the model read at once."""

SCRATCH: Final = PIECE + 2 * BLOCK
"""Bytes of memory that reading a piece takes."""

_NOT_DIRECT: Final = (errno.EINVAL, errno.ENOTSUP)


class ModelBytes:
    """A model's files, opened. A context manager. Raises `ModelFileError` where one can't be."""

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = paths
        self._opened = contextlib.ExitStack()
        self._files: list[Direct] = []
        try:
            for path in paths:
                with _blamed(path):
                    self._files.append(self._opened.enter_context(Direct(path, os.O_RDONLY)))
            self.state = self._state()
        except BaseException:
            self._opened.close()
            raise

    def __enter__(self) -> "ModelBytes":
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._opened.close()

    @property
    def changed(self) -> bool:
        """Whether a file was written to since it was opened, or replaced."""
        return self.state != self._state()

    def gather(self, into: memoryview, scratch: memoryview, ranges: NDArray[np.int64], stride: int) -> None:
        """Read experts one behind the other, `stride` bytes from one to the next, with zeros between them; `ranges` is (experts, part, 3),
        as in `ExpertFiles`, `scratch` has `SCRATCH` bytes for direct I/O. Raises `ModelFileError`.
        """
        target, sizes = np.frombuffer(into, np.uint8), ranges[..., 2]
        to = np.arange(len(ranges))[:, None] * stride + np.cumsum(sizes, axis=1) - sizes
        pieces = np.concatenate([ranges, to[..., None]], axis=-1).reshape(-1, 4)
        for run in _runs(pieces[np.lexsort((pieces[:, 1], pieces[:, 0]))]):
            file, start = run[0][:2]
            read = self._read(file, start, run[-1][1] + run[-1][2] - start, scratch)
            for _, offset, size, place in run:
                target[place : place + size] = read[offset - start : offset - start + size]
        target.reshape(len(ranges), stride)[:, int(sizes[0].sum()) :] = 0

    def _read(self, file: int, at: int, size: int, scratch: memoryview) -> NDArray[np.uint8]:
        """So many bytes of a file, at most `PIECE`, somewhere in `scratch`; what fails is tried once more."""
        path, before = self._paths[file], at % BLOCK
        wanted = scratch[: -(-(before + size) // BLOCK) * BLOCK]
        for again in (False, True):
            try:
                self._files[file].read(wanted, at - before, before + size)
                break
            except OSError as error:
                if again:
                    said = (error.strerror or str(error)).lower()
                    raise ModelFileError(f"{path} can't be read at byte {at:,}: {said}; see to its drive, what is done is kept") from None
        return np.frombuffer(wanted, np.uint8)[before : before + size]

    def _state(self) -> list[tuple[int, int, int]]:
        found = []
        for path, file in zip(self._paths, self._files, strict=True):
            with _blamed(path):
                ours, named = file.state(), path.stat()
            found += [(state.st_ino, state.st_size, state.st_mtime_ns) for state in (ours, named)]
        return found


class Direct:
    """A file read and written in whole blocks, past the page cache where the file system can. A context manager. Raises `OSError`."""

    def __init__(self, path: Path, flags: int, mode: int = 0o644, opener: Callable[[Path, int, int], int] = os.open) -> None:
        self._path = path
        self._opener = opener
        self._flags = flags | os.O_CLOEXEC
        self._lock = threading.Lock()
        self.direct = hasattr(os, "O_DIRECT")
        try:
            self._file = opener(path, self._flags | (os.O_DIRECT if self.direct else 0), mode)
        except OSError as error:
            if not self.direct or error.errno not in _NOT_DIRECT:
                raise
            self.direct = False
            self._file = opener(path, self._flags, mode)

    def __enter__(self) -> "Direct":
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        os.close(self._file)

    def write(self, data: memoryview, at: int) -> None:
        """All of `data` at byte `at`."""
        while data:
            direct = self.direct
            try:
                count = os.pwrite(self._file, data, at)
            except OSError as error:
                self._go_on_without(direct, error)
                continue
            data, at = data[count:], at + count

    def read(self, into: memoryview, at: int, least: int | None = None) -> None:
        """Fill `into`, or at least so many bytes of it, from byte `at` on, from the drive. Raises `OSError` where the file ends before."""
        left = len(into) if least is None else least
        while left > 0:
            direct = self.direct
            try:
                count = os.preadv(self._file, [into], at)
            except OSError as error:
                self._go_on_without(direct, error)
                continue
            if count == 0:
                raise OSError(errno.EIO, "it ends too early", str(self._path))
            self._forget(at, count)
            into, at, left = into[count:], at + count, left - count

    def forget(self) -> None:
        """Read from the drive from now on, also where there is no direct I/O, what is durable."""
        self._forget(0, 0)

    def state(self) -> os.stat_result:
        """Of the file that is open."""
        return os.fstat(self._file)

    def sync(self) -> None:
        """Return when everything written is on the disk."""
        os.fsync(self._file)

    def cut(self, size: int) -> None:
        """Make the file so long."""
        os.ftruncate(self._file, size)

    def _forget(self, at: int, count: int) -> None:
        # Nobody reads it twice, and what others have in the page cache is of more use.
        if not self.direct and hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._file, at, count, os.POSIX_FADV_DONTNEED)

    def _go_on_without(self, direct: bool, error: OSError) -> None:
        """Open the file again without direct I/O, if it was that which failed; else raise the error. Other threads may be in it."""
        if not direct or error.errno not in _NOT_DIRECT:
            raise error
        with self._lock:
            if self.direct:
                plain = self._opener(self._path, self._flags & ~(os.O_CREAT | os.O_TRUNC), 0)
                os.dup2(plain, self._file, inheritable=False)
                os.close(plain)
                self.direct = False


@contextlib.contextmanager
def _blamed(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelFileError(f"{path}: {(error.strerror or str(error)).lower()}: get it again, or see to its drive") from None


def _runs(pieces: NDArray[np.int64]) -> Iterator[list[tuple[int, int, int, int]]]:
    """Pieces (file, offset, bytes, place), in the order of the files, in groups that can be read at once: at most `PIECE` bytes each."""
    run: list[tuple[int, int, int, int]] = []
    for file, offset, size, to in _small(pieces):
        follows = bool(run) and run[-1][0] == file and run[-1][1] + run[-1][2] == offset
        if run and (not follows or offset + size - run[0][1] > PIECE):
            yield run
            run = []
        run.append((file, offset, size, to))
    if run:
        yield run


def _small(pieces: NDArray[np.int64]) -> Iterator[tuple[int, int, int, int]]:
    """The same, those of more than `PIECE` bytes in several; those of none left out."""
    for file, offset, size, to in pieces.tolist():
        for done in range(0, size, PIECE):
            yield file, offset + done, min(PIECE, size - done), to + done
