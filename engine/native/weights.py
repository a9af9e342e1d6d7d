"""Products of experts' weights, called directly: for tests and benchmarks. llama.cpp gets them by the native library's own device.

Weights are bytes as they lie in a file. Names are those of the native library: an instruction set's kernel such as "avx2-q4_0", or
"ggml-" and ggml's name of the type for llama.cpp's own. What this module does not do: read files, or know experts.
"""

import ctypes
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.native.build import TARGET

Q4_0: Final = 2
"""ggml's number of the type that has kernels of its own."""

_REASONS: Final = {1: "there are no such weights here", 2: "they don't take these sizes", 3: "there is no memory"}


class WeightsLibrary:
    """The products of the library at `path`. Raises `EngineError` where it can't be loaded, or lacks them."""

    def __init__(self, path: Path = TARGET) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            self._library.kimicode_weights.restype = ctypes.c_char_p
            self._library.kimicode_weights.argtypes = (ctypes.c_int,)
            self._library.kimicode_choose_weights.argtypes = (ctypes.c_char_p,)
            self._library.kimicode_multiply.argtypes = (
                ctypes.c_char_p,
                ctypes.c_void_p,
                ctypes.c_int,
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_int,
                ctypes.c_void_p,
                ctypes.c_int,
            )
        except (OSError, AttributeError) as error:
            raise EngineError(f"{path}: the experts' products can't be loaded: {str(error).removeprefix(f'{path}: ')}") from error

    def names(self, kind: int) -> tuple[str, ...]:
        """What multiplies weights of ggml's type `kind` here, best first; llama.cpp's own only once its CPU backend is loaded."""
        return tuple(self._library.kimicode_weights(kind).decode().split())

    def choose(self, name: str) -> bool:
        """Let the backend use these in place of the best of their type; False where they are not here."""
        return int(self._library.kimicode_choose_weights(name.encode())) == 0

    def multiply(
        self,
        name: str,
        weights: NDArray[np.uint8],
        rows: int,
        x: NDArray[np.float32],
        *,
        threads: int = 1,
        out: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """`x`, shape (count, width), times the transpose of W, (rows, width), whose bytes are `weights`; shape (count, rows). Raises
        `EngineError` where it can't be."""
        count, width = x.shape
        result = np.empty((count, rows), np.float32) if out is None else out
        assert x.flags.c_contiguous
        assert weights.flags.c_contiguous
        assert result.flags.c_contiguous
        assert result.shape == (count, rows)
        status = self._library.kimicode_multiply(
            name.encode(), weights.ctypes.data, width, rows, x.ctypes.data, count, result.ctypes.data, threads
        )
        if status:
            raise EngineError(f"{name}: {_REASONS.get(status, f'status {status}')}")
        return result
