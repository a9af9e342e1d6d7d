"""INT4 groups as Q4_0 blocks: every weight the same by gguf's own reading of Q4_0, whatever the nibbles and scales."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from engine.convert import int4
from engine.convert.encode import Kind

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

NIBBLES = arrays(np.uint8, (5, 16))
GOOD_SCALES = arrays(np.float16, 5, elements=st.floats(-65504, 65504, width=16))
ANY_BFLOAT16 = arrays(np.uint16, 5, elements=st.integers(0, 0xFFFF).filter(lambda bits: bits & 0x7F80 != 0x7F80))


def plainly(nibbles: Bytes, scales: Floats) -> NDArray[np.float64]:
    """The weights, one at a time, as compressed-tensors defines them: weight k of a row is nibble k of its little-endian words."""
    return np.array(
        [
            [((int(row[k // 2]) >> 4 * (k % 2) & 15) - 8) * float(scale) for k in range(32)]
            for row, scale in zip(nibbles, scales, strict=True)
        ]
    )


def as_bfloat16(bits: NDArray[np.uint16]) -> Floats:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


@given(NIBBLES, GOOD_SCALES)
def test_every_weight_is_the_same_after_packing(nibbles: Bytes, halves: NDArray[np.float16]) -> None:
    scales = halves.astype(np.float32)
    blocks = int4.pack(nibbles, scales)
    assert int4.fits_q4_0(nibbles, scales)
    assert int4.same(blocks, nibbles, scales)
    read = quants.dequantize(blocks.reshape(-1), GGMLQuantizationType.Q4_0).reshape(-1, 32)
    assert np.array_equal(read.astype(np.float64), plainly(nibbles, scales))


@given(NIBBLES, ANY_BFLOAT16)
def test_any_bfloat16_scale_is_kept_exactly_by_the_type_that_is_chosen(nibbles: Bytes, bits: NDArray[np.uint16]) -> None:
    scales = as_bfloat16(bits)
    wanted = plainly(nibbles, scales)
    assert np.array_equal(int4.weights(nibbles, scales), wanted)
    if int4.fits_q4_0(nibbles, scales):
        read = quants.dequantize(int4.pack(nibbles, scales).reshape(-1), GGMLQuantizationType.Q4_0).reshape(-1, 32)
        assert np.array_equal(read.astype(np.float64), wanted)
    kinds = int4.exact_kinds(wanted)
    with np.errstate(over="ignore", under="ignore"):
        singles = wanted.astype(np.float32)
        assert (Kind.F32 in kinds) == bool((singles == wanted).all())
        assert (Kind.F16 in kinds) == bool((singles.astype(np.float16).astype(np.float64) == wanted).all())
    if Kind.BF16 in kinds:
        assert np.array_equal(as_bfloat16((singles.view(np.uint32) >> 16).astype(np.uint16).reshape(-1)).reshape(-1, 32), singles)


@given(NIBBLES, GOOD_SCALES, st.integers(0, 4), st.integers(0, 17), st.integers(1, 255))
def test_one_changed_byte_of_a_block_is_noticed(nibbles: Bytes, halves: NDArray[np.float16], row: int, byte: int, flip: int) -> None:
    scales = np.abs(halves.astype(np.float32)) + np.float32(0.5)
    scales = scales.astype(np.float16).astype(np.float32).clip(0, 60_000)
    nibbles = nibbles | np.uint8(1)  # a group of zeros has no scale to be wrong about
    blocks = int4.pack(nibbles, scales)
    blocks[row, byte] ^= flip
    assert not int4.same(blocks, nibbles, scales)


@pytest.mark.parametrize(
    ("scale", "fits"),
    [(2.0**-17, True), (2.0**-17 * 1.9921875, True), (2.0**-24, True), (2.0**-25, False), (2.0**-18 * 1.9921875, False), (2.0**16, False)],
)
def test_which_scales_float16_holds(scale: float, fits: bool) -> None:
    nibbles = np.full((1, 16), 0x1F, np.uint8)
    assert int4.fits_q4_0(nibbles, np.array([scale], np.float32)) is fits


def test_a_group_of_zeros_may_have_any_scale() -> None:
    nibbles = np.full((2, 16), 0x88, np.uint8)
    scales = np.array([1e30, 1e-30], np.float32)
    assert int4.fits_q4_0(nibbles, scales)
    blocks = int4.pack(nibbles, scales)
    assert int4.same(blocks, nibbles, scales)
    assert not quants.dequantize(blocks.reshape(-1), GGMLQuantizationType.Q4_0).any()
