"""This machine, looked at for one model: what `engine.machine` knows, `engine.measure`, `engine.attention_rate` and `engine.expert_rate`
measure, what `engine.read_rate` tries and `engine.devices` lists, put together.

What this module does not do: decide anything from it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from engine import attention_rate, devices, expert_rate, machine, measure, read_rate
from engine.errors import EngineError
from engine.machine import Disk, ExpertPace, Gpu, Kernels, Machine, Rate
from engine.native.build import TARGET
from engine.native.plugin import DEFAULT, Attention

MEASURED_FILE: Final = "measured.json"


@dataclass(frozen=True)
class Survey:
    """A machine, and what could not be found out about it."""

    machine: Machine
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Looking:
    """Who is to compute attention, the library whose kernels do, and how their speed, that of products with experts
    and that of reading are found."""

    wish: Attention = DEFAULT
    library: Path = TARGET
    measure: attention_rate.Measure = attention_rate.measured
    measure_experts: expert_rate.Measure = expert_rate.measured
    measure_reading: read_rate.Measure = read_rate.measured


def remembered() -> measure.Remembered:
    """What was measured before, in the user's cache folder."""
    return measure.Remembered(user_cache_path("kimicode") / MEASURED_FILE)


def survey(file: Path | None, folder: Path, known: measure.Remembered, *, again: bool = False, looking: Looking | None = None) -> Survey:
    """This machine with the disk of `file`, or of `folder` where the model isn't here; measures what isn't known yet, or everything."""
    looking = looking or Looking()
    found = quick(file, folder, known, looking)
    memory, disk = found.memory, found.disk
    gpus, complaints = _gpus()
    rate = _reading(file, found, known, looking, again=again)
    if rate is None:
        rate = known.get(measure.disk_key(disk.folder), lambda: _disk_rate(file, disk), again=again)
    if rate is None:
        complaints += (f"{disk.folder}: its disk could not be measured (too little space or no right to write); its speed is assumed",)
    kernels, wrong = _kernels(found, known, looking, again=again)
    experts, also_wrong = _experts(file, found, known, looking, again=again)
    return Survey(
        replace(
            found,
            memory_rate=known.get(_key("memory", found), lambda: measure.memory_rate(found.cpus, memory.available), again=again),
            compute=known.get(_key("computing", found), measure.compute_rate, again=again),
            disk=replace(disk, rate=rate),
            gpus=gpus,
            kernels=kernels,
            experts=experts,
        ),
        complaints + wrong + also_wrong,
    )


def quick(file: Path | None, folder: Path, known: measure.Remembered, looking: Looking | None = None) -> Machine:
    """The same without measuring or starting anything: rates only where they are known, no GPUs."""
    looking = looking or Looking()
    place = machine.existing(folder if file is None else file.parent)
    found = Machine(
        cpu=machine.cpu_name(),
        cpus=machine.cpu_count(),
        numa_nodes=machine.numa_nodes(),
        memory=machine.memory(),
        memory_rate=None,
        compute=None,
        disk=Disk(place, machine.free_bytes(place), known.known(measure.disk_key(place))),
        store=expert_rate.has_store(looking.library),
    )
    key, kind = _kernels_key(found, looking), expert_rate.kind_of(file) if found.store else ""
    return replace(
        found,
        memory_rate=known.known(_key("memory", found)),
        compute=known.known(_key("computing", found)),
        kernels=None if key is None else attention_rate.recall(known, key),
        experts=expert_rate.recall(known, _experts_key(found, kind, looking), kind) if found.store else None,
    )


def _key(what: str, found: Machine) -> str:
    return measure.key(what, found.cpu, found.cpus, found.memory.total)


def _kernels_key(found: Machine, looking: Looking) -> str | None:
    """The name of the kernels' rates: another build is measured again. None where attention is llama.cpp's own, as wished or for want of
    the library."""
    version = None if looking.wish is Attention.STOCK else attention_rate.version(looking.library)
    return None if version is None else _key(f"attention, {looking.wish.value}, build {version}", found)


def _kernels(found: Machine, known: measure.Remembered, looking: Looking, *, again: bool) -> tuple[Kernels | None, tuple[str, ...]]:
    key = _kernels_key(found, looking)
    if key is None or (found.kernels is not None and not again):
        return found.kernels, ()
    try:
        kernels = looking.measure(looking.wish, found.cpus)
    except EngineError as error:
        return None, (f"{error}; the plan has llama.cpp's own attention",)
    if found.cpus > 1 and kernels.all.decode.value < kernels.one.decode.value:
        # Remembered, it would be believed for as long as this build is used.
        return kernels, ("attention with all CPUs was slower than with one: others keep them busy; plan again when they don't",)
    attention_rate.keep(known, key, kernels)
    return kernels, ()


def _experts_key(found: Machine, kind: str, looking: Looking) -> str:
    return _key(expert_rate.key(kind, looking.library), found)


def _experts(
    file: Path | None, found: Machine, known: measure.Remembered, looking: Looking, *, again: bool
) -> tuple[ExpertPace | None, tuple[str, ...]]:
    if not found.store or (found.experts is not None and not again):
        return found.experts, ()
    kind = expert_rate.kind_of(file)
    try:
        pace = looking.measure_experts(kind, found.cpus)
    except EngineError as error:
        return None, (f"{error}; the plan has llama.cpp's own speed",)
    expert_rate.keep(known, _experts_key(found, kind, looking), pace)
    return pace, ()


def _reading(file: Path | None, found: Machine, known: measure.Remembered, looking: Looking, *, again: bool) -> Rate | None:
    """How fast the store's own reader is with the pieces that suit the drive; None where there is no large file to try, or no store."""
    if file is None or not found.store or file.stat().st_size < read_rate.SMALLEST:
        return None
    folder, name = found.disk.folder, measure.disk_key(found.disk.folder)
    if not again and read_rate.recall(known, folder) != (0, 0):
        return known.known(name)
    try:
        best = looking.measure_reading(file)
    except EngineError:
        # It is measured in another way then, which says what is wrong with the disk.
        return None
    read_rate.keep(known, folder, best)
    rate = Rate(best.bytes_per_second, "measured", read_rate.how(best))
    known.put({name: rate})
    return rate


def _gpus() -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    try:
        return devices.found(), ()
    except EngineError as error:
        return (), (f"{error}; the plan has no GPU",)


def _disk_rate(file: Path | None, disk: Disk) -> Rate | None:
    rate = measure.file_rate(file) if file is not None else None
    return rate or measure.folder_rate(disk.folder, disk.free)
