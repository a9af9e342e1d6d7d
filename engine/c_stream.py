"""A C stream (`FILE *`) whose bytes come from Python: glibc's `fopencookie`.

Such a stream copies all that is read through its buffer, however much that is. So what is not to be read must not be asked for: a reader
that asks where it is before it reads, and wants no more than is left, is told there that it is at the end. Linux with glibc alone. What
this module does not do: write, or know what the bytes are.
"""

import ctypes
import errno
import os
from typing import Final, Protocol

from engine.errors import EngineError

BUFFER: Final = 1 << 20
"""Bytes that are read at a time, which then are in the processor's cache when they are copied."""

_FULLY_BUFFERED: Final = 0


class Source(Protocol):
    """Bytes to read. `size` is how many there are."""

    size: int

    def passed(self, position: int) -> bool:
        """Whether what begins at this position is not to be read."""
        ...

    def read_into(self, address: int, count: int, position: int) -> int:
        """Write up to `count` bytes from `position` on to memory at `address`; how many, 0 at the end. Errors are exceptions."""
        ...


_Read = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, use_errno=True)
_Seek = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_int, use_errno=True)


class _Functions(ctypes.Structure):
    _fields_ = (("read", _Read), ("write", ctypes.c_void_p), ("seek", _Seek), ("close", ctypes.c_void_p))


def unsupported() -> str:
    """Why there can't be such streams here; empty where there can."""
    return "" if _library() is not None else "only Linux's C library (glibc) has streams that are read by a function"


class Stream:
    """A stream over `source`, open until `close`. `pointer` is the `FILE *`; what failed in `source` first is its `problem`.

    Raises `EngineError` where there are no such streams. The pointer must not be used after `close`, nor closed by anybody else.
    """

    def __init__(self, source: Source) -> None:
        library = _library()
        if library is None:
            raise EngineError(unsupported())
        self._library = library
        self._source = source
        self._position = 0
        self._sought = self._set = False
        self._buffer = ctypes.create_string_buffer(BUFFER)
        self.problem: BaseException | None = None
        # C holds them, and the buffer, as long as the stream is open.
        self._functions = _Functions(_Read(self._read), None, _Seek(self._seek), None)
        pointer: int | None = library.fopencookie(None, b"rb", self._functions)
        if pointer is None:
            raise EngineError("no memory for a C stream")
        self.pointer: int | None = pointer
        library.setvbuf(pointer, self._buffer, _FULLY_BUFFERED, BUFFER)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the stream; a second call does nothing."""
        if self.pointer is not None:
            self._library.fclose(self.pointer)
            self.pointer = None

    def _read(self, _cookie: int | None, address: int, count: int) -> int:
        # The C library seeks to a multiple of its buffer's size and reads up to where it was sent, so that nobody but itself knows where
        # that is. When a read brings too little it seeks the rest of the way; and any read may bring little.
        count, self._set, self._sought = 1 if self._set else count, False, False
        try:
            taken = self._source.read_into(address, count, self._position)
        except BaseException as problem:  # noqa: BLE001 - C can't take an exception; who made the stream looks at `problem`
            self.problem = self.problem or problem
            ctypes.set_errno(errno.EIO)
            return -1
        self._position += taken
        return taken

    def _seek(self, _cookie: int | None, offset: "ctypes._Pointer[ctypes.c_int64]", whence: int) -> int:
        if whence == os.SEEK_CUR and offset[0] == 0:
            offset[0] = self._source.size if self._sought and self._source.passed(self._position) else self._position
            return 0
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.size}.get(whence, 0)
        if (wanted := start + offset[0]) < 0:
            ctypes.set_errno(errno.EINVAL)
            return -1
        self._position = offset[0] = wanted
        self._sought, self._set = True, whence == os.SEEK_SET
        return 0


def _library() -> ctypes.CDLL | None:
    """This process's C library with the signatures of what is used of it; None where it lacks such streams."""
    library = ctypes.CDLL(None)
    try:
        library.fopencookie.argtypes = (ctypes.c_void_p, ctypes.c_char_p, _Functions)
    except AttributeError:
        return None
    library.fopencookie.restype = ctypes.c_void_p
    library.setvbuf.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    library.fclose.argtypes = (ctypes.c_void_p,)
    return library
