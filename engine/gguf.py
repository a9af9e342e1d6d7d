"""What a model file is, before llama.cpp sees it: its header read, its promises checked against its length.

llama.cpp aborts the whole process on some damaged files, and says little about others, so everything that can be known from the
header is checked here first, in a fraction of a second whatever the file's size. Format: ggml's `gguf.md`, versions 2 and 3.
What this module does not do: read tensor data or the vocabulary (`engine.tokenizer` does).
"""

import mmap
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias

from gguf.constants import GGML_QUANT_SIZES

from engine.errors import ModelFileError
from engine.hyperparameters import problem

Scalar: TypeAlias = int | float | bool | str

ARCHITECTURE: Final = "deepseek2"
"""llama.cpp's name for the architecture of K2: latent attention and a mixture of experts."""

_ARRAY: Final = 9
_STRING: Final = 8
_CODES: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_SIZES: Final = {int(kind): size for kind, size in GGML_QUANT_SIZES.items()}
_MAX_DIMENSIONS: Final = 4
_AGAIN: Final = "copy or download it again"


@dataclass(frozen=True)
class Array:
    """An array of the header, known by its length only."""

    count: int


@dataclass(frozen=True)
class Header:
    """Everything before the tensor data. `end` is where the last tensor ends: the file must be at least that long."""

    metadata: Mapping[str, Scalar | Array]
    tensors: int
    end: int


@dataclass(frozen=True)
class Defaults:
    """What the model file wants where a request says nothing; K2.6's published values where the file says nothing."""

    temperature: float = 1.0
    top_p: float = 0.95
    min_p: float = 0.0
    thinking: bool = True


@dataclass(frozen=True)
class ModelFile:
    """A model this engine can try to load. `context` is the longest it was made for, in tokens; `size` is in bytes."""

    path: Path
    name: str
    context: int
    size: int
    profile: str
    defaults: Defaults


def inspect(path: Path) -> ModelFile:
    """The model file at `path`. Raises `ModelFileError` where it is not one this engine can run, saying why."""
    header, size = _read(path)
    metadata = header.metadata
    _check(path, metadata)
    if header.end > size:
        raise ModelFileError(f"{path}: the file is cut off: it has {size:,} of {header.end:,} bytes; {_AGAIN}")
    return ModelFile(
        path=path,
        name=_text(metadata, "general.name") or path.stem,
        context=int(_number(metadata, f"{ARCHITECTURE}.context_length", 0)),
        size=size,
        profile=_text(metadata, "kimicode.profile") or "default",
        defaults=Defaults(
            temperature=_number(metadata, "kimicode.temperature", Defaults.temperature),
            top_p=_number(metadata, "kimicode.top_p", Defaults.top_p),
            min_p=_number(metadata, "kimicode.min_p", Defaults.min_p),
            thinking=bool(metadata.get("kimicode.thinking", Defaults.thinking)),
        ),
    )


def _read(path: Path) -> tuple[Header, int]:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return _read_open(path, file)
    except OSError as error:
        raise ModelFileError(f"{path}: {(error.strerror or str(error)).lower()}; give the path of a .gguf model file") from None


def _read_open(path: Path, file: BinaryIO) -> tuple[Header, int]:
    state = os.fstat(file.fileno())
    if not stat.S_ISREG(state.st_mode):
        raise ModelFileError(f"{path}: not a regular file; give the path of a .gguf model file")
    if state.st_size < 4 or file.read(4) != b"GGUF":
        raise ModelFileError(f"{path}: not a GGUF model file; give the path of a .gguf model file")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _Reader(data).header(), state.st_size
        except _DamagedError as problem:
            raise ModelFileError(f"{path}: the file is damaged or cut off: {problem}; {_AGAIN}") from None


