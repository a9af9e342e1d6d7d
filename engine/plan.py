"""A plan: where a model's bytes would live on a machine, how long its context and how fast it would be, and what to change for more.

`plan` is a pure function of model, machine and wishes. Every figure that the result rests on is listed with where it comes from, and
the whole with how far to trust it. What this module does not do: measure, print, or load anything.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from engine.advice import Advice, advise, size
from engine.expert_speed import expected_hits
from engine.layout import RESERVE, RESERVE_SHARE, Layout, Placement, Tier
from engine.machine import EXPERT_ROWS, Basis, ExpertPace, Machine, Rate
from engine.outlook import Outlook, Wishes, outlook
from engine.shapes import ModelShape
from engine.speed import ASSUMED_DISK, FEW_CPUS, GPU_OPERATIONS, PCIE_RATE, cases, pace_of

Confidence: TypeAlias = Literal["none", "low", "medium"]
Place: TypeAlias = Literal["GPU", "RAM", "disk"]

SMALL_MODEL: Final = 1 << 30


@dataclass(frozen=True)
class Share:
    """Some of a model's bytes and where they live. `what` is one of the parts that people speak of."""

    what: str
    place: Place
    bytes: int


@dataclass(frozen=True)
class Figure:
    """A number that the plan rests on, and where it comes from."""

    name: str
    value: str
    basis: Basis
    how: str


@dataclass(frozen=True)
class Plan:
    """The answer. `problems` say why the model can't run here, none where it can; `confidence` is how far to trust the speeds, and why."""

    model: ModelShape
    machine: Machine
    outlook: Outlook
    problems: tuple[str, ...]
    shares: tuple[Share, ...]
    figures: tuple[Figure, ...]
    confidence: Confidence
    why: str
    advice: tuple[Advice, ...]

    @property
    def placement(self) -> Placement:
        """What the loader is to tell llama.cpp."""
        return self.outlook.layout.placement

    @property
    def runs(self) -> bool:
        """Whether the model can run here at all."""
        return not self.problems


def plan(model: ModelShape, machine: Machine, wishes: Wishes, siblings: tuple[tuple[ModelShape, str], ...] = ()) -> Plan:
    """The plan for `model` on `machine`; `siblings` are other files of it, with their quality, to compare with."""
    now = outlook(model, machine, wishes)
    confidence, why = _confidence(model, machine, now)
    return Plan(
        model=model,
        machine=machine,
        outlook=now,
        problems=tuple(_problems(model, machine, wishes, now)),
        shares=tuple(_shares(now.layout)),
        figures=tuple(_figures(model, machine, now.layout)),
        confidence=confidence,
        why=why,
        advice=tuple(advise(model, machine, wishes, now, siblings)),
    )


def _problems(model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook) -> Iterator[str]:
    layout, context = now.layout, wishes.context
    if context is not None and context > model.context:
        yield f"a context of {context:,} tokens is wished, the model was made for {model.context:,}: ask for less"
    if layout.missing:
        need = layout.budget + layout.missing
        few = " and a few of the routed experts" if layout.stored else " and what one token needs of the routed experts"
        tail = few if layout.disk else ""
        shorter = max(now.longest.values())
        hint = f"; a context of up to {shorter:,} tokens fits" if shorter else ""
        yield f"memory: {size(need)} for all but the routed experts, cache{tail}, {size(layout.budget)} can be used{hint}"
    if not model.files and model.bytes > machine.disk.free:
        yield f"disk: the file has {size(model.bytes)}, {size(machine.disk.free)} are free at {machine.disk.folder}"


def _shares(layout: Layout) -> Iterator[Share]:
    tiers: tuple[tuple[Place, Tier], ...] = (("GPU", layout.gpu), ("RAM", layout.ram))
    for place, tier in tiers:
        for what, amount in (
            ("attention, shared experts, head", tier.dense_read),
            ("embeddings and rest", tier.dense - tier.dense_read),
            ("routed experts", tier.experts),
            ("cache (KV)", tier.kv),
            ("workspace", tier.workspace),
        ):
            if amount > 0:
                yield Share(what, place, amount)
    if layout.disk:
        yield Share("routed experts", "disk", layout.disk)


