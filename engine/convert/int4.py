"""INT4 weights of compressed-tensors (`pack-quantized`, groups of 32) as ggml's Q4_0 blocks: the same numbers, the same nibbles.

Both formats mean (nibble - 8) * scale. They differ in two ways only:

    compressed-tensors   row of int32, eight nibbles each, lowest bits first;  scales beside it, bfloat16
    Q4_0                 18 bytes for 32 weights: a float16 scale, then byte j = weight j | weight j+16 << 4

So a matrix converts exactly if its scales are float16 numbers, which bfloat16 ones are from 2^-17 up to 65504. A group whose weights
are all zero may have any scale. What this module does not do: read files; arrays come from the caller.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.convert.encode import Bytes, Floats, Kind

Words = NDArray[np.uint64]

GROUP: Final = 32
"""Weights that share a scale, in both formats."""

BLOCK_BYTES: Final = 18
"""A block of Q4_0: float16 scale and 16 bytes of nibbles."""

EXACT_KINDS: Final = (Kind.BF16, Kind.F16, Kind.F32)
"""Where Q4_0 can't hold a matrix, the first of these that can is taken. A product has up to 8 + 3 significant bits: too many for most
bfloat16, and float16 has the bits but not the range that scales outside it need."""

_ZERO_WEIGHTS: Final = np.uint64(0x8888888888888888)
_FOUR: Final = np.uint64(4)
_HALF: Final = np.uint64(32)
_SPREAD: Final = tuple(
    (np.uint64(shift), np.uint64(mask)) for shift, mask in ((16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F))
)


def pack(nibbles: Bytes, scales: Floats) -> Bytes:
    """Q4_0 blocks, shape (groups, 18), from packed nibbles (groups, 16) in compressed-tensors' order and `scales` (groups,).

    The scales must have passed `fits_q4_0`.
    """
    halves = np.where(_is_half(scales), scales, np.float32(0)).astype("<f2")
    source = nibbles.view("<u8")  # (groups, 2): weight k is nibble k of the first word, weight 16 + k of the second
    words = np.empty_like(source)
    words[:, 0] = _spread(source[:, 0]) | (_spread(source[:, 1]) << _FOUR)
    words[:, 1] = _spread(source[:, 0] >> _HALF) | (_spread(source[:, 1] >> _HALF) << _FOUR)
    blocks = np.empty((len(nibbles), BLOCK_BYTES), np.uint8)
    blocks.view("<u2")[:, 0] = halves.view("<u2")
    blocks.view("<u2")[:, 1:] = words.view("<u2")
    return blocks


def same(blocks: Bytes, nibbles: Bytes, scales: Floats) -> bool:
    """Whether every weight of `blocks` equals that of the source: each nibble in its place, each scale that matters equal.

    Works backwards from the blocks, as a reader of Q4_0 does, so it doesn't share `pack`'s way of moving nibbles.
    """
    halves = np.ascontiguousarray(blocks[:, :2]).view("<f2").reshape(-1).astype(np.float32)
    differs = halves != scales
    if differs.any() and not _zero_groups(nibbles[differs]).all():
        return False
    words = np.ascontiguousarray(blocks[:, 2:]).view("<u8")
    source = nibbles.view("<u8")
    return all(
        np.array_equal(_gather(words[:, 0] >> shift) | (_gather(words[:, 1] >> shift) << _HALF), source[:, half])
        for half, shift in ((0, np.uint64(0)), (1, _FOUR))
    )


def fits_q4_0(nibbles: Bytes, scales: Floats) -> bool:
    """Whether Q4_0 holds these groups exactly: every scale is a float16 number, or its group is all zeros."""
    bad = ~_is_half(scales)
    return not bad.any() or bool(_zero_groups(nibbles[bad]).all())


def scales_fit(scales: Floats) -> bool:
    """Whether all `scales` are float16 numbers, so that the nibbles need not be looked at."""
    return bool(_is_half(scales).all())


def weights(nibbles: Bytes, scales: Floats) -> NDArray[np.float64]:
    """The weights, shape (groups, 32), exactly: a product of a 4-bit integer and a float32 scale fits a float64."""
    values = np.empty((len(nibbles), GROUP), np.float64)
    values[:, 0::2] = nibbles & np.uint8(15)
    values[:, 1::2] = nibbles >> np.uint8(4)
    values -= 8
    return values * scales.astype(np.float64)[:, None]


def exact_kinds(values: NDArray[np.float64]) -> frozenset[Kind]:
    """Those of `EXACT_KINDS` that hold every one of `values` exactly."""
    with np.errstate(over="ignore", under="ignore"):
        singles = values.astype(np.float32)
        halves = singles.astype(np.float16)
    if not np.array_equal(singles.astype(np.float64), values):
        return frozenset()
    found = {Kind.F32}
    if not (singles.view(np.uint32) & np.uint32(0xFFFF)).any():
        found.add(Kind.BF16)
    if np.array_equal(halves.astype(np.float32), singles):
        found.add(Kind.F16)
    return frozenset(found)


def _is_half(scales: Floats) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", under="ignore"):
        half: NDArray[np.bool_] = scales.astype(np.float16).astype(np.float32) == scales
    return half


def _zero_groups(nibbles: Bytes) -> NDArray[np.bool_]:
    zero: NDArray[np.bool_] = (nibbles.view("<u8") == _ZERO_WEIGHTS).all(axis=1)
    return zero


def _spread(words: Words) -> Words:
    """The eight lowest nibbles of each word, one a byte."""
    words = words & np.uint64(0xFFFFFFFF)
    for shift, mask in _SPREAD:
        words = (words | (words << shift)) & mask
    return words


def _gather(words: Words) -> Words:
    """The lower nibble of each byte of each word, in the eight lowest nibbles: the reverse of `_spread`."""
    words = words & _SPREAD[-1][1]
    for (shift, _), (_, mask) in zip(reversed(_SPREAD), (*reversed(_SPREAD[:-1]), (0, np.uint64(0xFFFFFFFF))), strict=True):
        words = (words | (words >> shift)) & mask
    return words
