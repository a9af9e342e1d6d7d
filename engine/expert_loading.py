"""Loading a model around its experts: whether its routed experts can be in the engine's own store, and the model without them.

A model whose experts are in the store is loaded from a stream (`engine.one_file`) that leaves out their tensors: llama.cpp makes them, in
address space alone, and the store reads what a computation wants. What this module does not do: plan, or run a model (`engine.llama`).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_cpp.llama_cpp as api
from gguf.constants import GGMLQuantizationType

from engine import side_file
from engine.c_stream import Stream, unsupported
from engine.devices import devices
from engine.errors import EngineError, ModelFileError
from engine.expert_cache import ExpertCache, ExpertState, Keeper, copies_of, only
from engine.expert_files import expert_files, is_expert
from engine.gguf import ARCHITECTURE, Header
from engine.layout import STORE
from engine.machine import Memory, memory
from engine.native.plugin import Loaded
from engine.native.store import Store, StoreOptions
from engine.native.weights import WeightsLibrary
from engine.one_file import OneFile
from engine.parts import Parts, read_parts
from engine.placement import place

Overrides = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Kept:
    """The open store of a model's experts, and who keeps it small enough."""

    store: Store
    keeper: Keeper

    def state(self) -> ExpertState:
        """The store's numbers now. Any thread."""
        counts = self.store.counts()
        return ExpertState(
            cache_bytes=counts.places * counts.place_bytes,
            planned_bytes=self.keeper.planned,
            hits=counts.hits,
            misses=counts.misses,
            read_bytes=counts.bytes,
            retries=counts.retries,
            failures=counts.failures,
            waited_seconds=counts.waited_seconds,
        )


def open_store(parts: Parts, cache: ExpertCache, overriding: Overrides, loaded: Loaded, look: Callable[[], Memory] = memory) -> Kept:
    """The store for those experts of this model that `overriding` sends there. Raises `EngineError` where there can't be one, with the
    reason and what to do, and `ModelFileError` where files that were named for it are wrong."""
    if reason := refusal(loaded):
        raise EngineError(reason)
    names = [tensor for _, tensor in parts.tensors() if leaves(tensor.name, overriding)]
    files = expert_files(parts) if cache.side is None else side_file.expert_files(cache.side, parts)
    if not names or files is None:
        raise EngineError("the model has no routed experts in memory")
    if unknown := sorted({tensor.kind for tensor in names} - _kinds({tensor.kind for tensor in names})):
        raise EngineError(f"experts of type {', '.join(unknown)} can't be computed from a store; convert the model to Q4_0")
    layers = {int(match[0]) for tensor in names if (match := re.search(r"\d+", tensor.name))}
    piece, depth = cache.reading
    copies = copies_of(files.files, cache.copies)[1:]
    store = Store(only(files, layers), cache.memory, copies=copies, options=StoreOptions(piece=piece, depth=depth))
    try:
        return Kept(store, _keeper(store, cache.memory, len(layers) * files.experts, parts.first.header, look))
    except EngineError:
        store.close()
        raise


def _keeper(store: Store, most: int, experts: int, header: Header, look: Callable[[], Memory]) -> Keeper:
    """Who keeps the store at `most` bytes, or at what all experts need where that is less."""
    place_bytes = store.counts().place_bytes
    planned = min(most, experts * place_bytes)
    store.resize(planned)
    used = int(header.number(f"{ARCHITECTURE}.expert_used_count", 1))
    # The system may have given less than it was asked for.
    given = (store.counts().places + 1) * place_bytes - 1
    return Keeper(store, planned, used * place_bytes, given=given, used=lambda: store.counts().made * place_bytes, look=look)


def refusal(loaded: Loaded) -> str:
    """Why no model's experts can be in a store in this process, and what to do; empty where they can."""
    if reason := loaded.missing or unsupported():
        return reason
    known = [device.name for device in devices()]
    return "" if STORE in known else "the native library has no device for experts: build it again with `python -m engine.native.build`"


def leaves(name: str, overriding: Overrides) -> bool:
    """Whether the tensor of this name is an expert's that goes to the store."""
    return is_expert(name) and place(name, overriding) == STORE


def bytes_read(path: Path, overriding: Overrides) -> int:
    """Bytes of the tensors that llama.cpp reads where `overriding` sends experts to the store, of all where it is empty; 0 where the file
    is so wrong that llama.cpp will say so."""
    try:
        tensors = [tensor for _, tensor in read_parts(path).tensors()]
    except ModelFileError:
        return 0
    return sum(tensor.bytes for tensor in tensors if not leaves(tensor.name, overriding))


def load_around(parts: Parts, parameters: api.llama_model_params, leave: Callable[[str], bool]) -> int | None:
    """The model without the tensors that `leave` names, or None where llama.cpp refuses it, or loading was stopped. Raises
    `ModelFileError` where a file can't be read."""
    parameters.load_mode, parameters.lazy_mode = api.LLAMA_LOAD_MODE_NONE, api.LLAMA_LAZY_MODE_OFF
    with OneFile(parts, leave) as file, Stream(file) as stream:
        model: int | None = api.llama_model_load_from_file_ptr(stream.pointer, parameters)
    if stream.problem is None:
        return model
    if model is not None:
        api.llama_model_free(model)
    if isinstance(stream.problem, OSError):
        raise ModelFileError(f"{parts.first.path}: {stream.problem.strerror or stream.problem}") from None
    raise stream.problem


def _kinds(kinds: set[str]) -> set[str]:
    """Those of these types whose products the library has."""
    library = WeightsLibrary()
    return {kind for kind in kinds if library.names(GGMLQuantizationType[kind].value)}
