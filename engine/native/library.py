"""The native library's kernels, called directly: for tests, benchmarks and the planner. llama.cpp gets them by `engine.native.plugin`.

Arrays are numpy's and contiguous. What this module does not do: build the library (`engine.native.build`).
"""

import ctypes
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.build import TARGET

_REASONS: Final = {
    1: "there is no such kernel here",
    2: "no kernel takes these sizes or types",
    3: "there is no memory",
    4: "the expanded form is not cheaper",
}


class Cell(Enum):
    """How a cell of the cache is stored. Values are ggml's type numbers."""

    F32 = 0
    F16 = 1
    Q8_0 = 8
    BF16 = 30


class _Attention(ctypes.Structure):
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


class _Expansion(ctypes.Structure):
    _fields_ = (("keys", ctypes.c_void_p), ("values", ctypes.c_void_p), ("key_rank", ctypes.c_int), ("value_rank", ctypes.c_int))


class Form(Enum):
    """In which form attention is computed, or was."""

    CHEAPER = 0
    ABSORBED = 1
    EXPANDED = 2


@dataclass(frozen=True)
class Cells:
    """Cells of a cache: `data` is bytes, [keys][bytes of a cell]; a cell holds `width` values of type `kind`."""

    data: NDArray[np.uint8]
    kind: Cell
    width: int


@dataclass(frozen=True)
class Matrices:
    """Those that attention is surrounded by: f32 `keys` (heads, latent, rank), in whose columns' space queries lie, and `values`
    (heads, rank, latent), with which results will be multiplied."""

    keys: NDArray[np.float32]
    values: NDArray[np.float32]


class Library:
    """The library at `path`. Raises `EngineError` where it can't be loaded, or lacks a function."""

    def __init__(self, path: Path = TARGET) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            self._declare()
        except (OSError, AttributeError) as error:
            raise EngineError(f"{path}: the attention kernels can't be loaded: {str(error).removeprefix(f'{path}: ')}") from error

    def _declare(self) -> None:
        self._library.kimicode_kernels.restype = ctypes.c_char_p
        self._library.kimicode_choose.argtypes = (ctypes.c_char_p,)
        self._library.kimicode_refusal.restype = ctypes.c_char_p
        self._library.kimicode_peak.restype = ctypes.c_double
        self._library.kimicode_peak.argtypes = (ctypes.c_char_p, ctypes.c_int, ctypes.c_double)
        self._library.kimicode_attend.argtypes = (ctypes.POINTER(_Attention), ctypes.c_char_p, ctypes.c_int)
        self._library.kimicode_attend_expanded.argtypes = (
            ctypes.POINTER(_Attention),
            ctypes.POINTER(_Expansion),
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.c_int,
        )
        self._library.kimicode_computed.restype = ctypes.c_uint64

    def kernels(self) -> tuple[str, ...]:
        """Names of the kernels that run on this processor, best first; those that end in `-exact` multiply in 32 bits."""
        return tuple(self._library.kimicode_kernels().decode().split())

    def choose(self, kernel: str) -> bool:
        """Let the backend, once ggml loads it, use this kernel; False where it does not run here."""
        return int(self._library.kimicode_choose(kernel.encode())) == 0

    def refusal(self) -> str:
        """Why the backend, which ggml tried to load, refused; empty where it didn't."""
        return str(self._library.kimicode_refusal().decode("utf-8", "replace"))

    def peak(self, kernel: str, threads: int, seconds: float) -> float:
        """Operations a second of `threads` threads that do nothing but this kernel's products; 0 where it does not run here."""
        return float(self._library.kimicode_peak(kernel.encode(), threads, seconds))

    def attend(
        self,
        queries: NDArray[np.float32],
        cells: Cells,
        latent: int,
        scale: float,
        kernel: str,
        *,
        mask: NDArray[np.float16] | None = None,
        threads: int = 1,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Latent attention of `queries`, shape (queries, heads, width), over `cells`; shape (queries, heads, latent). `mask`, (queries,
        keys), is added to the scores. Raises `EngineError` where the kernel can't."""
        result = np.empty((*queries.shape[:2], latent), np.float32) if out is None else out
        asked = _attention(queries, cells, scale, mask, result)
        if status := self._library.kimicode_attend(ctypes.byref(asked), kernel.encode(), threads):
            raise EngineError(f"{kernel}: {_REASONS.get(status, f'status {status}')}")
        return result

    def attend_expanded(
        self,
        queries: NDArray[np.float32],
        cells: Cells,
        matrices: Matrices,
        scale: float,
        kernel: str,
        *,
        mask: NDArray[np.float16] | None = None,
        threads: int = 1,
        form: Form = Form.EXPANDED,
    ) -> NDArray[np.float32]:
        """As `attend`, in the expanded form: what comes is the part of the result that counts in its product with `matrices.values`.
        Raises `EngineError` where the kernel can't, or where `form` leaves it the choice and this one is not cheaper."""
        _, key_latent, key_rank = matrices.keys.shape
        _, value_rank, latent = matrices.values.shape
        assert key_latent == latent
        assert len(matrices.keys) == len(matrices.values) == queries.shape[1]
        assert matrices.keys.flags.c_contiguous
        assert matrices.values.flags.c_contiguous
        result = np.empty((*queries.shape[:2], latent), np.float32)
        asked = _attention(queries, cells, scale, mask, result)
        given = _Expansion(matrices.keys.ctypes.data, matrices.values.ctypes.data, key_rank, value_rank)
        status = self._library.kimicode_attend_expanded(ctypes.byref(asked), ctypes.byref(given), kernel.encode(), threads, form.value)
        if status:
            raise EngineError(f"{kernel}: {_REASONS.get(status, f'status {status}')}")
        return result

    def prefer(self, form: Form) -> None:
        """Let the backend compute in this form wherever it can."""
        self._library.kimicode_prefer(form.value)

    def computed(self, form: Form) -> int:
        """How many attentions the backend has computed in this form."""
        return int(self._library.kimicode_computed(form.value))


def _attention(
    queries: NDArray[np.float32], cells: Cells, scale: float, mask: NDArray[np.float16] | None, result: NDArray[np.float32]
) -> _Attention:
    """It points into the arrays: they must live as long."""
    count, heads, width = queries.shape
    assert queries.flags.c_contiguous
    assert result.flags.c_contiguous
    assert mask is None or mask.flags.c_contiguous
    assert cells.data.strides[1] == 1
    assert cells.width == width
    return _Attention(
        queries.ctypes.data,
        queries.strides[0],
        queries.strides[1],
        cells.data.ctypes.data,
        cells.data.strides[0],
        cells.kind.value,
        None if mask is None else mask.ctypes.data,
        0 if mask is None else mask.strides[0],
        result.ctypes.data,
        count,
        len(cells.data),
        heads,
        width,
        result.shape[2],
        scale,
    )
