"""The expert-major side file of a model, `NAME.experts`: every expert in one piece, gate, up and down one behind the other.

    0           header, `HEADER_BYTES`: magic, version, length and digest of the JSON that follows (a `Layout`), zeros
    then        experts, layer by layer; each begins at a multiple of `BLOCK`, with zeros up to the next one
    then        a checksum of `DIGEST` bytes for each expert with its zeros: the first half of its SHA-256
    last        the commit mark: magic, and the digest of the header and of all checksums

SHA-256 because it is as fast as a drive on processors with instructions for it (1.6 GB/s a thread on Zen 3, BLAKE2b 0.8), and long enough
that a match is a match; CRC-32 is faster, and too short for that.

A file is a model's if the model's parts have the sizes and digests that its header tells. A part's digest is of its header and of one
block out of the middle of each tensor of experts, so that weights that were trained on, under the same header, are others.
What this module does not do: write the file (`engine.prepare`), or compare every byte (`engine.prepare.verify`).
"""

import hashlib
import os
import struct
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from engine.errors import ModelFileError
from engine.expert_files import ExpertFiles, is_expert
from engine.expert_files import expert_files as model_files
from engine.parts import Part, Parts, read_parts, split_name

BLOCK: Final = 4096
"""What direct I/O wants offsets and lengths to be multiples of."""

HEADER_BYTES: Final = 64 * BLOCK
DIGEST: Final = 16
SUFFIX: Final = ".experts"

_MAGIC: Final = b"KIMIEXPT"
_MARK: Final = b"KIMIWHOL"
_VERSION: Final = 1
_FIXED: Final = struct.Struct(f"<8sII{DIGEST}s")
_END: Final = struct.Struct(f"<8s{DIGEST}s")
_READ_BYTES: Final = 1 << 20


class SideFileError(ModelFileError):
    """The side file can't be used."""


@dataclass(frozen=True)
class PartIdentity:
    """One of the model's files: its bytes, and the digest of what tells it from others."""

    size: int
    digest: str


