"""A checkpoint folder's tensors: where each one lies, and any part of one as an array, without loading the rest.

Format: https://huggingface.co/docs/safetensors: eight bytes of header length, a JSON header, then the data. Everything is read with
plain reads into small arrays; a mapped file would count as this process's memory. What this module does not do: know what a tensor
is for (`engine.convert.text` and `engine.convert.vision` do), or convert values (`engine.convert.encode` does).
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError

Raw: TypeAlias = NDArray[np.generic]
"""Elements as they are stored: bfloat16 as uint16, everything else as its own type."""

INDEX: Final = "model.safetensors.index.json"

_ORIGIN_DIGITS: Final = 16
_MAX_HEADER: Final = 256 * 1024 * 1024
_AGAIN: Final = "download it again"
_STORED: Final[Mapping[str, str]] = {
    "BF16": "<u2", "F16": "<f2", "F32": "<f4", "F64": "<f8", "I8": "i1", "U8": "u1", "I16": "<i2", "I32": "<i4", "I64": "<i8",
    "BOOL": "?", "F8_E4M3": "u1", "F8_E5M2": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8",
}  # fmt: skip
_PREFIX: Final = re.compile(r"^(model\.language_model\.|language_model\.model\.)")


@dataclass(frozen=True)
class Entry:
    """One tensor: `name` as its file has it, `dtype` as safetensors calls it, `start` in bytes from the file's beginning."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int

    def __str__(self) -> str:
        return f"{self.file}: tensor {self.name}"

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def canonical(name: str) -> str:
    """`name` as DeepSeek-V3 checkpoints call the tensor: without what K2.5 and K2.6, or transformers, put before it."""
    return _PREFIX.sub("model.", name).removeprefix("language_model.")


class Checkpoint:
    """Every tensor of the `*.safetensors` files of `folder` by its canonical name. Close it, or use it as a context manager.

    `read` may be called from any thread.

    Raises `ModelFileError` where a file is missing, not safetensors, cut off, or lacks a tensor that the index promises.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ModelFileError(f"{folder}: not a folder; give the folder of a Hugging Face checkpoint")
        self.folder = folder
        promised = _promised(folder)
        self.files = _files(folder, promised)
        self.entries: dict[str, Entry] = {}
        for file in self.files:
            for entry in _entries(file):
                if (other := self.entries.setdefault(canonical(entry.name), entry)) is not entry:
                    raise ModelFileError(f"{entry} is in {other.file} too: remove files that are not of this checkpoint")
        for name, file_name in promised.items():
            if (found := self.entries.get(canonical(name))) is None or found.file.name != file_name:
                raise ModelFileError(f"{folder / file_name}: tensor {name} is missing, but {INDEX} promises it: {_AGAIN}")
        self._states = {file: _state(file) for file in self.files}
        self._descriptors = {file: os.open(file, os.O_RDONLY | os.O_CLOEXEC) for file in self.files}

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; nothing can be read afterwards."""
        for descriptor in self._descriptors.values():
            os.close(descriptor)
        self._descriptors.clear()

    def origin(self, files: Iterable[Path]) -> str:
        """A digest of the names, sizes and times of `files`: another one means that they may have changed."""
        states = sorted(self._states[file] for file in files)
        return hashlib.sha256("\n".join(states).encode()).hexdigest()[:_ORIGIN_DIGITS]

    def read(self, entry: Entry, first: int = 0, count: int | None = None) -> Raw:
        """`count` elements from the `first` on (default: all), flat. Raises `ModelFileError` where the file ends or fails."""
        stored = np.dtype(_STORED[entry.dtype])
        values = np.empty(entry.elements - first if count is None else count, stored)
        buffer = values.view(np.uint8).data
        start, at = entry.start + first * stored.itemsize, 0
        try:
            descriptor = self._descriptors[entry.file]
            while at < len(buffer):
                if not (got := os.preadv(descriptor, [buffer[at:]], start + at)):
                    raise ModelFileError(f"{entry}: the file ends inside it: {_AGAIN}")
                at += got
        except OSError as error:
            raise ModelFileError(f"{entry} can't be read: {(error.strerror or str(error)).lower()}") from None
        return values


def _state(file: Path) -> str:
    state = file.stat()
    return f"{file.name} {state.st_size} {state.st_mtime_ns}"


def _files(folder: Path, promised: Mapping[str, str]) -> tuple[Path, ...]:
    files = tuple(folder / name for name in sorted(set(promised.values()))) or tuple(sorted(folder.glob("*.safetensors")))
    if not files:
        raise ModelFileError(f"{folder}: no *.safetensors files in it; give the folder of a Hugging Face checkpoint")
    for file in files:
        if not file.is_file():
            raise ModelFileError(f"{file}: missing, but {INDEX} names it: download it into this folder")
    return files


def _promised(folder: Path) -> dict[str, str]:
    """Which file the index says that each tensor is in; empty for a checkpoint without an index."""
    index = folder / INDEX
    if not index.is_file():
        return {}
    try:
        weight_map = json.loads(index.read_text("utf-8"))["weight_map"]
        promised = {str(name): str(file) for name, file in weight_map.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ModelFileError(f"{index}: not an index of safetensors files (weight_map): {_AGAIN}") from None
    for file in promised.values():
        if Path(file).name != file:
            raise ModelFileError(f"{index}: it names a file outside its folder: {file!r}: {_AGAIN}")
    return promised


def _entries(file: Path) -> Iterator[Entry]:
    header, data_start, data_size = _header(file)
    for name, value in header.items():
        if name == "__metadata__":
            continue
        entry, end = _entry(file, name, value, data_start)
        if end > data_size:
            raise ModelFileError(
                f"{entry}: the file is cut off: it has {data_start + data_size:,} bytes, this tensor ends at {data_start + end:,}: {_AGAIN}"
            )
        yield entry


def _header(file: Path) -> tuple[dict[str, object], int, int]:
    """The JSON header, where the data begins, and how many bytes of data there are."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(size - 8, _MAX_HEADER):
                raise ModelFileError(f"{file}: cut off inside its header, or not a safetensors file: {_AGAIN}")
            header = json.loads(stream.read(length))
    except OSError as error:
        raise ModelFileError(f"{file} can't be read: {(error.strerror or str(error)).lower()}") from None
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise ModelFileError(f"{file}: its header is damaged, or it is not a safetensors file: {_AGAIN}")
    return header, 8 + length, size - 8 - length


def _entry(file: Path, name: str, value: object, data_start: int) -> tuple[Entry, int]:
    """The tensor that one item of a header describes, and where it ends in the data."""
    match value:
        case {"dtype": str(dtype), "shape": [*sizes], "data_offsets": [int(begin), int(end)]} if all(
            type(size) is int and size >= 0 for size in sizes
        ):
            entry = Entry(file, name, dtype, tuple(sizes), data_start + begin)
        case _:
            raise ModelFileError(f"{file}: its header is damaged at tensor {name}: {_AGAIN}")
    if dtype not in _STORED:
        raise ModelFileError(f"{entry} is of type {dtype}, which this converter does not know")
    if begin < 0 or end - begin != entry.elements * np.dtype(_STORED[dtype]).itemsize:
        raise ModelFileError(f"{entry}: {end - begin:,} bytes do not hold {dtype} of shape {list(entry.shape)}: {_AGAIN}")
    return entry, end
