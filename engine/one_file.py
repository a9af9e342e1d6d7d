"""A model, of one file or of several parts, as one GGUF in which some tensors are not read.

llama.cpp makes a tensor for whatever a file's header names, and then reads its bytes to where the tensor lies. Here the header is written
anew, with the tensors of all parts, and their bytes come from the parts. llama.cpp goes to where a tensor begins, asks where it is, and
reads what it wants or what is left, if that is less; where a tensor is left out it is told that it is at the end, and reads nothing. What
this module does not do: decide which (`engine.expert_loading` does), or look at what a header means (`engine.gguf`).
"""

import ctypes
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gguf.constants import GGMLQuantizationType

from engine.errors import ModelFileError
from engine.gguf import TensorInfo
from engine.parts import Parts

_COUNTS: Final = struct.Struct("<4sIQQ")
_NUMBER: Final = struct.Struct("<I")
_LENGTH: Final = struct.Struct("<Q")
_SIZES: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by GGUF's number of its type."""

_STRING: Final = 8
_ARRAY: Final = 9
_AGAIN: Final = "copy or download it again"
_CHANGED: Final = "the file has just been changed; try again when nothing writes to it"


@dataclass(frozen=True)
class Piece:
    """Bytes `start` to `end` of the whole: those of file number `file` from `offset` on; without a file there is nothing to read."""

    start: int
    end: int
    file: int | None
    offset: int


@dataclass(frozen=True)
class Whole:
    """A GGUF of `size` bytes: its own `header`, then `pieces` in order, without gaps; what lies behind a piece's end and before the next
    one's start is padding."""

    header: bytes
    pieces: tuple[Piece, ...]
    size: int


def whole(parts: Parts, leave: Callable[[str], bool]) -> Whole:
    """The parts as one file that leaves out the tensors whose names `leave` says. Raises `ModelFileError` where they are no whole model."""
    if parts.problem:
        raise ModelFileError(f"{parts.first.path}: {parts.problem}")
    for part in parts.files:
        if part.header.end > part.header.size:
            raise ModelFileError(f"{part.path}: the file is cut off: it has {part.header.size:,} of {part.header.end:,} bytes; {_AGAIN}")
    alignment = int(parts.first.header.number("general.alignment", 32))
    placed: list[TensorInfo] = []
    pieces: list[Piece] = []
    at = 0
    for number, part in enumerate(parts.files):
        for tensor in part.header.tensors:
            placed.append(replace(tensor, offset=at))
            pieces.append(Piece(at, at + tensor.bytes, None if leave(tensor.name) else number, tensor.offset))
            at += -(-tensor.bytes // alignment) * alignment
    header = _header(parts, placed, alignment)
    start = len(header)
    return Whole(header, tuple(Piece(p.start + start, p.end + start, p.file, p.offset) for p in pieces), at + start)


class OneFile:
    """The bytes of a `Whole`, from open files; a `engine.c_stream.Source`. Close it. Raises `ModelFileError` where a part has gone, or has
    another size than when its header was read; so does `read_into` where it can't be read."""

    def __init__(self, parts: Parts, leave: Callable[[str], bool]) -> None:
        self._paths = [part.path for part in parts.files]
        self._files: list[int] = []
        try:
            self._whole = whole(parts, leave)
            for part in parts.files:
                self._files.append(os.open(part.path, os.O_RDONLY | os.O_CLOEXEC))
                _announce(self._files[-1])
                if os.fstat(self._files[-1]).st_size != part.header.size:
                    raise ModelFileError(f"{part.path}: {_CHANGED}")
        except OSError as error:
            self.close()
            raise ModelFileError(f"{error.filename}: {error.strerror}") from None
        except ModelFileError:
            self.close()
            raise
        self._starts = [piece.start for piece in self._whole.pieces]
        self.size = self._whole.size

    def __enter__(self) -> "OneFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; a second call does nothing."""
        while self._files:
            os.close(self._files.pop())

    def passed(self, position: int) -> bool:
        """See `engine.c_stream.Source`: whether a tensor begins here that is left out."""
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and self._starts[index] == position and self._whole.pieces[index].file is None

    def read_into(self, address: int, count: int, position: int) -> int:
        """See `engine.c_stream.Source`. Of what is left out the claim is made that it was read, and the memory keeps what it held."""
        if position < len(self._whole.header):
            part = self._whole.header[position : position + count]
            ctypes.memmove(address, part, len(part))
            return len(part)
        count = min(count, self.size - position)
        if count <= 0 or not self._starts:
            return max(count, 0)
        index = bisect_right(self._starts, position) - 1
        piece = self._whole.pieces[index]
        if position < piece.end:
            return self._of_piece(piece, address, min(count, piece.end - position), position)
        after = self._starts[index + 1] if index + 1 < len(self._starts) else self.size
        count = min(count, after - position)
        ctypes.memset(address, 0, count)
        return count

    def _of_piece(self, piece: Piece, address: int, count: int, position: int) -> int:
        if piece.file is None:
            return count
        place = piece.offset + position - piece.start
        memory = (ctypes.c_char * count).from_address(address)
        try:
            taken = os.preadv(self._files[piece.file], [memory], place)
        except OSError as error:
            raise ModelFileError(f"{self._paths[piece.file]}: can't be read at byte {place:,}: {error.strerror}") from None
        if taken == 0:
            raise ModelFileError(
                f"{self._paths[piece.file]}: the file ended at byte {place:,} while it was read; copy or download it again"
            )
        return taken


def _announce(file: int) -> None:
    """Let the system read far ahead: a cold file then gave 1.7 to 2.2 GB/s here, without 0.4 to 1.1; direct reads 1.1 to 1.7."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_SEQUENTIAL)


def _header(parts: Parts, tensors: Sequence[TensorInfo], alignment: int) -> bytes:
    """With the key-values of the first part, byte for byte, and these tensors, whose offsets count from the end of the header."""
    with parts.first.path.open("rb") as file:
        begin = file.read(parts.first.header.data)
    try:
        magic, version, _, keys = _COUNTS.unpack_from(begin)
        values = begin[_COUNTS.size : _keys_end(begin, keys)]
    except (struct.error, KeyError):
        raise ModelFileError(f"{parts.first.path}: {_CHANGED}") from None
    header = _COUNTS.pack(magic, version, len(tensors), keys) + values + b"".join(map(_info, tensors))
    return header + bytes(-len(header) % alignment)


def _keys_end(begin: bytes, keys: int) -> int:
    """Where the key-values end in a header that was found to be sound."""
    at = _COUNTS.size
    for _ in range(keys):
        at = _string_end(begin, at)
        at = _value_end(begin, at + 4, _NUMBER.unpack_from(begin, at)[0])
    return at


def _value_end(begin: bytes, at: int, kind: int) -> int:
    if kind == _STRING:
        return _string_end(begin, at)
    if kind != _ARRAY:
        return at + _SIZES[kind]
    inner, count = _NUMBER.unpack_from(begin, at)[0], _LENGTH.unpack_from(begin, at + 4)[0]
    at += 12
    if inner != _STRING:
        return at + int(count) * _SIZES[inner]
    for _ in range(count):
        at = _string_end(begin, at)
    return at


def _string_end(begin: bytes, at: int) -> int:
    return at + 8 + int(_LENGTH.unpack_from(begin, at)[0])


def _info(tensor: TensorInfo) -> bytes:
    """A tensor's entry in a header."""
    name = tensor.name.encode()
    sizes = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
    return _LENGTH.pack(len(name)) + name + sizes + struct.pack("<IQ", GGMLQuantizationType[tensor.kind].value, tensor.offset)
