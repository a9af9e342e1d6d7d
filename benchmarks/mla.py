"""Attention over long contexts: our kernels beside llama.cpp's own and ik_llama.cpp's, alone and in whole steps of a slice of K2.6's shape.

    scripts/bench mla [--quick] [--ik DIR] [--slice FILE] [--without-slice] [--threads N] [--plot FILE]

Alone: one layer's attention at K2.6's sizes (64 heads over cells of 576 values), the same data for all, who computes taking turns. Whole
steps: a dense and a mixture-of-experts layer of real dimensions (`mla_slice.py`, made where it is not there yet: 10.2 GB), a cache filled
with random latents, one process after the other. `stock` is the installed llama.cpp without our backend; `ik` the checkout at DIR, with
-mla 3 -fa; `precise` and `fast` are ours. Batches of 128 queries and more may be computed in the expanded form, each head's own keys and
values: ours are, where that is cheaper. So does ik, but around the operation that is measured alone: for these its whole steps count. A
ratio is the peer's time over ours; in brackets what it would be at the processor's peak. Prints tables and, last, one JSON object.
What this program does not do: judge quality.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import mla_plot
import mla_slice
import mla_tables
import mla_turns
import psutil
from mla_case import Case, View
from mla_figures import OURS, SEQUENCES, Measured, figures
from mla_peers import Contestant, Ours, Peer, PeerError, ik_drivers, stock_driver, work_folder
from mla_state import StateError
from mla_turns import BATCH, Found, Step

from engine.errors import EngineError
from engine.native.build import BuildError
from engine.native.library import Cell, Library

KIB: Final = 1024
DEPTHS: Final = tuple(256 << power for power in range(10))
"""Keys that one query sees: 256, which is the least that llama.cpp computes, to 131,072."""

TAIL: Final = 32
"""Cells that each sequence has of its own behind a prefix of 8,192."""

LARGE: Final = 128
"""Queries of a batch that may be computed in the expanded form; the peer's own models begin there too."""

ROOM: Final = 1.15
"""Memory for a slice, in times of its file: llama.cpp copies weights into another order."""


def cases() -> list[Case]:
    """Everything that is measured of attention alone."""
    eight = 8 * KIB
    return [
        *(Case(f"attention_{short(keys)}", 1, keys) for keys in DEPTHS),
        Case("attention_8k_q8_0", 1, eight, Cell.Q8_0),
        Case("attention_8k_bf16", 1, eight, Cell.BF16),
        *(Case(f"batch_{queries}_at_8k", queries, eight, factored=queries >= LARGE) for queries in (2, 8, 32, 64, 128)),
        Case("shared_prefix", SEQUENCES, eight + SEQUENCES * TAIL, view=View.SHARED, prefix=eight),
        Case("separate_prefixes", SEQUENCES, SEQUENCES * (eight + TAIL), view=View.SEPARATE),
        Case("prefill_512_at_8k", BATCH, eight + BATCH, view=View.CAUSAL, factored=True),
    ]


