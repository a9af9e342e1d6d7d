"""A pack: many contents in one file that is only appended to, and an index of them beside it.

`NAME.pack` holds the contents one after another, `NAME.idx` a record for each: 32 bytes SHA-256, 8 bytes offset, 8 bytes length,
both little endian. The contents are synced before their records are written, so a record never speaks of what is not there; what a
crash tore off the end of the index is no whole record and is not read. What this module does not do: know what is worth keeping, or
share a pack between writers: each writer makes its own.
"""

import contextlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from kimicode.session.private import sync_folder

_RECORD: Final = struct.Struct("<32sQQ")
_BUFFER: Final = 4 << 20
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Found(msgspec.Struct, frozen=True):
    """Where a content is: `length` bytes at `offset` of `pack`."""

    pack: Path
    offset: int
    length: int


class PackWriter:
    """Appends to a new pack. After an `OSError` from any method it is of no more use; what was committed before stays."""

    def __init__(self, path: Path) -> None:
        """Make `path` (ending in `.pack`, new) and its index. Raises `OSError`."""
        self.path = path
        self._data = os.open(path, _NEW, 0o600)
        try:
            self._index = os.open(path.with_suffix(".idx"), _NEW, 0o600)
            sync_folder(path.parent)
        except OSError:
            os.close(self._data)
            raise
        self._end = 0
        self._committed = 0
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._records: list[bytes] = []

    def add(self, digest: str, data: bytes) -> Found:
        """Take `data` in; it is on disk after the next `commit`."""
        found = Found(self.path, self._end, len(data))
        self._records.append(_RECORD.pack(bytes.fromhex(digest), found.offset, found.length))
        self._buffer.append(data)
        self._buffered += len(data)
        self._end += len(data)
        if self._buffered >= _BUFFER:
            self._flush()
        return found

    def commit(self) -> None:
        """Put everything that was added on disk."""
        if not self._records:
            return
        self._flush()
        os.fsync(self._data)
        _write_all(self._index, b"".join(self._records))
        os.fsync(self._index)
        self._records.clear()
        self._committed = self._end

    def give_up(self) -> None:
        """Close after a failure, and give back the room of what was not committed."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._data, self._committed)
        self._buffer.clear()
        self._records.clear()
        self.close()

    def close(self) -> None:
        """Close both files; what was not committed is not found again."""
        os.close(self._data)
        os.close(self._index)

    def _flush(self) -> None:
        _write_all(self._data, b"".join(self._buffer))
        self._buffer.clear()
        self._buffered = 0


def read_index(pack: Path) -> Iterator[tuple[str, Found]]:
    """The digests in a pack and where they are. Raises `OSError`."""
    raw = pack.with_suffix(".idx").read_bytes()
    for digest, offset, length in _RECORD.iter_unpack(raw[: len(raw) - len(raw) % _RECORD.size]):
        yield digest.hex(), Found(pack, offset, length)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