@dataclass(frozen=True)
class Layout:
    """What the header tells. `layers` has the bytes of gate, up and down of one expert of each layer; zeros where it has no experts."""

    parts: tuple[PartIdentity, ...]
    experts: int
    layers: tuple[tuple[int, int, int], ...]
    block: int = BLOCK

    def stride(self, layer: int) -> int:
        """From the first byte of an expert to the first of the next one."""
        return -(-sum(self.layers[layer]) // self.block) * self.block

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each layer's first expert begins; and last, where the checksums do."""
        return tuple(accumulate((self.experts * self.stride(layer) for layer in range(len(self.layers))), initial=HEADER_BYTES))

    @property
    def filled(self) -> tuple[int, ...]:
        """The layers that have experts."""
        return tuple(layer for layer, sizes in enumerate(self.layers) if any(sizes))

    @property
    def count(self) -> int:
        """Experts of all layers."""
        return len(self.filled) * self.experts

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return self.starts[-1] + self.count * DIGEST + _END.size

    def name(self, number: int) -> str:
        """The expert of this number, counted over all layers that have any, in words."""
        return f"expert {number % self.experts} of layer {self.filled[number // self.experts]}"


@dataclass(frozen=True)
class SideFile:
    """A whole side file, and the checksums of its experts."""

    path: Path
    layout: Layout
    digests: tuple[bytes, ...]


def beside(model: Path, folder: Path | None = None) -> Path:
    """Where the side file of `model`, any part of it, lies: next to it, or in `folder`."""
    named = split_name(model.name)
    stem = model.name.removesuffix(".gguf") if named is None else named[0]
    return (model.parent if folder is None else folder) / f"{stem}{SUFFIX}"


def lay_out(parts: Parts) -> tuple[Layout, ExpertFiles]:
    """How the side file of this model looks, and where its experts come from. Raises `ModelFileError` where it has none or is not whole."""
    path, files = parts.first.path, model_files(parts)
    cut = next((part for part in parts.files if part.header.end > part.header.size), None)
    problem = parts.problem or (None if cut is None else f"{cut.path.name} is cut off: copy or download it again")
    if problem is not None:
        raise ModelFileError(f"{path}: {problem}")
    if files is None:
        raise ModelFileError(f"{path}: it has no routed experts, so there is nothing to prepare")
    gate, up, down = files.ranges[:, 0, :, 2].T.tolist()
    return Layout(tuple(map(_identity, parts.files)), files.experts, tuple(zip(gate, up, down, strict=True))), files


def header_of(layout: Layout) -> bytes:
    """The header. Raises `SideFileError` where the model has more parts or layers than it has room for."""
    text = msgspec.json.encode(layout)
    if len(text) > HEADER_BYTES - _FIXED.size:
        raise SideFileError(f"a model of {len(layout.parts):,} files is too finely split for a side file: merge its parts")
    return (_FIXED.pack(_MAGIC, _VERSION, len(text), digest(text)) + text).ljust(HEADER_BYTES, b"\0")


def ending_of(layout: Layout, digests: tuple[bytes, ...]) -> bytes:
    """What follows the experts: their checksums and the commit mark."""
    table = b"".join(digests)
    return table + _END.pack(_MARK, digest(header_of(layout) + table))


def digest(data: bytes | memoryview) -> bytes:
    """The checksum of an expert, or of anything else in the file."""
    return hashlib.sha256(data).digest()[:DIGEST]


def read(path: Path) -> SideFile:
    """The side file at `path`, its experts' bytes unread. Raises `SideFileError` where it can't be read, is damaged or not whole."""
    try:
        with path.open("rb") as file:
            layout = _layout(path, file.read(HEADER_BYTES))
            there = os.fstat(file.fileno()).st_size
            if there != layout.size:
                raise SideFileError(f"{path} has {there:,} of {layout.size:,} bytes: prepare it again")
            file.seek(layout.starts[-1])
            ending = file.read()
    except OSError as error:
        raise SideFileError(f"{path}: {(error.strerror or str(error)).lower()}: look at its drive, or prepare it again") from None
    digests = tuple(ending[at : at + DIGEST] for at in range(0, layout.count * DIGEST, DIGEST))
    if ending != ending_of(layout, digests):
        raise SideFileError(f"{path} is damaged or not whole: its checksums don't fit together; prepare it again")
    return SideFile(path, layout, digests)


def refusal(path: Path, layout: Layout) -> str | None:
    """Why the side file at `path` can't be used for a model with this layout, and what to do; None where it can."""
    try:
        found = read(path).layout
    except SideFileError as error:
        return str(error)
    return None if found == layout else f"{path} is of another model, or of this one before it changed: prepare it again"


def find(model: Path, folder: Path | None = None) -> Path | None:
    """The side file of `model`, next to it or in `folder`, if there is one that can be used; `unused` says why another one can't."""
    path = beside(model, folder)
    return path if path.is_file() and unused(model, folder) is None else None


def unused(model: Path, folder: Path | None = None) -> str | None:
    """Why the side file that lies next to `model`, or in `folder`, can't be used, and what to do; None where it can, or none is there."""
    path = beside(model, folder)
    if not path.exists():
        return None
    try:
        return refusal(path, lay_out(read_parts(model))[0])
    except ModelFileError as error:
        return str(error)


def expert_files(path: Path, parts: Parts) -> ExpertFiles:
    """Where the experts of a model lie in its side file. Raises `SideFileError` with the reason where the file is not this model's."""
    layout, _ = lay_out(parts)
    if (reason := refusal(path, layout)) is not None:
        raise SideFileError(reason)
    ranges = np.zeros((len(layout.layers), layout.experts, 3, 3), np.int64)
    for layer in layout.filled:
        sizes = np.array(layout.layers[layer])
        starts = layout.starts[layer] + np.arange(layout.experts) * layout.stride(layer)
        ranges[layer, :, :, 1] = starts[:, None] + np.cumsum(sizes) - sizes
        ranges[layer, :, :, 2] = sizes
    return ExpertFiles((path,), ranges)


def _layout(path: Path, header: bytes) -> Layout:
    if header[: len(_MAGIC)] != _MAGIC or len(header) < HEADER_BYTES:
        raise SideFileError(f"{path} is not a side file of experts: give another place, or remove it")
    _, version, length, found = _FIXED.unpack_from(header)
    if version != _VERSION:
        raise SideFileError(f"{path} is of version {version}, and this is for version {_VERSION}: prepare it again")
    try:
        layout = msgspec.json.decode(header[_FIXED.size :][:length], type=Layout)
    except msgspec.DecodeError:
        layout = None
    if layout is None or layout.block != BLOCK or header_of(layout) != header or digest(msgspec.json.encode(layout)) != found:
        raise SideFileError(f"{path}: its header is damaged: prepare it again")
    return layout


def _identity(part: Part) -> PartIdentity:
    """Raises `ModelFileError` where the part can't be read."""
    hashed = hashlib.sha256()
    middles = [tensor.offset + (tensor.bytes - BLOCK) // 2 for tensor in part.header.tensors if is_expert(tensor.name)]
    try:
        with part.path.open("rb", buffering=0) as file:
            for at in range(0, part.header.data, _READ_BYTES):
                hashed.update(os.pread(file.fileno(), min(_READ_BYTES, part.header.data - at), at))
            for middle in middles:
                hashed.update(os.pread(file.fileno(), BLOCK, max(0, middle)))
    except OSError as error:
        raise ModelFileError(f"{part.path}: {(error.strerror or str(error)).lower()}: see to its drive") from None
    return PartIdentity(part.header.size, hashed.digest()[:DIGEST].hex())
