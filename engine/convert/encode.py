"""Numbers from one storage type to another: what a checkpoint holds (bfloat16, float16, float32) to what a GGUF holds.

A value is rounded only where the wanted type is narrower than the stored one, to the nearest. What this module does not do: INT4
(`engine.convert.int4`), or decide which type a tensor gets.
"""

from enum import IntEnum
from typing import Final

import numpy as np
from gguf import GGMLQuantizationType, quants
from gguf.constants import GGML_QUANT_SIZES
from numpy.typing import NDArray

from engine.convert.safetensors import Raw
from engine.errors import ModelFileError

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]


class Kind(IntEnum):
    """The types of GGUF tensors that are written here, numbered as ggml numbers them."""

    F32 = 0
    F16 = 1
    Q4_0 = 2
    Q8_0 = 8
    BF16 = 30


FLOAT_TYPES: Final = {"BF16": Kind.BF16, "F16": Kind.F16, "F32": Kind.F32}
"""What safetensors calls the types that weights may have, and their equals in a GGUF."""

QUANT_ROW: Final = 32
"""A row of a quantised tensor is a multiple of this many weights: the block of Q4_0 and Q8_0."""


def size_of(kind: Kind, elements: int) -> int:
    """How many bytes `elements` numbers take."""
    block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    return elements // int(block) * int(size)


def to_float32(values: Raw, dtype: str) -> Floats:
    """Stored values as float32, exactly. `dtype` is one of `FLOAT_TYPES`."""
    if dtype == "BF16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(np.float32, copy=False)


def encode(values: Raw, dtype: str, kind: Kind, what: str) -> Bytes:
    """`values`, whose last axis is a row, as the bytes of a tensor of type `kind`.

    Raises `ModelFileError`, naming it `what`, where a value is not finite or too large for float16.
    """
    if not _finite(values, dtype):
        raise ModelFileError(f"{what} holds values that are not finite: download its file again")
    if FLOAT_TYPES[dtype] is kind:
        return np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    floats = to_float32(values, dtype)
    match kind:
        case Kind.F32:
            encoded: Raw = np.ascontiguousarray(floats)
        case Kind.F16:
            encoded = _half(floats, what)
        case Kind.BF16 | Kind.Q8_0:
            encoded = quants.quantize(np.ascontiguousarray(floats), GGMLQuantizationType(kind))
        case Kind.Q4_0:
            raise AssertionError("only INT4 weights become Q4_0, and not here")
    return encoded.reshape(-1).view(np.uint8)


def _half(floats: Floats, what: str) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        halves = floats.astype(np.float16)
    if not np.isfinite(halves).all():
        raise ModelFileError(f"{what} holds values too large for float16: convert with --outtype bf16")
    return halves


def _finite(values: Raw, dtype: str) -> bool:
    if dtype == "BF16":
        exponent = np.uint16(0x7F80)
        return not bool(((values.view(np.uint16) & exponent) == exponent).any())
    return bool(np.isfinite(values).all())