def _check(path: Path, metadata: Mapping[str, Scalar | Array]) -> None:
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        what = f"its architecture is {architecture!r}" if architecture else "it names no architecture"
        raise ModelFileError(f"{path}: not a model this engine runs: {what}, K2's is {ARCHITECTURE!r}")
    if _number(metadata, "split.no", 0) != 0:
        raise ModelFileError(f"{path}: a later part of a split model; give its first part")
    prefix = f"{ARCHITECTURE}."
    numbers = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix) and type(value) is int}
    wrong = problem(numbers)
    if wrong is None and not isinstance(metadata.get(f"{prefix}attention.layer_norm_rms_epsilon"), float):
        wrong = "attention.layer_norm_rms_epsilon is missing"
    if wrong is not None:
        raise ModelFileError(f"{path}: its metadata is not that of a model: {prefix}{wrong}; convert the model again")
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
        if not isinstance(metadata.get(key), Array):
            raise ModelFileError(f"{path}: it has no vocabulary ({key}); convert the model again with its tokenizer")


def _number(metadata: Mapping[str, Scalar | Array], key: str, default: float) -> float:
    value = metadata.get(key)
    return value if isinstance(value, int | float) else default


def _text(metadata: Mapping[str, Scalar | Array], key: str) -> str:
    value = metadata.get(key)
    return value if isinstance(value, str) else ""


class _DamagedError(Exception):
    """What is wrong with the bytes; `_read_open` adds where."""


class _Reader:
    """A walk over the header. Every length is checked against what is left, so no number in the file is trusted."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self) -> Header:
        version = self._take("I")
        if version not in (2, 3):
            raise _DamagedError(f"GGUF version {version} is not 2 or 3")
        tensors, count = int(self._take("Q")), int(self._take("Q"))
        metadata = dict(self._metadata(count))
        ends = list(self._tensor_ends(tensors))
        alignment = int(_number(metadata, "general.alignment", 32))
        if alignment <= 0 or alignment & (alignment - 1):
            raise _DamagedError(f"an alignment of {alignment}")
        start = -(-self._at // alignment) * alignment
        return Header(metadata, tensors, start + max(ends, default=0))

    def _metadata(self, count: int) -> Iterator[tuple[str, Scalar | Array]]:
        for _ in range(count):
            key = self._string()
            yield key, self._value(int(self._take("I")))

    def _tensor_ends(self, count: int) -> Iterator[int]:
        """Where each tensor ends, counted from the first byte of tensor data."""
        for _ in range(count):
            name = self._string()
            dimensions = int(self._take("I"))
            if dimensions > _MAX_DIMENSIONS:
                raise _DamagedError(f"tensor {name!r} has {dimensions} dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= int(self._take("Q"))
            kind, offset = int(self._take("I")), int(self._take("Q"))
            if kind not in _SIZES:
                raise _DamagedError(f"tensor {name!r} is of unknown type {kind}")
            block, size = _SIZES[kind]
            yield offset + elements // block * size

    def _value(self, kind: int) -> Scalar | Array:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            return self._array()
        if kind not in _CODES:
            raise _DamagedError(f"a value of unknown type {kind}")
        return self._take(_CODES[kind])

    def _array(self) -> Array:
        kind, count = int(self._take("I")), int(self._take("Q"))
        if kind == _STRING:
            for _ in range(count):
                self._skip(int(self._take("Q")))
        elif kind in _CODES:
            self._skip(struct.calcsize(_CODES[kind]) * count)
        else:
            raise _DamagedError(f"an array of unknown type {kind}")
        return Array(count)

    def _take(self, code: str) -> int | float | bool:
        try:
            value: int | float | bool = struct.unpack_from(f"<{code}", self._data, self._at)[0]
        except struct.error:
            raise _DamagedError("it ends inside its header") from None
        self._at += struct.calcsize(f"<{code}")
        return value

    def _skip(self, length: int) -> int:
        """The old place; the new one is `length` bytes on."""
        start = self._at
        if length > len(self._data) - start:
            raise _DamagedError("it ends inside its header")
        self._at = start + length
        return start

    def _string(self) -> str:
        length = int(self._take("Q"))
        start = self._skip(length)
        return self._data[start : start + length].decode("utf-8", "replace")
