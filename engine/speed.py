"""How fast a model in its places would be. One token, or one batch, costs the time of its bytes in every tier and of its arithmetic.

Decoding is bound by reading: `bytes / (measured rate × efficiency)` for each tier, one after the other, because llama.cpp waits for a
page that is not in memory. The engine's own store (`engine.expert_speed`) reads a layer's missing experts while it multiplies with the
others. Attention over a long context is bound by arithmetic: 2 × heads × (cell + latent) operations a layer and a
position, for prompts and answers alike: at the measured rates of the engine's own kernels, or at a share of the matrix product's where
llama.cpp's attention serves. Every factor is in `Factors`, three times: what is expected, and a slow and a fast case that published results
lie between. What this module does not do: measure, or choose places.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

from engine.attention_rate import scale
from engine.expert_speed import Rates, expected_hits, layers_beside, pace_for, seconds_of_layers
from engine.hits import Hits, union
from engine.layout import Layout
from engine.machine import EXPERT_ROWS, ExpertPace, Machine, Pace, Rate
from engine.shapes import ModelShape

ASSUMED_DISK: Final = 2e9
"""Bytes a second where the disk was not measured: an ordinary NVMe drive, read in pieces."""

PCIE_RATE: Final = 20e9
"""Bytes a second from memory to a GPU: a PCIe 4.0 slot of 16 lanes in practice. Assumed."""

GPU_OPERATIONS: Final = 40e12
"""Operations a second of a GPU on quantised weights. Assumed; it matters for prompts only."""

OFFLOAD_BATCH: Final = 32
"""From this batch on llama.cpp copies experts to the GPU instead of computing with them on the CPU (`GGML_OP_OFFLOAD_MIN_BATCH`)."""

ONE_THREAD: Final = 128 << 20
"""Bytes under which the engine computes a model with one thread."""

STREAMS: Final = 8
"""How many answers are written together where that is asked for: several agents, or one with several tasks."""


@dataclass(frozen=True)
class Factors:
    """What becomes of a measured rate: shares of the memory's, disk's and GPU's reading rate, and of numpy's 32-bit product's rate for
    prompts (`matrix`) and for llama.cpp's attention in prompts and answers (`attend`, `attend_one`); `kernels` is the share of the rate
    that was measured of our own. `skew` is 0 for equally used experts, 1 for `HIT_CURVE`; `layer_seconds` is what a layer costs whatever
    its size; `guess` multiplies what is assumed of GPUs.
    """

    memory: float
    disk: float
    gpu: float
    matrix: float
    attend: float
    attend_one: float
    kernels: float
    experts: float
    store_disk: float
    case: Literal[-1, 0, 1]
    layer_seconds: float
    guess: float


SLOW: Final = Factors(
    0.40,
    0.25,
    0.4,
    0.35,
    attend=0.12,
    attend_one=0.07,
    kernels=0.7,
    experts=0.75,
    store_disk=0.80,
    case=-1,
    layer_seconds=200e-6,
    guess=0.5,
)
EXPECTED: Final = Factors(
    0.60,
    0.40,
    0.6,
    matrix=1.10,
    attend=0.30,
    attend_one=0.20,
    kernels=0.95,
    experts=0.95,
    store_disk=0.92,
    case=0,
    layer_seconds=40e-6,
    guess=1.0,
)
FAST: Final = Factors(
    0.85,
    0.60,
    0.8,
    matrix=2.00,
    attend=0.60,
    attend_one=0.40,
    kernels=1.3,
    experts=1.05,
    store_disk=1.0,
    case=1,
    layer_seconds=20e-6,
    guess=2.0,
)
"""Memory: the best published CPU-only run of K2 used 59 % of its machine's measured rate (EPYC 9965, 192 cores). Disk: llama.cpp reads
through page faults, at 27 to 50 % of what the drive can in published runs. Kernels: in a model they ran at 0.84 to 1.5 times the rate that
was measured of them alone, by what the mask hides. The rest: `benchmarks/plan_accuracy.py`, on two cores.
"""

FEW_CPUS: Final = 16
"""Up to so many CPUs llama.cpp comes nearer to the memory's rate: they wait less for each other, and one memory controller serves all."""