def _figures(model: ModelShape, machine: Machine, layout: Layout) -> Iterator[Figure]:
    if machine.memory_rate is not None:
        yield _rate("memory, reading", machine.memory_rate)
    if machine.compute is not None:
        yield _computing("computing, 32-bit", machine.compute)
    if (pace := pace_of(model, machine, layout)) is not None:
        yield _computing("attention, answering", pace.decode)
        yield _computing("attention, reading a prompt", pace.prefill)
    if layout.disk:
        yield _rate("disk, reading", machine.disk.rate or Rate(ASSUMED_DISK, "assumed", "not measured"))
    if layout.placement.gpu_layers:
        for gpu in machine.gpus:
            yield _rate(gpu.name, gpu.rate)
        yield Figure("memory to GPU", f"{PCIE_RATE / 1e9:.0f} GB/s", "assumed", "PCIe 4.0 with 16 lanes")
        yield Figure("GPU, computing", f"{GPU_OPERATIONS / 1e12:.0f} TFLOP/s", "assumed", "matters for prompts")
    if layout.stored:
        yield from _products(model, machine.experts)
    low, expected, high = cases(machine, layout)
    text = f"{expected.memory:.0%} ({low.memory:.0%} to {high.memory:.0%})"
    few = machine.cpus <= FEW_CPUS and not layout.placement.gpu_layers
    yield Figure("share of memory's rate used", text, "assumed" if few else "published", "few CPUs" if few else "runs of K2 and R1")
    if layout.disk:
        hits = expected_hits(machine, layout)
        yield Figure("experts found in memory", f"{hits.expected:.0%} ({hits.low:.0%} to {hits.high:.0%})", hits.basis, hits.how)
        shares = [(case.store_disk if layout.stored else case.disk) for case in (expected, low, high)]
        text = f"{shares[0]:.0%} ({shares[1]:.0%} to {shares[2]:.0%})"
        mapped = Figure("share of disk's rate used", text, "published", "llama.cpp reads through page faults")
        yield Figure("share of disk's rate used", text, "assumed", "the store's direct reads, while it reads") if layout.stored else mapped
    reserve = max(RESERVE, int(machine.memory.total * RESERVE_SHARE))
    yield Figure("memory left to others", size(reserve), "assumed", f"of {size(machine.memory.total)}, {machine.memory.limit}")


def _rate(name: str, rate: Rate) -> Figure:
    return Figure(name, f"{rate.value / 1e9:.3g} GB/s", rate.basis, rate.how)


def _computing(name: str, rate: Rate) -> Figure:
    return Figure(name, f"{rate.value / 1e9:,.0f} GFLOP/s", rate.basis, rate.how)


def _products(model: ModelShape, pace: ExpertPace | None) -> Iterator[Figure]:
    if pace is None:
        yield Figure("products with experts", "not measured", "assumed", "bound by memory and computing as llama.cpp's are")
        return
    yield _rate("experts, 1 row", pace.rates[0])
    operations = pace.rates[-1].value * 2 * EXPERT_ROWS[-1] * model.routed.weights / model.routed.bytes
    yield _computing(f"experts, {EXPERT_ROWS[-1]} rows", replace(pace.rates[-1], value=operations))


def _confidence(model: ModelShape, machine: Machine, now: Outlook) -> tuple[Confidence, str]:
    layout = now.layout
    if not now.speeds:
        return "none", "memory was not measured: run `kimicode models plan`"
    if layout.disk and not (layout.stored and machine.hits):
        bench = ": `kimicode engine bench` counts it" if layout.stored else ""
        return "low", f"experts come from disk, and how often is a guess until somebody measures it{bench}"
    if layout.placement.gpu_layers:
        return "low", "GPUs are not measured"
    if model.bytes < SMALL_MODEL:
        return "low", "a small model's speed is not memory's but that of llama.cpp's many small steps"
    if machine.numa_nodes > 1:
        return "low", f"{machine.numa_nodes} memory nodes: llama.cpp may reach half of this without NUMA settings"
    if layout.stored and machine.experts is not None:
        counted = ", and how often they are in memory was counted" if layout.disk else ""
        return "medium", f"products with experts are measured{counted}; the rest is other people's experience"
    return "medium", "the memory's rate is measured, what llama.cpp makes of it is other people's experience"
