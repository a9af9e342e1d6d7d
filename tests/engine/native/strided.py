"""The library's C function with strides of the caller's choice. What this module does not do: check what it is given.

`engine.native.library` takes contiguous arrays only, whereas llama.cpp gives queries heads first, and masks and cells with room between.
"""

import ctypes

import numpy as np
from numpy.typing import NDArray

from engine.native.build import TARGET
from engine.native.library import Cells


class _Asked(ctypes.Structure):
    """struct kimicode_attention of api.h."""

    _fields_ = (
        ("q", ctypes.c_void_p),
        ("q_query", ctypes.c_size_t),
        ("q_head", ctypes.c_size_t),
        ("cells", ctypes.c_void_p),
        ("cell_stride", ctypes.c_size_t),
        ("cell", ctypes.c_int),
        ("mask", ctypes.c_void_p),
        ("mask_query", ctypes.c_size_t),
        ("out", ctypes.c_void_p),
        ("queries", ctypes.c_int),
        ("keys", ctypes.c_int),
        ("heads", ctypes.c_int),
        ("width", ctypes.c_int),
        ("latent", ctypes.c_int),
        ("scale", ctypes.c_float),
    )


def attend(
    queries: NDArray[np.float32],
    cells: Cells,
    latent: int,
    scale: float,
    kernel: str,
    mask: NDArray[np.float16] | None,
    threads: int,
    out: NDArray[np.float32],
) -> int:
    """`Library.attend` for arrays whose last axis alone is contiguous; the result goes to `out`, (queries, heads, latent), contiguous.
    Returns the C function's status."""
    count, heads, width = queries.shape
    asked = _Asked(
        queries.ctypes.data,
        queries.strides[0],
        queries.strides[1],
        cells.data.ctypes.data,
        cells.data.strides[0],
        cells.kind.value,
        None if mask is None else mask.ctypes.data,
        0 if mask is None else mask.strides[0],
        out.ctypes.data,
        count,
        len(cells.data),
        heads,
        width,
        latent,
        scale,
    )
    return int(ctypes.CDLL(str(TARGET)).kimicode_attend(ctypes.byref(asked), kernel.encode(), threads))
