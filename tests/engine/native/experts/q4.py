"""Q4_0 weights and what their products are: in numpy, after ggml's format.

What this module does not do: know the native library.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 32
BLOCK_BYTES: Final = 18


def random_weights(rng: np.random.Generator, rows: int, width: int, scale: float = 0.01) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Weights as bytes, and as numbers, shape (rows, width). `scale`: the standard deviation of blocks' scales."""
    blocks = rng.integers(0, 256, (rows, width // BLOCK, BLOCK_BYTES), np.uint8)
    scales = (rng.standard_normal((rows, width // BLOCK)) * scale).astype(np.float16)
    blocks[..., :2] = scales.view(np.uint8).reshape(rows, -1, 2)
    return blocks.reshape(-1), numbers(blocks, rows, width)


def numbers(blocks: NDArray[np.uint8], rows: int, width: int) -> NDArray[np.float64]:
    """What the bytes mean: an f16 scale, and 16 bytes, whose low halves come first; each half less 8 times the scale."""
    parts = blocks.reshape(rows, width // BLOCK, BLOCK_BYTES)
    scales = parts[..., :2].copy().view(np.float16).astype(np.float64)
    halves = np.concatenate((parts[..., 2:] & 15, parts[..., 2:] >> 4), axis=2).astype(np.float64) - 8
    return (halves * scales).reshape(rows, width)


def quantised(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Activations as the kernels quantise them: whole numbers to 127, with an f32 scale for each 32."""
    groups = x.reshape(len(x), -1, BLOCK)
    most = np.abs(groups).max(axis=2, keepdims=True)
    factor = np.divide(np.float32(127), most, out=np.zeros_like(most), where=most > 0)
    scale = (most / np.float32(127)).astype(np.float64)
    values: NDArray[np.float64] = np.rint(groups * factor).astype(np.float64) * scale
    return values.reshape(x.shape)


def worst(got: NDArray[np.float32], weights: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """The greatest error of a row of results, relative to that row's norm."""
    wanted = x @ weights.T
    size = np.linalg.norm(wanted, axis=1)
    wrong = np.linalg.norm(wanted - got, axis=1)
    return float(np.max(np.divide(wrong, size, out=np.where(wrong > 0, np.inf, 0.0), where=size > 0)))
