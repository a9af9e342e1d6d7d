"""Where every byte of a model would live: on GPUs, in memory, on disk. Arithmetic only.

The order of preference follows from how often a byte is read. Attention, shared experts, the output matrix and the cache are used by
every token, one routed expert by one token in dozens; so a GPU gets the former first and whole layers' routed experts with what is left,
memory gets the rest, and routed experts that fit nowhere stay in the file, which llama.cpp maps into memory, page by page as they are
used. What this module does not do: predict speed (`engine.speed`) or tell llama.cpp (`engine.placement`).
"""

from dataclasses import dataclass
from typing import Final

from engine.machine import Machine
from engine.shapes import KvType, ModelShape, total

CPU: Final = "CPU"
"""ggml's name of the device whose memory is the machine's own."""

RESERVE: Final = 1 << 30
"""Bytes left to everything else on the machine, or `RESERVE_SHARE` of its memory where that is more. Assumed."""

RESERVE_SHARE: Final = 0.04
GPU_SHARE: Final = 0.95
"""How much of a GPU's free memory is used: drivers and fragments take the rest. Assumed."""

EXPERT_TENSORS: Final = r"\.ffn_(gate|up|down|gate_up)_exps\."
"""llama.cpp's names of the tensors with routed experts, as its overrides match them (ECMAScript, anywhere in the name)."""

_WORKSPACE: Final = 256 << 20


@dataclass(frozen=True)
class Placement:
    """What llama.cpp is told. `gpu_layers` counts from the end, the output matrix first, as `n_gpu_layers` does.

    `tensor_overrides` are pairs of a pattern of tensor names and a device's name; `context` and `batch` are tokens.
    """

    gpu_layers: int
    tensor_overrides: tuple[tuple[str, str], ...]
    context: int
    kv_type: KvType
    batch: int


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


def arrange(model: ModelShape, machine: Machine, context: int, kv_type: KvType, batch: int) -> Layout:
    """The best places for this model, cache and batch."""
    kv, workspace = context * model.kv_bytes(kv_type), workspace_bytes(model, batch)
    if (unified := _unified(model, machine, kv + workspace)) is not None:
        layers, kept = unified, frozenset(range(len(model.layers)))
    else:
        layers, kept = _on_gpus(model, machine, kv, workspace)
    placement = Placement(layers, _overrides(model, layers, kept), context, kv_type, batch)
    gpu = _gpu_tier(model, layers, kept, kv, workspace)
    memory = machine.memory
    budget = max(0, memory.available - max(RESERVE, int(memory.total * RESERVE_SHARE))) - (gpu.bytes if unified is not None else 0)
    dense = model.dense.bytes - gpu.dense + (model.output.bytes if layers and not model.head.bytes else 0)
    read = total(model.layers[index].always for index in range(_first(model, layers))).bytes + (0 if layers else model.output.bytes)
    rest = Tier(dense, 0, kv - gpu.kv, 0 if gpu.kv == kv and kv else workspace, read)
    experts = model.routed.bytes - gpu.experts
    fits = min(experts, max(0, budget - rest.bytes))
    # Below one token's own experts every token would read all of them from disk, and its own pages would push each other out.
    missing = max(0, rest.bytes + int(experts * model.used) - budget)
    ram = Tier(rest.dense, fits, rest.kv, rest.workspace, rest.dense_read)
    return Layout(placement, gpu, ram, experts - fits, budget, missing, max(0, layers - 1) / len(model.layers))


def workspace_bytes(model: ModelShape, batch: int) -> int:
    """Bytes for intermediate results, an estimate: logits and a few dozen rows of the model's width for every token of a batch."""
    return _WORKSPACE + batch * 4 * (model.vocabulary + 32 * model.width)


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


def _overrides(model: ModelShape, layers: int, kept: frozenset[int]) -> tuple[tuple[str, str], ...]:
    """Routed experts that do not go where their layer goes."""
    routed = [index for index in _gpu_layers(model, layers) if model.layers[index].experts.bytes]
    away = [index for index in routed if index not in kept]
    if not away:
        return ()
    if len(away) == len(routed):
        return ((EXPERT_TENSORS, CPU),)
    return ((rf"blk\.({'|'.join(map(str, away))}){EXPERT_TENSORS}", CPU),)
