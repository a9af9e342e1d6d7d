"""What a model file is, before llama.cpp sees it: its header read, its promises checked against its length.

llama.cpp aborts the whole process on some damaged files, and says little about others, so everything that can be known from the
header is checked here first, in a fraction of a second whatever the file's size. Format: ggml's `gguf.md`, versions 2 and 3.
`read_header` reads any GGUF; `inspect` also wants it to be a model this engine runs.
What this module does not do: read tensor data or the vocabulary (`engine.tokenizer` does), or the other parts of a split model
(`engine.parts` does).
"""

import math
import mmap
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
_KINDS: Final = {int(kind): (str(kind.name), int(block), int(size)) for kind, (block, size) in GGML_QUANT_SIZES.items()}
_MAX_DIMENSIONS: Final = 4
_MAX_ELEMENTS: Final = 2**63 - 1

# Bounds on what a header may make this module do. K2.6's has 7 MB, 60 keys and 1,096 tensors; one tensor an expert would be 70,000.
_MAX_HEADER_BYTES: Final = 1 << 26
_MAX_KEYS: Final = 1 << 16
_MAX_TENSORS: Final = 1 << 18
_AGAIN: Final = "copy or download it again"


@dataclass(frozen=True)
class Array:
    """An array of the header: how many values, and for `read_array` their type, as GGUF numbers types, and the place of the first."""

    count: int
    kind: int = 0
    at: int = 0


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of the file: `kind` is ggml's name of its type ("Q4_0"), `shape` is in ggml's order (row length first), `offset` is
    where its data begins, counted from the first byte of the file, and `bytes` how long they are.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    offset: int
    bytes: int

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """Everything before the tensor data, which begins at byte `data`. `end` is where the last tensor ends: the file must be at least
    that long, and has `size` bytes.
    """

    metadata: Mapping[str, Scalar | Array]
    tensors: tuple[TensorInfo, ...]
    data: int
    end: int
    size: int

    def text(self, key: str) -> str:
        """The text at `key`; empty where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str, default: float = 0) -> float:
        """The number at `key`, or `default` where there is none."""
        value = self.metadata.get(key)
        return value if isinstance(value, int | float) else default

    def whole(self, key: str) -> int | None:
        """The whole number at `key`, or None where there is none."""
        value = self.metadata.get(key)
        return value if type(value) is int else None


@dataclass(frozen=True)
class Defaults:
    """What the model file wants where a request says nothing; K2.6's published values where the file says nothing.

    Without a `temperature` it is K2.6's, which depends on whether the model thinks.
    """

    temperature: float | None = None
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
    header = read_header(path)
    _check(path, header)
    return ModelFile(
        path=path,
        name=header.text("general.name") or path.stem,
        context=int(header.number(f"{ARCHITECTURE}.context_length")),
        size=header.size,
        profile=header.text("kimicode.profile") or "default",
        defaults=defaults(header),
    )


def defaults(header: Header) -> Defaults:
    """What the file wants where a request says nothing."""
    temperature = header.metadata.get("kimicode.temperature")
    return Defaults(
        temperature=temperature if isinstance(temperature, int | float) else Defaults.temperature,
        top_p=header.number("kimicode.top_p", Defaults.top_p),
        min_p=header.number("kimicode.min_p", Defaults.min_p),
        thinking=bool(header.metadata.get("kimicode.thinking", Defaults.thinking)),
    )


def read_header(path: Path) -> Header:
    """The header of any GGUF file. Raises `ModelFileError` where it is none or its header is damaged; a file that ends before its last
    tensor does is not refused (`end` is over `size`). Only the header is read.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return _read_open(path, file)
    except OSError as error:
        raise ModelFileError(f"{path}: {(error.strerror or str(error)).lower()}; give the path of a .gguf model file") from None