_FEW: Final = (0.60, 0.85, 1.0)
_HYBRID: Final = (0.20, 0.35, 0.60)
"""With a GPU for the dense part: published runs with experts in memory use about a third of its rate."""


def cases(machine: Machine, layout: Layout) -> tuple[Factors, Factors, Factors]:
    """The slow, the expected and the fast case for this machine."""
    if layout.placement.gpu_layers:
        shares = _HYBRID
    elif machine.cpus <= FEW_CPUS:
        shares = _FEW
    else:
        shares = (SLOW.memory, EXPECTED.memory, FAST.memory)
    slow, expected, fast = (replace(case, memory=share) for case, share in zip((SLOW, EXPECTED, FAST), shares, strict=True))
    return slow, expected, fast


@dataclass(frozen=True)
class Estimate:
    """Tokens a second: what is expected, between a slow and a fast case."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class Speed:
    """Speeds at one context: of reading a prompt of that many tokens, of answering after it, and of `STREAMS` such answers together."""

    context: int
    prefill: Estimate
    decode: Estimate
    together: Estimate


def speed(model: ModelShape, machine: Machine, layout: Layout, context: int) -> Speed:
    """The speeds at `context` tokens. The machine's memory and computing must have been measured or told."""
    low, expected, high = (_Case(model, machine, layout, factors) for factors in cases(machine, layout))
    return Speed(
        context,
        Estimate(expected.prefill(context), low.prefill(context), high.prefill(context)),
        Estimate(expected.decode(context), low.decode(context), high.decode(context)),
        Estimate(*(case.decode(context, STREAMS) for case in (expected, low, high))),
    )


def pace_of(model: ModelShape, machine: Machine, layout: Layout) -> Pace | None:
    """The attention kernels' rates with as many threads as this model gets; None where attention is llama.cpp's own, as it is throughout
    where a GPU holds layers."""
    if machine.kernels is None or layout.placement.gpu_layers:
        return None
    return machine.kernels.one if model.bytes < ONE_THREAD else machine.kernels.all


def hit_rate(hits: Hits, case: Literal[-1, 0, 1]) -> float:
    """The hit rate of the slow, the expected or the fast case."""
    match case:
        case -1:
            return hits.low
        case 0:
            return hits.expected
        case 1:
            return hits.high
        case _:
            assert_never(case)


