"""Where every byte of a model would live: on GPUs, in memory, on disk. Arithmetic only.

The order of preference follows from how often a byte is read. Attention, shared experts, the output matrix and the cache are used by
every token, one routed expert by one token in dozens; so a GPU gets the former first and whole layers' routed experts with what is left,
memory gets the rest, and routed experts that fit nowhere stay in the file. Either the engine keeps as many of them as it can in a store of
its own and reads the others past the page cache, or llama.cpp maps the file into memory, page by page as they are used. A store's memory
is taken for good, so it gets what is left when everything else has its own, and never so much that the machine would page.
What this module does not do: predict speed (`engine.speed`) or tell llama.cpp (`engine.placement`).
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final, assert_never

from engine.machine import Machine
from engine.shapes import KvType, ModelShape, total

CPU: Final = "CPU"
"""ggml's name of the device whose memory is the machine's own."""

STORE: Final = "EXP"
"""The name of the device that takes experts' tensors for the engine's own store."""

SMALL: Final = 1 << 30
"""Bytes of routed experts under which a store is not worth its memory: llama.cpp maps them."""

SECTOR: Final = 4096
"""Direct reads begin and end at multiples of it."""

RESERVE: Final = 1 << 30
"""Bytes left to everything else on the machine, or `RESERVE_SHARE` of its memory where that is more. Assumed."""

RESERVE_SHARE: Final = 0.04
GPU_SHARE: Final = 0.95
"""How much of a GPU's free memory is used: drivers and fragments take the rest. Assumed."""

EXPERT_TENSORS: Final = r"\.ffn_(gate|up|down|gate_up)_exps\."
"""llama.cpp's names of the tensors with routed experts, as its overrides match them (ECMAScript, anywhere in the name)."""

_WORKSPACE: Final = 256 << 20
_PARTS: Final = 3


class Experts(Enum):
    """Who keeps the routed experts that no GPU does. Values are the names on the command line."""

    AUTO = "auto"
    """The store where there is one and the experts have `SMALL` bytes or more, also where all of them fit in memory."""

    STORE = "store"
    """The engine's own store."""

    MAPPED = "mapped"
    """llama.cpp, which maps the file."""


@dataclass(frozen=True)
class ExpertWish:
    """`who` keeps routed experts, and the `most` bytes that a store gets; None leaves that to the layout."""

    who: Experts = Experts.AUTO
    most: int | None = None


@dataclass(frozen=True)
class Placement:
    """What llama.cpp is told. `gpu_layers` counts from the end, the output matrix first, as `n_gpu_layers` does.

    `tensor_overrides` are pairs of a pattern of tensor names and a device's name; `context` and `batch` are tokens. `expert_memory` are the
    bytes that the engine's store of routed experts gets; without one, None, llama.cpp maps them. Those of the layers `gpu_experts` are
    ordinary tensors on GPUs, and not the store's.
    """

    gpu_layers: int
    tensor_overrides: tuple[tuple[str, str], ...]
    context: int
    kv_type: KvType
    batch: int
    expert_memory: int | None = None
    gpu_experts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tier:
    """What one kind of memory holds, in bytes: `dense` weights (all but routed experts), routed `experts`, cache (`kv`), `workspace`.

    `dense_read` of the dense bytes are read for every token: of the embeddings only a row is.
    """

    dense: int = 0
    experts: int = 0
    kv: int = 0
    workspace: int = 0
    dense_read: int = 0

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.dense + self.experts + self.kv + self.workspace


@dataclass(frozen=True)
class Layout:
    """A model on a machine. `disk` are bytes of routed experts that only the file holds; `budget` is what memory may take.

    `missing` are the bytes of memory without which the model can't run at all, 0 where it can. `gpu_share` of the layers is on GPUs.
    """

    placement: Placement
    gpu: Tier
    ram: Tier
    disk: int
    budget: int
    missing: int
    gpu_share: float

    @property
    def resident(self) -> float:
        """The share in memory of those routed experts that no GPU holds."""
        return self.ram.experts / (self.ram.experts + self.disk) if self.disk else 1.0

    @property
    def stored(self) -> bool:
        """Whether the engine's own store has the experts that no GPU holds."""
        return self.placement.expert_memory is not None


AS_EVER: Final = ExpertWish()


def arrange(model: ModelShape, machine: Machine, context: int, kv_type: KvType, batch: int, experts: ExpertWish = AS_EVER) -> Layout:
    """The best places for this model, cache and batch."""
    kv, workspace = context * model.kv_bytes(kv_type), workspace_bytes(model, batch)
    if (unified := _unified(model, machine, kv + workspace)) is not None:
        layers, kept = unified, frozenset(index for index, layer in enumerate(model.layers) if layer.experts.bytes)
    else:
        layers, kept = _on_gpus(model, machine, kv, workspace)
    gpu = _gpu_tier(model, layers, kept, kv, workspace)
    memory = machine.memory
    budget = max(0, memory.available - max(RESERVE, int(memory.total * RESERVE_SHARE))) - (gpu.bytes if unified is not None else 0)
    dense = model.dense.bytes - gpu.dense + (model.output.bytes if layers and not model.head.bytes else 0)
    read = total(model.layers[index].always for index in range(_first(model, layers))).bytes + (0 if layers else model.output.bytes)
    rest = Tier(dense, 0, kv - gpu.kv, 0 if gpu.kv == kv and kv else workspace, read)
    beside = model.routed.bytes - gpu.experts
    left = budget - rest.bytes
    stored = beside > 0 and _wants_store(model, machine, experts.who)
    room = (
        _store_room(model, kept, left if experts.most is None else min(experts.most, left)) if stored else _mapped_room(model, beside, left)
    )
    overrides = _overrides(model, layers, kept, STORE if stored else CPU)
    placement = Placement(layers, overrides, context, kv_type, batch, room.memory, tuple(sorted(kept)))
    ram = Tier(rest.dense, room.held, rest.kv, rest.workspace, rest.dense_read)
    missing = max(0, rest.bytes + room.least - budget)
    return Layout(placement, gpu, ram, beside - room.held, budget, missing, max(0, layers - 1) / len(model.layers))


