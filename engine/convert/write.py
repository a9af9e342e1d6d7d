"""Parts written to disk so that no end of the process loses more than one tensor or leaves half a model under a final name.

A part grows under a `.partial` name; a finished tensor is made durable, then noted in the journal with its checksum. On the next run
what is there is read back against those checksums, which gives the SHA-256 of the whole on the way, and cut off where it differs.
Names become final when everything is complete, the first part last. What this module does not do: decide what to write.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final

from engine.convert import checksums
from engine.convert.disk import reported, size, sync_folder
from engine.convert.journal import Journal
from engine.convert.layout import Part, Tensor, padded
from engine.convert.sources import Count, ahead

PARTIAL: Final = ".partial"
"""What an unfinished part's name ends with."""

_READ_BYTES: Final = 8 * 1024 * 1024


def partial(part: Part) -> Path:
    """Where `part` is while it is unfinished."""
    return part.path.with_name(part.path.name + PARTIAL)


def missing_bytes(parts: Iterable[Part]) -> int:
    """How many bytes the disk must still take."""
    return sum(max(0, part.size - max(0, size(part.path), size(partial(part)))) for part in parts)


class Writer:
    """Writes parts with a pool of `workers` threads; `count` hears of every byte that is on the disk."""

    def __init__(self, journal: Journal, pool: Executor, workers: int, count: Count) -> None:
        self._journal = journal
        self._pool = pool
        self._workers = workers
        self._count = count

    def write(self, target: Path, parts: Sequence[Part]) -> None:
        """Complete all `parts`, give them their names, and write `target`'s checksum file. Raises `StoppedError` if the disk fails."""
        digests = [self._part(number, part) for number, part in enumerate(parts)]
        with reported(target):
            for part in reversed(parts[1:]):
                _publish(part)
            checksums.write(target, {part.path: digest for part, digest in zip(parts, digests, strict=True)})
            _publish(parts[0])
            sync_folder(target.parent)
            self._journal.remove()

    def _part(self, number: int, part: Part) -> str:
        """Complete one part under its partial name; its SHA-256."""
        digest = self._journal.sealed(number, part.origins)
        if digest is not None and part.size in (size(part.path), size(partial(part))):
            self._count(part.size)
            return digest
        path = partial(part)
        with reported(path), path.open("r+b" if path.exists() else "w+b", buffering=0) as file:
            output = _Output(file.fileno(), self._count)
            if not output.keep_header(part.header):
                output.write(part.header)
            kept = output.keep_tensors(part, lambda tensor: self._journal.checksum(number, tensor, part.tensors[tensor].origin))
            for index, tensor in enumerate(part.tensors[kept:], kept):
                self._journal.finish(number, index, self._tensor(output, tensor), tensor.origin)
            output.sync()
        self._journal.seal(number, output.digest())
        return output.digest()

    def _tensor(self, output: "_Output", tensor: Tensor) -> int:
        """Write one tensor and its padding, durably; their CRC-32."""
        output.checksum = made = 0
        for piece in ahead(self._pool, tensor.pieces(), self._workers):
            output.write(piece.data)
            made += len(piece)
        assert made == tensor.size, f"{tensor.name}: {made} bytes made, {tensor.size} laid out"
        output.write(bytes(padded(made) - made))
        output.sync()
        return output.checksum


class _Output:
    """A file that only grows. Every byte goes into its SHA-256 and, until the owner zeroes it, into `checksum`."""

    def __init__(self, file: int, count: Count) -> None:
        self._file = file
        self._count = count
        self._hash = hashlib.sha256()
        self._at = 0
        self.checksum = 0

    def write(self, data: bytes | memoryview) -> None:
        """Add all of `data` at the end."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._file, view, self._at)
            self._take(view[:written])
            view = view[written:]

    def keep_header(self, header: bytes) -> bool:
        """Whether the file begins with `header`, which then counts as written; if not, the file is emptied."""
        if os.pread(self._file, len(header), 0) == header:
            self._take(header)
            return True
        os.ftruncate(self._file, 0)
        return False

    def keep_tensors(self, part: Part, checksum: Callable[[int], int | None]) -> int:
        """How many tensors from the first on are there as `checksum` says they were written; the file is cut after them."""
        kept = 0
        for index, tensor in enumerate(part.tensors):
            expected = checksum(index)
            if expected is None or not self._keep(padded(tensor.size), expected):
                break
            kept += 1
        os.ftruncate(self._file, self._at)
        return kept

    def sync(self) -> None:
        """Return when everything is on the disk."""
        os.fsync(self._file)

    def digest(self) -> str:
        """The SHA-256 of the file so far."""
        return self._hash.hexdigest()

    def _keep(self, size: int, expected: int) -> bool:
        """Take in the next `size` bytes of the file if they have the expected CRC-32."""
        before, at = self._hash.copy(), self._at
        self.checksum = 0
        while self._at < at + size and (data := os.pread(self._file, min(_READ_BYTES, at + size - self._at), self._at)):
            self._hash.update(data)
            self.checksum = zlib.crc32(data, self.checksum)
            self._at += len(data)
        if self._at == at + size and self.checksum == expected:
            self._count(size)
            return True
        self._hash, self._at = before, at
        return False

    def _take(self, data: bytes | memoryview) -> None:
        self._hash.update(data)
        self.checksum = zlib.crc32(data, self.checksum)
        self._at += len(data)
        self._count(len(data))


def _publish(part: Part) -> None:
    if partial(part).exists():
        partial(part).replace(part.path)
