"""What this machine has for a model: memory as this process may use it, CPUs, disk, GPUs. Facts and values only, quickly looked up.

Limits of control groups (versions 1 and 2) count: in a container the machine's own memory says nothing. Figures that must be measured
(`engine.measure`) or asked of llama.cpp (`engine.devices`) are handed in. What this module does not do: measure, or load llama.cpp.
"""

import itertools
import math
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

import psutil

Basis: TypeAlias = Literal["measured", "published", "told", "assumed"]
"""Where a figure comes from: measured here, a manufacturer's or a benchmark's, said by the user, or assumed for want of better."""

_SYSTEM: Final = Path("/")


@dataclass(frozen=True)
class Rate:
    """A speed in units (bytes or operations) a second; `how` says in a few words how it was found."""

    value: float
    basis: Basis
    how: str


@dataclass(frozen=True)
class Memory:
    """Bytes of memory: all that this process may ever use, and what of it is free or can be freed. `limit` names what bounds `total`."""

    total: int
    available: int
    limit: str = "installed memory"


@dataclass(frozen=True)
class Gpu:
    """A device that llama.cpp can compute on. `unified`: its memory is the machine's own. Memory in bytes, `rate` in bytes a second."""

    name: str
    description: str
    total: int
    free: int
    rate: Rate
    unified: bool = False


@dataclass(frozen=True)
class Disk:
    """The file system that holds the model, or would: its folder, free bytes, and reading speed where it is known."""

    folder: Path
    free: int
    rate: Rate | None = None


@dataclass(frozen=True)
class Pace:
    """Operations a second of latent attention with K2's 64 heads: of one query over a long context, and of a batch of queries.

    What counts is what was asked for, 2 × heads × queries × keys × (cell + latent) operations, however a kernel comes to the result.
    """

    decode: Rate
    prefill: Rate


@dataclass(frozen=True)
class Kernels:
    """How fast the engine's own attention kernels are with all CPUs, and on one thread."""

    all: Pace
    one: Pace


EXPERT_ROWS: Final = (1, 8, 32, 128)
"""Rows of activations at a time for which products with experts are measured."""


@dataclass(frozen=True)
class ExpertPace:
    """Bytes of experts' weights a second that the engine's own kernels multiply, with `EXPERT_ROWS` rows at a time, from memory and with
    all CPUs. `kind` is ggml's name of the weights' type."""

    kind: str
    rates: tuple[Rate, ...]

    def seconds(self, weights: float, rows: float) -> float:
        """How long so many bytes take with so many rows each: on the line between what was measured."""
        times = [weights / rate.value for rate in self.rates]
        for (few, low), (many, high) in itertools.pairwise(zip(EXPERT_ROWS, times, strict=True)):
            if rows <= many:
                return low + (high - low) * max(0.0, rows - few) / (many - few)
        return times[-1] * rows / EXPERT_ROWS[-1]

    def with_memory(self, factor: float, how: str) -> "ExpertPace":
        """The same processor with memory so many times as fast: one row's rate is memory's, those of more rows are no higher than it."""
        one = self.rates[0].value * factor
        return replace(
            self,
            rates=tuple(
                Rate(min(one, rate.value) if rows > 1 else one, "told", how) for rows, rate in zip(EXPERT_ROWS, self.rates, strict=True)
            ),
        )


@dataclass(frozen=True)
class Hit:
    """What a store has counted: with this share of the experts in memory, this rate of uses without reading, both 0 to 1."""

    share: float
    rate: float
    how: str


@dataclass(frozen=True)
class Machine:
    """Everything a plan depends on. `memory_rate` in bytes a second of reading; `compute` in 32-bit floating point operations a second;
    `kernels` is None where attention is llama.cpp's own. `store`: the engine can keep experts in a store of its own; `experts` is None
    where the kernels for them were not measured; `hits` were counted of the model that is planned for."""

    cpu: str
    cpus: int
    numa_nodes: int
    memory: Memory
    memory_rate: Rate | None
    compute: Rate | None
    disk: Disk
    gpus: tuple[Gpu, ...] = ()
    kernels: Kernels | None = None
    store: bool = False
    experts: ExpertPace | None = None
    hits: tuple[Hit, ...] = ()


def cpu_name(system: Path = _SYSTEM) -> str:
    """The processor's name."""
    match = re.search(r"^model name\s*:\s*(.+)$", _text(system / "proc/cpuinfo"), re.MULTILINE)
    return match[1].strip() if match else platform.processor() or platform.machine()


def cpu_count(system: Path = _SYSTEM) -> int:
    """How many CPUs this process may keep busy: its affinity, and no more than its control group's quota."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota for group in _groups(system, "cpu") if (quota := _quota(group)) is not None]
    return max(1, min([own, *quotas]))


def numa_nodes(system: Path = _SYSTEM) -> int:
    """How many memory nodes there are; 1 where nothing says so."""
    return max(1, len(list((system / "sys/devices/system/node").glob("node[0-9]*"))))


def memory(system: Path = _SYSTEM) -> Memory:
    """This process's memory: the machine's, or the tightest control group's where that is less."""
    facts = psutil.virtual_memory()
    found = Memory(facts.total, facts.available)
    for group in _groups(system, "memory"):
        limit = _number(group / "memory.max") or _number(group / "memory.limit_in_bytes")
        if limit is None or limit >= facts.total:
            continue
        used = _number(group / "memory.current") or _number(group / "memory.usage_in_bytes") or 0
        available = min(found.available, max(0, limit - max(0, used - _page_cache(group))))
        found = Memory(min(found.total, limit), available, "control group" if limit < found.total else found.limit)
    return found


def existing(folder: Path) -> Path:
    """`folder`, or the nearest folder above it that exists: where it would be made."""
    folder = folder.absolute()
    return next((place for place in (folder, *folder.parents) if place.is_dir()), Path("/"))


def free_bytes(folder: Path) -> int:
    """Bytes that can be written in `folder`'s file system."""
    return shutil.disk_usage(existing(folder)).free


def _groups(system: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control groups that can limit `controller`, and of all groups above them; version 2's or 1's.

    Inside a container the path that the kernel names is often not mounted; then only the root of what is mounted exists.
    """
    root = system / "sys/fs/cgroup"
    for line in _text(system / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            base = root
        elif controller in controllers.split(","):
            base = next((found for name in (controllers, controller) if (found := root / name).is_dir()), root)
        else:
            continue
        inner = base / path.lstrip("/")
        yield from (folder for folder in (inner, *inner.parents) if folder.is_relative_to(base) and folder.is_dir())


def _quota(group: Path) -> int | None:
    """CPUs that the group may use, rounded up."""
    quota, _, period = _text(group / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    try:
        return math.ceil(int(quota) / int(period)) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None


def _page_cache(group: Path) -> int:
    """Bytes of the group's use that are copies of files: the kernel drops them when memory is wanted."""
    facts = dict(line.split(" ", 1) for line in _text(group / "memory.stat").splitlines() if " " in line)
    prefix = "total_" if "total_inactive_file" in facts else ""
    return sum(int(facts.get(f"{prefix}{name}", "0")) for name in ("inactive_file", "active_file"))


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
