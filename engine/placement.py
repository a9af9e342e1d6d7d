"""A placement told to llama.cpp: which layers go to GPUs, and which tensors go elsewhere in spite of that.

The structure is `llama_model_tensor_buft_override` of `llama.h`, which the Python package leaves out; patterns are ECMAScript regular
expressions that may match anywhere in a tensor's name. What this module does not do: decide (`engine.layout` does) or load.
"""

import ctypes
import re
from collections.abc import Sequence
from typing import Final

import llama_cpp.llama_cpp as api

from engine.devices import buffer_type
from engine.errors import EngineError
from engine.layout import CPU, EXPERT_TENSORS, STORE, Placement

__all__ = ["Placement", "PlacementError", "apply", "overrides", "place"]

# std::regex ends the process on what it can't read, so only what it surely reads as Python does may pass.
_SAFE: Final = re.compile(r"^(?:[\w.^$()|-]|\\[.d]|\[(?:\w-\w|\w)+\]|(?<=[\w.)\]])[*+?])+\Z", re.ASCII)


class PlacementError(EngineError):
    """A placement that llama.cpp can't be given: a pattern it can't read, a device it does not have, or too many overrides."""

    exit_code = 2


class _Override(ctypes.Structure):
    _fields_ = (("pattern", ctypes.c_char_p), ("buft", ctypes.c_void_p))


def overrides(placement: Placement | None, *, stored: bool) -> tuple[tuple[str, str], ...]:
    """Which tensors go where in spite of their layer's place, as `Placement.tensor_overrides`: with routed experts in the engine's store,
    those that no GPU holds, or with all of them llama.cpp's. Without a placement, none but the experts."""
    given = placement.tensor_overrides if placement is not None else ()
    if not stored:
        return tuple((pattern, CPU if device == STORE else device) for pattern, device in given)
    named = tuple((pattern, STORE if pattern.endswith(EXPERT_TENSORS) else device) for pattern, device in given)
    # Where GPUs hold experts they hold all layers, and those whose experts they don't hold are named.
    return named if placement is not None and placement.gpu_experts else (*named, (EXPERT_TENSORS, STORE))


def place(name: str, overriding: Sequence[tuple[str, str]]) -> str | None:
    """The device that a tensor of this name goes to by these overrides; None where by none of them."""
    return next((device for pattern, device in overriding if re.search(pattern, name, re.ASCII)), None)


def apply(parameters: api.llama_model_params, placement: Placement | None, *, stored: bool = False) -> object:
    """Write `placement` into `parameters`, with or without the engine's store of experts, whose device must be in this process then. What
    is returned must be kept alive as long as they are used. Raises `PlacementError`."""
    given = [_override(pattern, device) for pattern, device in overrides(placement, stored=stored)]
    most = int(api.llama_max_tensor_buft_overrides())
    if len(given) >= most:
        raise PlacementError(f"{len(given)} overrides of tensors' places, llama.cpp takes {most - 1}: join patterns with |")
    if placement is not None:
        parameters.n_gpu_layers = placement.gpu_layers
    if not given:
        return None
    array = (_Override * (len(given) + 1))(*given, _Override(None, None))
    parameters.tensor_buft_overrides = ctypes.cast(array, ctypes.c_void_p).value
    return array


def _override(pattern: str, device: str) -> _Override:
    if not _SAFE.match(pattern):
        raise PlacementError(f"{pattern!r}: use letters, digits and . ^ $ ( ) | [ ] * + ? \\. \\d alone in patterns of tensor names")
    try:
        re.compile(pattern)
    except re.error as error:
        raise PlacementError(f"{pattern!r}: not a pattern of tensor names: {error}; write one like blk\\.3\\.ffn_.*_exps") from None
    try:
        return _Override(pattern.encode("ascii"), buffer_type(device))
    except EngineError as error:
        raise PlacementError(str(error)) from None
