"""Experts in memory and on disk: ours beside llama.cpp, ik_llama.cpp and kt-kernel, one layer alone and whole tokens of a slice of K2.6.

    scripts/bench experts [--quick] [--only resident|streamed] [--slice FILE] [--ram GIB] [--ik DIR] [--kt DIR] [--plot FILE]

Resident: the routed experts of one layer of real dimensions, all in memory, for 1 to 128 tokens, beside llama.cpp's products and kt-kernel
0.7.2's (`--kt` is its unpacked wheel, fetched where the folder isn't there yet). Streamed: a slice with four such layers, 39 GB
(`experts_slice.py`; made where it isn't there yet), with routing that uses all experts alike and with one as skewed as published curves;
the others are llama.cpp with the file mapped, and ik_llama.cpp with --prefetch-experts. `--ram` holds memory back from all of them. Ratios
are the other's time over ours. Prints tables and, last, one JSON object. With a slice that is there, --quick takes less than 20 minutes.
What this program does not do: judge quality; results are compared with each other only.
"""

import argparse
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import experts_figures
import experts_plot
import experts_resident
import experts_route
import experts_slice
import experts_streamed
import experts_system
import experts_tables
import mla_slice
import psutil
from experts_figures import Figures
from experts_resident import Times
from experts_route import Routing
from experts_slice import Slice
from experts_streamed import Found
from mla_peers import Child, PeerError, compiled, ik, stock, work_folder

from engine.errors import EngineError
from engine.machine import cpu_name
from engine.native.build import BuildError

KT: Final = "kt-kernel==0.7.2"
PARTS: Final = ("resident", "streamed")
Result = TypeVar("Result")


@dataclass
class Report:
    """What has been found out, and what has been left out and why."""

    lines: list[str] = field(default_factory=list)
    figures: Figures = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def attempt(self, what: str, work: Callable[[], Result]) -> Result | None:
        """What `work` gives; where it can't, that is noted: the rest is still worth telling."""
        try:
            return work()
        except (EngineError, PeerError, BuildError, OSError, subprocess.SubprocessError) as error:
            self.left_out.append(f"{what}: {error}")
            return None


@dataclass(frozen=True)
class Drivers:
    """Programs of the others; None where they aren't here."""

    stock: Path
    ik: Path | None
    kt: Path | None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, fewer points")
    parser.add_argument("--only", choices=PARTS, help="one of the two parts")
    parser.add_argument("--slice", type=Path, default=experts_slice.default_path(), help="the model file; made where it isn't there yet")
    parser.add_argument("--experts", type=int, default=mla_slice.Shape.experts, help="of the slice, for trying things out")
    parser.add_argument("--layers", type=int, default=experts_slice.LAYERS, help="of the slice, with experts; fewer for a short disk")
    parser.add_argument("--ram", type=float, metavar="GIB", help="leave only so much memory free, for all alike")
    parser.add_argument("--ik", type=Path, metavar="DIR", help="a checkout of ik_llama.cpp; it is built where it isn't yet")
    parser.add_argument("--kt", type=Path, metavar="DIR", help=f"a folder with {KT}, unpacked; fetched where it isn't there yet")
    parser.add_argument("--threads", type=int, help="all CPUs unless said otherwise")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw what a token costs by the share of experts in memory, as SVG")
    # Everybody's threads wait as the engine's do: by OpenMP's own rule they would go on spinning into the next one's turn.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        measure(parser.parse_args())
    except (EngineError, PeerError, BuildError, OSError) as error:
        sys.exit(f"experts: {error}")


def measure(chosen: argparse.Namespace) -> None:
    """Everything that the command line asks for."""
    report, threads = Report(), chosen.threads or len(os.sched_getaffinity(0))
    what = experts_slice.slice_at(chosen.slice, chosen.experts, chosen.layers)
    with work_folder() as name:
        folder = Path(name)
        drivers = _drivers(chosen, folder, report)
        if chosen.only != PARTS[1]:
            report.attempt("experts in memory", lambda: resident(chosen, what, drivers, threads, folder, report))
        if chosen.only != PARTS[0]:
            machine = experts_streamed.Machine(threads, drivers.ik, folder, None if chosen.ram is None else chosen.ram * 2**30)
            report.attempt("more experts than memory", lambda: streamed(chosen, what, machine, report))
    print("\n".join(["Ratios are the other's time over ours.", *report.lines, *(f"\nLeft out: {each}" for each in report.left_out)]))
    about = {"cpu": cpu_name(), "threads": threads, "memory_gb": rounded(psutil.virtual_memory().total / 1e9), "left_out": report.left_out}
    print(json.dumps({**{name: rounded(value) for name, value in report.figures.items()}, "machine": about}))