def place_bytes(model: ModelShape) -> int:
    """Bytes of memory for one expert: the largest one's, and what is read with it because a drive has sectors."""
    largest = max((layer.experts.bytes for layer in model.layers), default=0)
    return -(-largest // max(1, model.experts)) + 2 * _PARTS * SECTOR


def workspace_bytes(model: ModelShape, batch: int) -> int:
    """Bytes for intermediate results, an estimate: logits and a few dozen rows of the model's width for every token of a batch."""
    return _WORKSPACE + batch * 4 * (model.vocabulary + 32 * model.width)


@dataclass(frozen=True)
class _Room:
    """What routed experts get of memory: a store's `memory`, or None; the bytes of them that are `held`; and the `least` that runs."""

    memory: int | None
    held: int
    least: int


def _wants_store(model: ModelShape, machine: Machine, experts: Experts) -> bool:
    match experts:
        case Experts.AUTO:
            return machine.store and model.routed.bytes >= SMALL
        case Experts.STORE:
            return machine.store
        case Experts.MAPPED:
            return False
        case _:
            assert_never(experts)


def _store_room(model: ModelShape, kept: frozenset[int], left: int) -> _Room:
    """Places for experts in `left` bytes: at most one for each, at least what one token wants of a layer."""
    layers = [layer.experts.bytes for index, layer in enumerate(model.layers) if index not in kept and layer.experts.bytes]
    count, place = len(layers) * model.experts, place_bytes(model)
    places = min(count, max(model.experts_used, left // place))
    return _Room(places * place, sum(layers) * places // count, model.experts_used * place)


def _mapped_room(model: ModelShape, beside: int, left: int) -> _Room:
    """The least is one token's own experts: with less every token would read all of its own from disk, because they push each other out."""
    return _Room(None, min(beside, max(0, left)), int(beside * model.used))


def _unified(model: ModelShape, machine: Machine, more: int) -> int | None:
    """All layers, where a GPU that shares the machine's memory can hold the whole model; else it is left alone."""
    for gpu in machine.gpus:
        if gpu.unified and model.bytes + more <= gpu.free * GPU_SHARE:
            return len(model.layers) + 1
    return None


def _on_gpus(model: ModelShape, machine: Machine, kv: int, workspace: int) -> tuple[int, frozenset[int]]:
    """How many layers go to GPUs, counted as llama.cpp does, and which layers' routed experts go with them."""
    gpus = [gpu for gpu in machine.gpus if not gpu.unified]
    room = sum(gpu.free * GPU_SHARE - workspace for gpu in gpus)
    count, kv_layer = len(model.layers), kv / len(model.layers)
    costs = [model.output.bytes, *(layer.always.bytes + kv_layer for layer in reversed(model.layers))]
    layers = 0
    while layers < len(costs) and costs[layers] <= room:
        room -= costs[layers]
        layers += 1
    if layers <= count:
        return layers, frozenset()
    routed = [index for index, layer in enumerate(model.layers) if layer.experts.bytes]
    largest = max((model.layers[index].experts.bytes for index in routed), default=1)
    # Layers are whole: each further GPU may lose up to one to rounding.
    fitting = min(len(routed), max(0, int(room // largest) - max(0, len(gpus) - 1)))
    # Spread evenly, because llama.cpp shares layers out among several GPUs in order.
    return layers, frozenset(routed[index * len(routed) // fitting] for index in range(fitting))


def _gpu_layers(model: ModelShape, layers: int) -> range:
    return range(_first(model, layers), len(model.layers))


def _first(model: ModelShape, layers: int) -> int:
    """The first layer on a GPU."""
    return min(len(model.layers), max(0, len(model.layers) + 1 - layers))


def _gpu_tier(model: ModelShape, layers: int, kept: frozenset[int], kv: int, workspace: int) -> Tier:
    if not layers:
        return Tier()
    there = _gpu_layers(model, layers)
    dense = total(model.layers[index].always for index in there).bytes + model.output.bytes
    experts = total(model.layers[index].experts for index in kept).bytes
    return Tier(dense, experts, kv * len(there) // len(model.layers), workspace, dense)


def _overrides(model: ModelShape, layers: int, kept: frozenset[int], device: str) -> tuple[tuple[str, str], ...]:
    """Routed experts that go to `device` and not where their layer goes."""
    routed = [index for index in _gpu_layers(model, layers) if model.layers[index].experts.bytes]
    away = [index for index in routed if index not in kept]
    if not away:
        return ()
    if len(away) == len(routed):
        return ((EXPERT_TENSORS, device),)
    return ((rf"blk\.({'|'.join(map(str, away))}){EXPERT_TENSORS}", device),)
