"""A cache that holds many tokens without having computed them: the saved state of one token, widened with random latents.

Both libraries write a sequence's cells alike: a beginning, the number of cells, for each cell its position and its owners, and for each
layer the type and the bytes of a cell, then all cells. llama.cpp (`llama_kv_cache::state_write`, `llama_context::state_seq_get_data`)
begins with a mark, the sequence and the number of streams, and lists one owner a cell; ik_llama.cpp (`write_kv_cache`) does neither, and
ends with two zeros, for other kinds of caches that a model may have beside.
What this module does not do: save or restore; it knows 16-bit floating-point cells only.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

_F16: Final = 1
_LAYER: Final = struct.Struct("<iQ")


@dataclass(frozen=True)
class Layout:
    """`beginning` is how many bytes come before the number of cells, `owners` how many owners each cell lists, 4 bytes each, and `ending`
    how many bytes, all zero, follow the layers."""

    beginning: int
    owners: int
    ending: int


class Layouts(Enum):
    """The two that there are."""

    LLAMA = Layout(12, 1, 0)
    IK = Layout(0, 0, 8)


class StateError(Exception):
    """The state is not laid out as was thought."""


def widen(state: bytes, layouts: Layouts, count: int, seed: int = 0) -> bytes:
    """The state of a sequence of `count` tokens, at positions from 0, made from the `state` of one token. Raises `StateError`."""
    layout = layouts.value
    meta = layout.beginning + 4
    data = meta + 8 + 4 * layout.owners
    if len(state) < data + 8 or struct.unpack_from("<I", state, layout.beginning) != (1,):
        raise StateError("it does not hold one cell")
    owners = np.frombuffer(state[meta + 4 : data], "<i4")
    if owners[0] != layout.owners:
        raise StateError(f"a cell has {owners[0]} owners, not {layout.owners}")
    cells = np.empty((count, 1 + len(owners)), "<i4")
    cells[:, 0] = np.arange(count)
    cells[:, 1:] = owners
    parts = [state[: layout.beginning], struct.pack("<I", count), cells.tobytes(), state[data : data + 8]]
    (layers,) = struct.unpack_from("<I", state, data + 4)
    at, rng = data + 8, np.random.default_rng(seed)
    for _ in range(layers):
        if len(state) < at + _LAYER.size:
            raise StateError("it ends within a layer")
        kind, size = _LAYER.unpack_from(state, at)
        if kind != _F16:
            raise StateError(f"its cells are of type {kind}, not 16-bit floating point")
        parts += [state[at : at + _LAYER.size], rng.standard_normal((count, size // 2), np.float32).astype("<f2").tobytes()]
        at += _LAYER.size + size
    if state[at:] != bytes(layout.ending):
        raise StateError(f"{len(state) - at} bytes are left behind the layers, not {layout.ending} zeros")
    return b"".join([*parts, state[at:]])