def read_array(path: Path, array: Array) -> list[str] | list[int]:
    """The values of an array of strings or whole numbers in the header of the file at `path`, in a third of a second for K2.6's vocabulary.

    Raises `ModelFileError` where it can't be read, or holds something else.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if array.kind == _STRING:
                return list(_strings(data, array))
            if array.kind in _CODES and _CODES[array.kind] not in "fd?":
                return list(struct.unpack_from(f"<{array.count}{_CODES[array.kind]}", data, array.at))
    except (OSError, ValueError, struct.error) as error:
        raise ModelFileError(f"{path}: its header can't be read: {error}; {_AGAIN}") from None
    raise ModelFileError(f"{path}: an array of its header is of an unexpected type; convert the model again")


def _strings(data: mmap.mmap, array: Array) -> Iterator[str]:
    at, length = array.at, struct.Struct("<Q").unpack_from
    for _ in range(array.count):
        end = at + 8 + length(data, at)[0]
        yield data[at + 8 : end].decode("utf-8", "replace")
        at = end


def _read_open(path: Path, file: BinaryIO) -> Header:
    state = os.fstat(file.fileno())
    if not stat.S_ISREG(state.st_mode):
        raise ModelFileError(f"{path}: not a regular file; give the path of a .gguf model file")
    if state.st_size < 4 or file.read(4) != b"GGUF":
        raise ModelFileError(f"{path}: not a GGUF model file; give the path of a .gguf model file")
    with mmap.mmap(file.fileno(), min(state.st_size, _MAX_HEADER_BYTES), access=mmap.ACCESS_READ) as data:
        try:
            return _Reader(data).header(state.st_size)
        except _ForeignError as problem:
            raise ModelFileError(f"{path}: {problem}; it may be made for another engine than llama.cpp, or be damaged") from None
        except _DamagedError as problem:
            raise ModelFileError(f"{path}: the file is damaged or cut off: {problem}; {_AGAIN}") from None


def _check(path: Path, header: Header) -> None:
    wrong = refusal(header)
    if wrong is not None:
        raise ModelFileError(f"{path}: {wrong}")


def refusal(header: Header) -> str | None:
    """Why this engine can't run the model whose file, or first part, has this header, and what to do; None where nothing is known."""
    metadata = header.metadata
    architecture = metadata.get("general.architecture")
    if architecture != ARCHITECTURE:
        what = f"its architecture is {architecture!r}" if architecture else "it names no architecture"
        return f"not a model this engine runs: {what}, K2's is {ARCHITECTURE!r}"
    if header.number("split.no") != 0:
        return "a later part of a split model; give its first part"
    prefix = f"{ARCHITECTURE}."
    numbers = {key.removeprefix(prefix): value for key, value in metadata.items() if key.startswith(prefix) and type(value) is int}
    wrong = problem(numbers)
    if wrong is None and not isinstance(metadata.get(f"{prefix}attention.layer_norm_rms_epsilon"), float):
        wrong = "attention.layer_norm_rms_epsilon is missing"
    if wrong is not None:
        return f"its metadata is not that of a model: {prefix}{wrong}; convert the model again"
    for key in ("tokenizer.ggml.tokens", "tokenizer.ggml.token_type"):
        if not isinstance(metadata.get(key), Array):
            return f"it has no vocabulary ({key}); convert the model again with its tokenizer"
    if header.end > header.size:
        return f"the file is cut off: it has {header.size:,} of {header.end:,} bytes; {_AGAIN}"
    return None


class _DamagedError(Exception):
    """What is wrong with the bytes; `_read_open` adds where."""


class _ForeignError(_DamagedError):
    """What llama.cpp does not know, though it may be no damage."""


class _Reader:
    """A walk over the header. Every length is checked against what is left, so no number in the file is trusted."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 4

    def header(self, size: int) -> Header:
        version = self._take("I")
        if version not in (2, 3):
            raise _DamagedError(f"GGUF version {version} is not 2 or 3")
        tensors, keys = int(self._take("Q")), int(self._take("Q"))
        for count, most, what in ((tensors, _MAX_TENSORS, "tensors"), (keys, _MAX_KEYS, "keys")):
            if count > most:
                raise _DamagedError(f"it claims {count:,} {what}")
        metadata = dict(self._metadata(keys))
        infos = tuple(self._tensor_infos(tensors))
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1):
            raise _DamagedError(f"an alignment of {alignment!r}")
        start = -(-self._at // alignment) * alignment
        infos = tuple(replace(info, offset=start + info.offset) for info in infos)
        return Header(metadata, infos, start, max((info.offset + info.bytes for info in infos), default=start), size)

    def _metadata(self, count: int) -> Iterator[tuple[str, Scalar | Array]]:
        for _ in range(count):
            key = self._string()
            yield key, self._value(int(self._take("I")))

    def _tensor_infos(self, count: int) -> Iterator[TensorInfo]:
        """The tensors, their offsets counted from the first byte of tensor data."""
        for _ in range(count):
            name = self._string()
            dimensions = int(self._take("I"))
            if dimensions > _MAX_DIMENSIONS:
                raise _DamagedError(f"tensor {name!r} has {dimensions} dimensions")
            shape = tuple(int(self._take("Q")) for _ in range(dimensions))
            kind, offset = int(self._take("I")), int(self._take("Q"))
            if kind not in _KINDS:
                raise _ForeignError(f"tensor {name!r} is of type {kind}, which is not one of ggml's")
            called, block, size = _KINDS[kind]
            elements = math.prod(shape)
            if elements > _MAX_ELEMENTS:
                raise _DamagedError(f"tensor {name!r} has the shape {shape}")
            yield TensorInfo(name, called, shape, offset, elements // block * size)

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
        start = self._at
        if kind == _STRING:
            self._skip_strings(count)
        elif kind in _CODES:
            self._skip(struct.calcsize(_CODES[kind]) * count)
        else:
            raise _DamagedError(f"an array of unknown type {kind}")
        return Array(count, kind, start)

    def _skip_strings(self, count: int) -> None:
        # The walk over the vocabulary is most of the time this module takes, so it is one tight loop.
        data, at, end, length = self._data, self._at, len(self._data), struct.Struct("<Q").unpack_from
        try:
            for _ in range(count):
                at += 8 + length(data, at)[0]
                if at > end:
                    raise _DamagedError("it ends inside its header")
        except struct.error:
            raise _DamagedError("it ends inside its header") from None
        self._at = at

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