def _drivers(chosen: argparse.Namespace, folder: Path, report: Report) -> Drivers:
    found_ik: Path | None = None
    if chosen.ik is None:
        report.left_out.append("ik_llama.cpp: give --ik DIR, a checkout of it")
    else:
        found_ik = report.attempt(
            "ik_llama.cpp", lambda: compiled(folder / "experts_ik_step", "experts_ik_step.cpp", ik(chosen.ik.resolve()))
        )
    if chosen.kt is None:
        report.left_out.append("kt-kernel: give --kt DIR, a folder for it")
    kt = None if chosen.kt is None else report.attempt("kt-kernel", lambda: _kt(chosen.kt.resolve()))
    return Drivers(compiled(folder / "experts_op", "experts_op.cpp", stock(), "-O3", "-march=native"), found_ik, kt)


def _kt(folder: Path) -> Path:
    """Its wheel, unpacked: only its library is used, not the packages that it wants beside it."""
    if not (folder / "kt_kernel").exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = (sys.executable, "-m", "pip", "download", KT, "--no-deps", "-d", str(folder))
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        wheels = sorted(folder.glob("kt_kernel-*.whl"))
        if done.returncode or not wheels:
            raise PeerError(f"{KT} could not be fetched: {(done.stderr.strip().splitlines() or ['no wheel'])[-1]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            wheel.extractall(folder)
        wheels[0].unlink()
    return folder


def resident(chosen: argparse.Namespace, what: Slice, drivers: Drivers, threads: int, folder: Path, report: Report) -> None:
    """One layer in memory."""
    path = what.path
    if not path.exists():
        path = mla_slice.default_path()
        mla_slice.make(path, mla_slice.Shape())
    with Child([drivers.stock, str(threads)], folder) as child:
        layer = experts_resident.layer_of(path)
        who = experts_resident.contestants(drivers.stock, drivers.kt, threads)
        rounds, budget = (2, 2.0) if chosen.quick else (4, 5.0)
        times = experts_resident.measure(layer, who, folder, lambda: float(child.ask("bandwidth")), rounds=rounds, budget=budget)
    found = experts_figures.resident(times, times.memory)
    report.figures |= {"read_bandwidth_gb_s": times.memory / 1e9, "moe_experts": times.experts, **found}
    report.lines += _resident_lines(times, found, times.memory)


def _resident_lines(times: Times, said: Mapping[str, float], rate: float) -> list[str]:
    return [
        f"\nOne layer of {times.experts} experts in memory, which can be read at {rate / 1e9:.1f} GB/s:\n",
        *experts_tables.resident(times, said),
    ]


def streamed(chosen: argparse.Namespace, what: Slice, machine: experts_streamed.Machine, report: Report) -> None:
    """Tokens of the slice."""
    mla_slice.make(what.path, what.shape)
    drive = experts_system.drive_rate(what.path)
    budget = experts_streamed.QUICK if chosen.quick else experts_streamed.LONG
    found: dict[Routing, Found] = {}
    for routing in (Routing.SKEWED, Routing.UNIFORM):
        print(f"  {routing.value} routing", file=sys.stderr, flush=True)
        each = found[routing] = experts_streamed.measure(what, routing, machine, budget, report.attempt, quick=chosen.quick)
        if not chosen.quick and "ours" in each.points and "mapped" in each.decoded:
            share = each.points["ours"][0].share
            report.attempt("mapped with less memory", partial(experts_streamed.other_shares, each, what, machine, budget, share))
    drive = max(drive, experts_system.drive_rate(what.path))
    figures = experts_figures.streamed(found, drive)
    report.figures |= {"drive_gb_s": drive / 1e9, "slice_gb": what.bytes / 1e9, **figures}
    report.lines += _streamed_lines(found, what, drive)
    if chosen.plot:
        draw(found, what, chosen.plot, drive)


def _streamed_lines(found: Mapping[Routing, Found], what: Slice, drive: float) -> list[str]:
    held = {routing.value: experts_route.text(experts_route.curve(routing, what.shape.experts, what.shape.used)) for routing in found}
    return [
        f"\n{what.shape.mixed} layers, {what.bytes / 1e9:.1f} GB, a drive of {drive / 1e9:.2f} GB/s:\n",
        *experts_tables.streamed(found),
        "",
        *experts_tables.curve(found, what),
        "\nWhat the best choice of experts to hold would find, by their share: "
        + "; ".join(f"{routing} {text}" for routing, text in held.items())
        + f"; published {experts_route.text(experts_route.PUBLISHED)}",
    ]


def draw(found: Mapping[Routing, Found], what: Slice, path: Path, drive: float) -> None:
    """Our points, mapping's, and what the published hit rates would cost."""
    read: dict[str, experts_plot.Points] = {}
    seconds: dict[str, experts_plot.Points] = {}
    for routing, each in found.items():
        for who, points in each.points.items():
            name = f"{'kimicode' if who == 'ours' else 'llama.cpp'}, {routing.value}"
            read[name] = [(point.share, size / 1e9) for point in points if (size := experts_figures.read_of(point)) is not None]
            seconds[name] = [(point.share, point.decoded.seconds) for point in points]
    read["published hit rates"] = [(share, size / 1e9) for share, size in experts_figures.published(what)]
    title = f"A token of {what.shape.mixed} layers with experts ({cpu_name()}, {drive / 1e9:.2f} GB/s from the drive)"
    path.write_text(experts_plot.svg(title, read, seconds), "utf-8")


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