@dataclass(frozen=True)
class _Case:
    """One set of factors applied to one layout."""

    model: ModelShape
    machine: Machine
    layout: Layout
    factors: Factors

    def decode(self, context: int, streams: int = 1) -> float:
        """Tokens a second of one answer, or of so many together, each behind as many tokens of its own."""
        model, layout = self.model, self.layout
        on_gpu = layout.gpu.dense_read + layout.gpu.experts * self._touched(streams)
        seconds = layout.ram.dense_read / self._memory + on_gpu / self._gpu + self._expert_seconds(streams, prompt=False)
        return streams / (seconds + streams * self._attention(context, 1) + len(model.layers) * self.factors.layer_seconds)

    def prefill(self, prompt: int) -> float:
        """Tokens a second of reading a prompt of this length."""
        model, layout = self.model, self.layout
        batch = min(layout.placement.batch, prompt)
        offloaded = bool(layout.placement.gpu_layers) and batch >= OFFLOAD_BATCH and not layout.stored
        on_cpu, on_gpu = self._weights(offloaded=offloaded)
        if layout.stored:
            seconds = max(2 * batch * on_cpu / self._matrix, layout.ram.dense_read / self._memory) + self._expert_seconds(
                batch, prompt=True
            )
        else:
            touched = (layout.ram.experts + layout.disk) * self._touched(batch)
            read = layout.ram.dense_read + (0.0 if offloaded else touched)
            seconds = max(2 * batch * on_cpu / self._matrix, read / self._memory) + touched * (1 - layout.resident) / self._disk
            seconds += touched / (PCIE_RATE * self.factors.guess) if offloaded else 0.0
        seconds += 2 * batch * on_gpu / self._gpu_operations + len(model.layers) * self.factors.layer_seconds
        return batch / (seconds + batch * self._attention(prompt / 2, batch))

    def _touched(self, tokens: int) -> float:
        """The share of a layer's experts that so many tokens want together."""
        return union(self.model.experts, self.model.experts_used, tokens) / max(1, self.model.experts)

    def _expert_seconds(self, tokens: int, *, prompt: bool) -> float:
        """Of the routed experts that no GPU holds, for so many tokens at a time. A prompt uses nearly all of them once, so that what was
        used often tells nothing."""
        layout = self.layout
        beside = layout.ram.experts + layout.disk
        found = layout.resident if prompt else hit_rate(expected_hits(self.machine, layout), self.factors.case)
        if not layout.stored:
            touched = beside * self._touched(tokens)
            return touched / self._memory + touched * (1 - found) / self._disk
        return seconds_of_layers(layers_beside(self.model, layout), tokens, found, self._rates)

    @property
    def _rates(self) -> Rates:
        """Of a store. Kernels that were not measured are taken to reach what llama.cpp's do: memory's rate for one row, the matrix
        product's for many."""
        pace, factors = self.machine.experts, self.factors
        rate = self.machine.disk.rate
        if pace is None:
            weight = self.model.routed.bytes / max(1, self.model.routed.weights)
            bound = [self._memory, *(min(self._memory, self._matrix * weight / 2 / rows) for rows in EXPERT_ROWS[1:])]
            pace = ExpertPace("", tuple(Rate(value / factors.experts, "assumed", "") for value in bound))
        return Rates(pace_for(self.model, pace), factors.experts, (rate.value if rate is not None else ASSUMED_DISK) * factors.store_disk)

    def _weights(self, *, offloaded: bool) -> tuple[float, float]:
        """Weights that a prompt's token is multiplied with by llama.cpp on the CPU and on GPUs; `offloaded` experts go where their layer
        is."""
        model, layout = self.model, self.layout
        dense, routed = sum(layer.always.weights for layer in model.layers), model.routed.weights * model.used
        there = layout.gpu_share if offloaded else layout.gpu.experts / max(1, model.routed.bytes)
        on_gpu = dense * layout.gpu_share + routed * there
        return dense + (routed * there if layout.stored else routed) - on_gpu, on_gpu

    def _attention(self, context: float, queries: int) -> float:
        """Seconds a token looks back over `context` positions, among `queries` that do."""
        shape, share = self.model.attention, self.layout.gpu_share
        operations = 2 * len(self.model.layers) * shape.heads * context * (shape.cell + shape.latent)
        return operations * (1 - share) / self._attention_rate(queries) + operations * share / self._gpu_operations

    def _attention_rate(self, queries: int) -> float:
        """Operations a second of the CPUs' attention."""
        pace = pace_of(self.model, self.machine, self.layout)
        if pace is None:
            return self._compute * (self.factors.attend if queries > 1 else self.factors.attend_one)
        rate = pace.prefill if queries > 1 else pace.decode
        return rate.value * scale(self.model.attention.heads, queries) * self.factors.kernels

    @property
    def _memory(self) -> float:
        assert self.machine.memory_rate is not None
        return self.machine.memory_rate.value * self.factors.memory * self._cpu_share

    @property
    def _disk(self) -> float:
        rate = self.machine.disk.rate
        return (rate.value if rate is not None else ASSUMED_DISK) * self.factors.disk

    @property
    def _gpu(self) -> float:
        """The slowest GPU's rate: layers are computed one after the other."""
        return min((gpu.rate.value for gpu in self.machine.gpus), default=1.0) * self.factors.gpu

    @property
    def _gpu_operations(self) -> float:
        return GPU_OPERATIONS * self.factors.guess

    @property
    def _compute(self) -> float:
        assert self.machine.compute is not None
        return self.machine.compute.value * self._cpu_share

    @property
    def _cpu_share(self) -> float:
        return 1 / self.machine.cpus if self.model.bytes < ONE_THREAD else 1.0

    @property
    def _matrix(self) -> float:
        return self._compute * self.factors.matrix