def plan(quick: bool) -> list[Step]:
    """The whole steps. Prompts take seconds each."""
    decode, prompts = (15, 1) if quick else (31, 3)
    return [
        Step("decode_depth_0", 0, 1, 2 * decode),
        Step("step_prefill_512_depth_0", 0, BATCH, prompts + 1),
        Step("decode_depth_8k", 8 * KIB, 1, decode),
        Step("step_prefill_512_depth_8k", 8 * KIB, BATCH, prompts),
        Step("decode_depth_32k", 32 * KIB, 1, decode // 2 + 1),
        Step("decode_depth_128k", 128 * KIB, 1, decode // 4 + 1),
    ]


def short(keys: int) -> str:
    """8192 as 8k."""
    return f"{keys // KIB}k" if keys >= KIB else str(keys)


def our_kernels(library: Library) -> dict[str, str]:
    """The fast and the precise kernel of this processor."""
    names = library.kernels()
    return {"fast": names[0], "precise": next(name for name in names if name.endswith("-exact"))}


def peaks(library: Library, kernels: Mapping[str, str], threads: int) -> dict[str, float]:
    """Operations a second that each kernel's products reach by themselves."""
    return {who: library.peak(kernel, threads, 0.5) for who, kernel in kernels.items()}


def processor() -> str:
    """What it calls itself."""
    lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown")


def alone(contestants: Sequence[Contestant], budget: float) -> dict[str, Found]:
    """Attention alone, with a line a case."""
    found = {}
    for case in cases():
        found[case.name] = mla_turns.operation(case, contestants, budget)
        times = "  ".join(f"{who} {1000 * seconds:.2f}" for who, seconds in found[case.name].seconds.items())
        print(f"  {case.name:<20} {times} ms", file=sys.stderr, flush=True)
    return found


def no_room(path: Path, shape: mla_slice.Shape) -> str:
    """Why whole steps can't be measured here; empty where they can. Makes the slice."""
    size = sum(tensor.bytes for tensor in mla_slice.tensors(shape))
    if psutil.virtual_memory().available < ROOM * size:
        return f"{psutil.virtual_memory().available / 1e9:.1f} GB of memory are free, and the slice needs {ROOM * size / 1e9:.1f}"
    try:
        mla_slice.make(path, shape)
    except (EngineError, OSError) as error:
        return str(error)
    return ""


def draw(measured: Measured, path: Path, machine: str) -> None:
    """How time grows with keys."""
    names = {"stock": "llama.cpp", "ik": "ik_llama.cpp", "precise": "kimicode, precise", "fast": "kimicode, fast"}
    series = {}
    for who, name in names.items():
        times = [(keys, measured.times[f"attention_{short(keys)}"].get(who)) for keys in DEPTHS]
        if points := [(float(keys), 1000 * seconds) for keys, seconds in times if seconds is not None]:
            series[name] = points
    path.write_text(mla_plot.svg(f"Latent attention of one token ({machine})", series), "utf-8")


def measure(chosen: argparse.Namespace) -> None:
    """Everything that the command line asks for."""
    library, left_out = Library(), list[str]()
    kernels, threads = our_kernels(library), chosen.threads or len(os.sched_getaffinity(0))
    before = peaks(library, kernels, threads)
    machine = f"{processor()}, {threads} threads"
    print(f"{machine}; fast: {kernels['fast']}, precise: {kernels['precise']}", file=sys.stderr)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(work_folder()))
        kinds = (Cell.F16, Cell.Q8_0)
        peers = [Peer("stock", stock_driver(folder), threads, folder, rotated_first=False, kinds=(*kinds, Cell.BF16))]
        ik_step: Path | None = None
        if chosen.ik is None:
            left_out.append("ik_llama.cpp: give --ik DIR, a checkout of it")
        else:
            ik_op, ik_step = ik_drivers(chosen.ik.resolve(), folder)
            peers.append(Peer("ik", ik_op, threads, folder, rotated_first=True, kinds=kinds))
        ours = [Ours(who, library, kernel, threads) for who, kernel in kernels.items()]
        found = alone([*peers, *ours], 1.0 if chosen.quick else 5.0)
        for peer in peers:
            peer.close()
        steps = whole_steps(chosen, threads, folder, ik_step, left_out)
    after = peaks(library, kernels, threads)
    operations = {case.name: case.operations for case in cases()}
    measured = Measured(
        {name: each.seconds for name, each in found.items()}, operations, {who: max(before[who], after[who]) for who in OURS}, steps
    )
    said = figures(measured)
    report(measured, found, said, left_out)
    if chosen.plot:
        draw(measured, chosen.plot, machine)
    rates = {f"peak_gflops_{who}": round(rate / 1e9, 1) for who, rate in measured.peaks.items()}
    about = {"cpu": processor(), "threads": threads, "kernels": library.kernels(), **kernels, **rates, "left_out": left_out}
    times = {f"{name}_ms": {who: rounded(1000 * s) for who, s in each.seconds.items()} for name, each in found.items()}
    print(json.dumps({**{name: rounded(value) for name, value in said.items()}, **times, "machine": about}))


def report(measured: Measured, found: Mapping[str, Found], said: Mapping[str, float], left_out: Sequence[str]) -> None:
    """What people read."""
    print("Ratios are the peer's time over ours; in brackets what they would be at the processor's peak.\n")
    print("\n".join(mla_tables.operations(measured.times, said)))
    worst = {who: max(each.errors.get(who, 0.0) for each in found.values()) for who in ("stock", "ik", "fast")}
    print("\nLargest difference to the precise kernel: " + ", ".join(f"{who} {error:.1e}" for who, error in worst.items() if error))
    if measured.steps:
        print("\n".join(["", *mla_tables.steps(measured.steps, said)]))
    for what in left_out:
        print(f"\nLeft out: {what}")


def whole_steps(
    chosen: argparse.Namespace, threads: int, folder: Path, ik: Path | None, left_out: list[str]
) -> dict[str, dict[str, float]]:
    """Whole steps of the slice; or nothing, and why not is added to `left_out`."""
    shape = mla_slice.Shape(experts=chosen.experts)
    why = "--without-slice" if chosen.without_slice else no_room(chosen.slice, shape)
    if why:
        left_out.append(f"whole steps of the slice: {why}")
        return {}
    steps = plan(chosen.quick)
    cells = max(step.depth for step in steps) + 2 * BATCH
    try:
        return mla_turns.steps(chosen.slice, mla_turns.steppers(threads, cells, ik), steps, folder, 1 if chosen.quick else 3)
    except (PeerError, StateError) as error:  # attention alone has taken minutes: that is still worth telling
        left_out.append(f"whole steps of the slice: {error}")
        return {}


def rounded(value: float) -> float:
    """Four digits."""
    return float(f"{value:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--ik", type=Path, metavar="DIR", help="a checkout of ik_llama.cpp; it is built where it isn't yet")
    parser.add_argument("--slice", type=Path, default=mla_slice.default_path(), help="the model file; made where it isn't there yet")
    parser.add_argument("--experts", type=int, default=mla_slice.Shape.experts, help="of the slice, for trying things out")
    parser.add_argument("--without-slice", action="store_true", help="attention alone")
    parser.add_argument("--threads", type=int, help="all CPUs unless said otherwise")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw how time grows, as SVG")
    # Everybody's threads wait as the engine's do: by OpenMP's own rule they would go on spinning into the next one's turn.
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    try:
        measure(parser.parse_args())
    except (EngineError, PeerError, BuildError) as error:
        sys.exit(f"mla: {error}")


if __name__ == "__main__":
    main()
