"""How fast files can be read past the page cache, and with which pieces and depth that is best.

What this module does not do: read anything for anybody; the store does (`engine.native.store`).
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import EngineError
from engine.native.build import TARGET

_ROOM: Final = 4096


class _Reader(ctypes.Structure):
    _fields_ = (
        ("paths", ctypes.POINTER(ctypes.c_char_p)),
        ("copies", ctypes.c_int),
        ("files", ctypes.c_int),
        ("piece", ctypes.c_uint64),
        ("depth", ctypes.c_int),
        ("direct", ctypes.c_int),
        ("uring", ctypes.c_int),
    )


class _Rate(ctypes.Structure):
    _fields_ = (
        ("piece", ctypes.c_uint64),
        ("depth", ctypes.c_int),
        ("direct", ctypes.c_int),
        ("uring", ctypes.c_int),
        ("bytes_per_second", ctypes.c_double),
    )


@dataclass(frozen=True)
class ReadRate:
    """`piece` bytes were read at once, `depth` of them on the way at a time for each copy; past the page cache, if `direct`, and by
    io_uring, if `uring`, else by threads."""

    piece: int
    depth: int
    direct: bool
    uring: bool
    bytes_per_second: float


class ReaderLibrary:
    """The library at `path`. Raises `EngineError` where it can't be loaded, or lacks a function."""

    def __init__(self, path: Path = TARGET) -> None:
        given = (ctypes.POINTER(_Reader), ctypes.c_double, ctypes.POINTER(_Rate), ctypes.c_char_p, ctypes.c_size_t)
        try:
            self._library = ctypes.CDLL(str(path))
            self._library.kimicode_measure_reader.argtypes = given
            self._library.kimicode_tune_reader.argtypes = given
        except (OSError, AttributeError) as error:
            raise EngineError(f"{path}: the reader can't be loaded: {str(error).removeprefix(f'{path}: ')}") from error

    def tune(self, copies: Sequence[Sequence[Path]], seconds: float, *, direct: bool = True, uring: bool = True) -> ReadRate:
        """The smallest pieces and depth within 3 % of the fastest, for files of which there are `copies` on several drives; about `seconds`
        in all. Raises `EngineError` where a file can't be read."""
        reader, rate, error = _reader(copies, 0, 0, direct, uring), _Rate(), ctypes.create_string_buffer(_ROOM)
        status = self._library.kimicode_tune_reader(ctypes.byref(reader), seconds, ctypes.byref(rate), error, _ROOM)
        return _found(status, rate, error.value)

    def measure(
        self, copies: Sequence[Sequence[Path]], seconds: float, piece: int, depth: int, *, direct: bool = True, uring: bool = True
    ) -> ReadRate:
        """How fast random places are read, 8 MiB each. Raises `EngineError` where a file can't be read."""
        reader, rate, error = _reader(copies, piece, depth, direct, uring), _Rate(), ctypes.create_string_buffer(_ROOM)
        status = self._library.kimicode_measure_reader(ctypes.byref(reader), seconds, ctypes.byref(rate), error, _ROOM)
        return _found(status, rate, error.value)


def _reader(copies: Sequence[Sequence[Path]], piece: int, depth: int, direct: bool, uring: bool) -> _Reader:
    paths = [bytes(path) for copy in copies for path in copy]
    return _Reader((ctypes.c_char_p * len(paths))(*paths), len(copies), len(copies[0]), piece, depth, direct, uring)


def _found(status: int, rate: _Rate, error: bytes) -> ReadRate:
    if status:
        raise EngineError(error.decode("utf-8", "replace"))
    return ReadRate(rate.piece, rate.depth, bool(rate.direct), bool(rate.uring), rate.bytes_per_second)
