"""What to change for more: other memory, disk, GPU, cache or file of the same model, each tried with the same arithmetic as the plan.

Only what helps noticeably is said, with the speed before and after and the reason. What this module does not do: know prices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from engine.layout import GPU_SHARE, Layout, workspace_bytes
from engine.machine import Disk, Gpu, Machine, Memory, Rate
from engine.outlook import Outlook, Wishes, outlook
from engine.shapes import ModelShape

GIB: Final = 1 << 30
MEMORY_SIZES: Final = (8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
"""GiB of memory that machines have."""

GPU_SIZES: Final = (8, 12, 16, 24, 32, 48, 80, 96)
FAST_DISK: Final = 12e9
"""Bytes a second of a PCIe 5.0 NVMe drive."""

ASSUMED_GPU: Final = Rate(900e9, "assumed", "a card of this size made since 2020")
_USABLE: Final = 1.0
_SERVER_CPUS: Final = 32
_SERVER_MEMORY: Final = Memory(768 * GIB, 760 * GIB, "asked for")
_SERVER_RATE: Final = Rate(370e9, "assumed", "12 channels of DDR5-4800 (370 GB/s)")
_SERVER_COMPUTE: Final = Rate(3e12, "assumed", "32 CPUs with AVX-512")
_SERVER_DISK: Final = Rate(7e9, "assumed", "PCIe 4.0 NVMe")
_SERVER_GPU: Final = 32 * GIB
_NOTICEABLE: Final = 1.15
_LARGE_STEP: Final = 1.5
_MEMORY_STEPS: Final = 2


@dataclass(frozen=True)
class Advice:
    """One change. `decode`: tokens a second of answers after it, 0 where speed isn't the point."""

    change: str
    decode: float
    why: str


def advise(
    model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook, siblings: tuple[tuple[ModelShape, str], ...]
) -> Iterator[Advice]:
    """Every change worth its trouble, the cheapest first."""
    yield from _cache(model, now)
    yield from _files(machine, wishes, now, siblings)
    yield from _disk(model, machine, wishes, now)
    yield from _memory(model, machine, wishes, now)
    yield from _gpu(model, machine, wishes, now)
    yield from _elsewhere(model, machine, wishes, now)


def with_memory(machine: Machine, total: int) -> Machine:
    """This machine with `total` bytes of memory, of which as much is in use as now."""
    used = machine.memory.total - machine.memory.available
    return replace(machine, memory=Memory(total, max(0, total - used), "asked for"))


def with_gpu(machine: Machine, size: int) -> Machine:
    """This machine with one GPU of `size` bytes instead of what it has."""
    gpu = Gpu("GPU", f"a GPU of {size / GIB:g} GiB", size, size, ASSUMED_GPU)
    return replace(machine, gpus=(gpu,))


def _cache(model: ModelShape, now: Outlook) -> Iterator[Advice]:
    f16, q8 = now.longest.get("f16", 0), now.longest.get("q8_0", 0)
    placement = now.layout.placement
    if placement.kv_type == "f16" and (q8 > f16 or now.layout.disk):
        saved = placement.context * (model.kv_bytes("f16") - model.kv_bytes("q8_0"))
        gain = f"; up to {q8:,} tokens of context instead of {f16:,}" if q8 > f16 else " for routed experts"
        yield Advice("a q8_0 cache", 0.0, f"saves {size(saved)}{gain}")


def _files(machine: Machine, wishes: Wishes, now: Outlook, siblings: tuple[tuple[ModelShape, str], ...]) -> Iterator[Advice]:
    for sibling, quality in siblings:
        other = outlook(sibling, machine, wishes)
        better = now.layout.missing or _better(other, now)
        if better and not other.layout.missing:
            yield Advice(sibling.name, other.decode, f"{size(sibling.bytes)}; {quality}")


def _disk(model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook) -> Iterator[Advice]:
    if not now.layout.disk or now.layout.missing:
        return
    fast = Disk(machine.disk.folder, machine.disk.free, Rate(FAST_DISK, "assumed", "PCIe 5.0 NVMe"))
    other = outlook(model, replace(machine, disk=fast), wishes)
    if _better(other, now):
        yield Advice("a disk of 12 GB/s (PCIe 5.0 NVMe)", other.decode, f"{size(now.layout.disk)} of routed experts are read from it")


def _memory(model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook) -> Iterator[Advice]:
    """The least memory that runs the model, the least that clearly helps, and the least that holds everything."""
    if not now.layout.disk and not now.layout.missing:
        return
    wanted = now.decode * _LARGE_STEP
    steps = 0
    for gib in MEMORY_SIZES:
        other = outlook(model, with_memory(machine, gib * GIB), wishes)
        layout = other.layout
        if gib * GIB <= machine.memory.total or layout.missing:
            continue
        if not layout.disk:
            yield Advice(f"{gib} GiB of memory", other.decode, "holds every expert")
            return
        if steps < _MEMORY_STEPS and other.decode >= wanted:
            steps, wanted = steps + 1, other.decode * 2
            yield Advice(f"{gib} GiB of memory", other.decode, f"holds {layout.resident:.0%} of the routed experts")


def _gpu(model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook) -> Iterator[Advice]:
    if now.layout.gpu_share == 1.0 or model.bytes < GIB:
        return
    needed = gpu_bytes(model, now.layout)
    gib = next((gib for gib in GPU_SIZES if gib * GIB >= needed), None)
    if gib is None:
        return
    other = outlook(model, with_gpu(machine, gib * GIB), wishes)
    if not other.layout.missing and (now.layout.missing or _better(other, now)):
        why = f"holds all but the routed experts, and the cache: {size(needed)}"
        yield Advice(f"a GPU of {gib} GiB", other.decode, why)


def _elsewhere(model: ModelShape, machine: Machine, wishes: Wishes, now: Outlook) -> Iterator[Advice]:
    """A machine made for it, where this one is far from it."""
    server = Machine("", _SERVER_CPUS, 1, _SERVER_MEMORY, _SERVER_RATE, _SERVER_COMPUTE, replace(machine.disk, rate=_SERVER_DISK))
    server = replace(server, store=machine.store, hits=machine.hits)
    other = outlook(model, with_gpu(server, _SERVER_GPU), wishes)
    if now.decode < _USABLE and not other.layout.missing and other.decode > _USABLE:
        why = f"{_SERVER_RATE.how}, {_SERVER_CPUS} CPUs and a GPU of {_SERVER_GPU // GIB} GiB: a machine made for this"
        yield Advice(f"a server with {_SERVER_MEMORY.total // GIB} GiB of memory", other.decode, why)


def gpu_bytes(model: ModelShape, layout: Layout) -> int:
    """Bytes a GPU needs for everything but the routed experts and the embeddings."""
    placement = layout.placement
    dense = sum(layer.always.bytes for layer in model.layers) + model.output.bytes
    kv = placement.context * model.kv_bytes(placement.kv_type)
    return int((dense + kv + workspace_bytes(model, placement.batch)) / GPU_SHARE)


def size(count: int) -> str:
    """Bytes for people, in units of 1000."""
    for unit, divisor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= divisor:
            return f"{count / divisor:.3g} {unit}" if count < 1000 * divisor else f"{count / divisor:,.0f} {unit}"
    return f"{count / 1e3:.3g} kB"


def _better(other: Outlook, now: Outlook) -> bool:
    return bool(now.decode) and other.decode > now.decode * _NOTICEABLE
