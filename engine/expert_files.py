"""Where each routed expert of a model lies: which bytes of which file.

A GGUF holds the experts of a layer as three tensors, or two where gate and up are one, [experts][rows][row length]; an expert's part is a
run of bytes in each. A prepared side file (`engine.side_file`) has them one behind the other. What this module does not do: read them.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import ModelFileError
from engine.gguf import TensorInfo
from engine.parts import Parts

GATE, UP, DOWN = 0, 1, 2
"""An expert's parts, by their place in `ExpertFiles.ranges`."""

_TENSOR: Final = re.compile(r"blk\.(\d+)\.ffn_(gate|up|down|gate_up)_exps\.weight")
_PARTS: Final = {"gate": (GATE,), "up": (UP,), "down": (DOWN,), "gate_up": (GATE, UP)}


@dataclass(frozen=True)
class ExpertFiles:
    """`ranges` is int64, (layers, experts, part, 3): the file's index in `files`, the offset and the bytes; layers without experts have
    zeros."""

    files: tuple[Path, ...]
    ranges: NDArray[np.int64]

    @property
    def layers(self) -> int:
        """Of the model, also those without experts."""
        return len(self.ranges)

    @property
    def experts(self) -> int:
        """Of a layer."""
        return int(self.ranges.shape[1])

    @property
    def bytes(self) -> int:
        """Of all experts together."""
        return int(self.ranges[..., 2].sum())


def is_expert(name: str) -> bool:
    """Whether a tensor of this name holds routed experts."""
    return _TENSOR.fullmatch(name) is not None


def expert_files(parts: Parts) -> ExpertFiles | None:
    """Where the experts of this model lie; None where it has none. Raises `ModelFileError` where their tensors don't belong together."""
    files = tuple(part.path for part in parts.files)
    found = [
        (file, tensor, match)
        for file, part in enumerate(parts.files)
        for tensor in part.header.tensors
        if (match := _TENSOR.fullmatch(tensor.name))
    ]
    if not found:
        return None
    layers, experts = 1 + max(int(match[1]) for _, _, match in found), found[0][1].shape[-1]
    ranges = np.zeros((layers, experts, 3, 3), np.int64)
    for file, tensor, match in found:
        _lay(ranges[int(match[1])], file, tensor, _PARTS[match[2]], files[file])
    return ExpertFiles(files, ranges)


def _lay(layer: NDArray[np.int64], file: int, tensor: TensorInfo, parts: tuple[int, ...], path: Path) -> None:
    """Note one tensor in its layer's ranges, (experts, part, 3)."""
    experts = len(layer)
    if len(tensor.shape) != 3 or tensor.shape[-1] != experts or tensor.bytes % (experts * len(parts)):
        raise ModelFileError(f"{path}: {tensor.name} has another number of experts than the model: convert or download it again")
    size = tensor.bytes // experts // len(parts)
    for place, part in enumerate(parts):
        starts = tensor.offset + (np.arange(experts) * len(parts) + place) * size
        layer[:, part] = np.stack([np.full(experts, file), starts, np.full(experts, size)], axis=1)
