"""How output files are laid out: which tensors in which part, where each begins, and the header bytes before them.

Format: ggml's `gguf.md`, version 3, little-endian, 32-byte alignment. Parts follow llama.cpp's convention: the first holds all
metadata, every one its number, and llama.cpp loads them all from the first. What this module does not do: write (`engine.convert.write`).
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from engine.convert.config import Metadata, Value
from engine.convert.encode import Bytes, Kind, size_of

Piece: TypeAlias = Callable[[], Bytes]
"""Makes some bytes of a tensor, a few megabytes at most; safe to call from any thread."""

ALIGNMENT: Final = 32

_STRING: Final = 8
_ARRAY: Final = 9
_FORMATS: Final = {"split.no": (2, "<H"), "split.count": (2, "<H"), "split.tensors.count": (5, "<i")}
"""Type number and format of the keys that llama.cpp wants as other than uint32."""


@dataclass(frozen=True)
class Tensor:
    """A tensor to write: `shape` as numpy has it (rows last), `pieces` makes its bytes, in order.

    `origin` identifies the state of the files that it is made from.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind
    pieces: Callable[[], Iterator[Piece]]
    origin: str

    @property
    def size(self) -> int:
        """Bytes of data, without padding."""
        elements = 1
        for length in self.shape:
            elements *= length
        return size_of(self.kind, elements)


@dataclass(frozen=True)
class Part:
    """One output file."""

    path: Path
    header: bytes
    tensors: tuple[Tensor, ...]

    @property
    def origins(self) -> tuple[str, ...]:
        """The origins of its tensors."""
        return tuple(tensor.origin for tensor in self.tensors)

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.header) + sum(padded(tensor.size) for tensor in self.tensors)


def padded(size: int) -> int:
    """`size` rounded up to the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def lay_out(target: Path, metadata: Metadata, tensors: Sequence[Tensor], split: int | None) -> tuple[Part, ...]:
    """The parts of `target`: one, or as many as it takes to have at most `split` bytes of tensors in each (one tensor at least)."""
    groups = _groups(tensors, split)
    if len(groups) == 1:
        return (Part(target, header(metadata, groups[0]), groups[0]),)
    stem = target.name.removesuffix(".gguf")
    parts = []
    for number, group in enumerate(groups):
        own: dict[str, Value] = {"split.no": number, "split.count": len(groups), "split.tensors.count": len(tensors)}
        first = metadata if number == 0 else {"general.architecture": metadata["general.architecture"]}
        path = target.with_name(f"{stem}-{number + 1:05d}-of-{len(groups):05d}.gguf")
        parts.append(Part(path, header({**first, **own}, group), group))
    return tuple(parts)


def _groups(tensors: Sequence[Tensor], split: int | None) -> list[tuple[Tensor, ...]]:
    groups: list[list[Tensor]] = [[]]
    size = 0
    for tensor in tensors:
        if split is not None and groups[-1] and size + tensor.size > split:
            groups.append([])
            size = 0
        groups[-1].append(tensor)
        size += tensor.size
    return [tuple(group) for group in groups]


def header(metadata: Metadata, tensors: Sequence[Tensor]) -> bytes:
    """Everything of a GGUF file before its tensor data, padding included."""
    pieces = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        pieces += [_string(key), _sized(key, value) if key in _FORMATS else _value(value)]
    offset = 0
    for tensor in tensors:
        dimensions = tuple(reversed(tensor.shape))
        pieces += [_string(tensor.name), struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, tensor.kind, offset)]
        offset += padded(tensor.size)
    found = b"".join(pieces)
    return found.ljust(padded(len(found)), b"\0")


def _string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _sized(key: str, value: Value) -> bytes:
    kind, form = _FORMATS[key]
    return struct.pack("<I", kind) + struct.pack(form, value)


def _value(value: Value) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", _STRING) + _string(value)
        case tuple():
            return _array(value)


def _array(values: tuple[str, ...] | tuple[int, ...] | tuple[float, ...]) -> bytes:
    texts = [_string(value) for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(texts)) + b"".join(texts)
    whole = all(isinstance(value, int) for value in values)
    kind, form = (5, "i") if whole else (6, "f")
    return struct.pack("<IIQ", _ARRAY, kind, len(values)) + struct.pack(f"<{len(values)}{form}", *values)
