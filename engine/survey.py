"""This machine, looked at for one model: what `engine.machine` knows, `engine.measure` measures and `engine.devices` lists, put together.

What this module does not do: decide anything from it.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from engine import devices, machine, measure
from engine.errors import EngineError
from engine.machine import Disk, Gpu, Machine, Rate

MEASURED_FILE: Final = "measured.json"


@dataclass(frozen=True)
class Survey:
    """A machine, and what could not be found out about it."""

    machine: Machine
    complaints: tuple[str, ...] = ()


def remembered() -> measure.Remembered:
    """What was measured before, in the user's cache folder."""
    return measure.Remembered(user_cache_path("kimicode") / MEASURED_FILE)


def survey(file: Path | None, folder: Path, known: measure.Remembered, *, again: bool = False) -> Survey:
    """This machine with the disk of `file`, or of `folder` where the model isn't here; measures what isn't known yet, or everything."""
    gpus, complaints = _gpus()
    found = quick(file, folder, known)
    cpu, cpus, memory = found.cpu, found.cpus, found.memory
    disk = found.disk
    rate = known.get(measure.disk_key(disk.folder), lambda: _disk_rate(file, disk), again=again)
    if rate is None:
        complaints += (f"{disk.folder}: its disk could not be measured (too little space or no right to write); its speed is assumed",)
    return Survey(
        Machine(
            cpu=cpu,
            cpus=cpus,
            numa_nodes=found.numa_nodes,
            memory=memory,
            memory_rate=known.get(_key("memory", found), lambda: measure.memory_rate(cpus, memory.available), again=again),
            compute=known.get(_key("computing", found), measure.compute_rate, again=again),
            disk=Disk(disk.folder, disk.free, rate),
            gpus=gpus,
        ),
        complaints,
    )


def quick(file: Path | None, folder: Path, known: measure.Remembered) -> Machine:
    """The same without measuring or starting anything: rates only where they are known, no GPUs."""
    place = machine.existing(folder if file is None else file.parent)
    found = Machine(
        cpu=machine.cpu_name(),
        cpus=machine.cpu_count(),
        numa_nodes=machine.numa_nodes(),
        memory=machine.memory(),
        memory_rate=None,
        compute=None,
        disk=Disk(place, machine.free_bytes(place), known.known(measure.disk_key(place))),
    )
    return Machine(
        found.cpu,
        found.cpus,
        found.numa_nodes,
        found.memory,
        known.known(_key("memory", found)),
        known.known(_key("computing", found)),
        found.disk,
    )


def _key(what: str, found: Machine) -> str:
    return measure.key(what, found.cpu, found.cpus, found.memory.total)


def _gpus() -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    try:
        return devices.found(), ()
    except EngineError as error:
        return (), (f"{error}; the plan has no GPU",)


def _disk_rate(file: Path | None, disk: Disk) -> Rate | None:
    rate = measure.file_rate(file) if file is not None else None
    return rate or measure.folder_rate(disk.folder, disk.free)
