"""Output of unknown size in bounded memory: the beginning, the end, and all of it in a scratch file once it is large.

Losing the scratch file (disk full) loses only the middle of the output, never the run. What this module does not do: read a pipe
(`sandbox.run`) or word the preview (`tools.overflow`).
"""

import codecs
import contextlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

MAX_SPILL_BYTES: Final = 64 * 1024 * 1024
"""A scratch file stops here: a command that prints for ever must not fill the disk."""


class Captured(msgspec.Struct, frozen=True):
    """What was kept. Where nothing was left out, `head` is everything; otherwise `omitted` bytes lie between `head` and `tail`,
    and `whole` is the file that has them, None if it could not be written. `whole_cut` says that the file too stops early."""

    head: str
    tail: str = ""
    omitted: int = 0
    whole: Path | None = None
    whole_cut: bool = False


class Capture:
    """Feed it bytes, then `close` it. Output of up to `limit` bytes is kept whole; of more, `head` and `tail` bytes are kept.

    `tee` gets the same bytes as they come; it must not raise.
    """

    def __init__(
        self,
        scratch: Path,
        stem: str,
        *,
        limit: int,
        head: int,
        tail: int,
        max_spill: int = MAX_SPILL_BYTES,
        tee: Callable[[bytes], None] | None = None,
    ) -> None:
        self._scratch, self._stem = scratch, stem
        self._tee = tee
        self._limit, self._head, self._tail, self._room = limit, head, tail, max_spill
        self._first = bytearray()
        self._last = bytearray()
        self._total = 0
        self._file: BinaryIO | None = None
        self._whole: Path | None = None

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Never raises."""
        room = self._limit - len(self._first)
        self._first += data[:room]
        self._last += data
        if len(self._last) > 4 * self._tail:
            del self._last[: -self._tail]
        self._total += len(data)
        if self._total > self._limit:
            if self._total - len(data) <= self._limit:
                self._open()
                self._spill(bytes(self._first))
            self._spill(data[room:])
        if self._tee is not None:
            self._tee(data)

    def close(self) -> Captured:
        """What was kept; the scratch file is complete."""
        self._spill(b"", last=True)
        if self._total <= self._limit:
            return Captured(bytes(self._first).decode("utf-8", "replace"))
        head, tail = bytes(self._first[: self._head]), bytes(self._last[-self._tail :])
        return Captured(_whole_chars(head), _after_cut(tail), self._total - len(head) - len(tail), self._whole, self._room < 0)

    def _open(self) -> None:
        with contextlib.suppress(OSError):
            self._file = create_scratch(self._scratch, self._stem)
            self._whole = Path(self._file.name)

    def _spill(self, data: bytes, *, last: bool = False) -> None:
        if self._file is None:
            return
        try:
            self._file.write(data[: max(0, self._room)])
            self._room -= len(data)
            if last:
                self._file.close()
        except OSError:
            # A file that lacks its middle would mislead: better none.
            with contextlib.suppress(OSError):
                self._file.close()
            if self._whole is not None:
                self._whole.unlink(missing_ok=True)
            self._file = self._whole = None


def create_scratch(folder: Path, stem: str) -> BinaryIO:
    """A new file `stem-N.txt` in `folder`, which only the user can read, with the lowest N that is free. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for number in itertools.count(1):
        with contextlib.suppress(FileExistsError):
            path = folder / f"{stem}-{number}.txt"
            return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))
    raise AssertionError("unreachable: itertools.count does not end")


def _whole_chars(data: bytes) -> str:
    return codecs.getincrementaldecoder("utf-8")("replace").decode(data)


def _after_cut(data: bytes) -> str:
    start = next((n for n in range(min(4, len(data))) if data[n] & 0xC0 != 0x80), 0)
    return data[start:].decode("utf-8", "replace")
