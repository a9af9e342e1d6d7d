"""What a sandbox costs per command: `true` in each tier that works here, against the same command without one, in the same run.

Medians over interleaved runs through `run_command`, as the shell tool makes them, in a workspace with some protected and hidden paths;
the goal is 30 ms over the plain command. Prints a line a figure and, last, one JSON object. `--quick` takes 9 runs instead of 41.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from kimicode.sandbox.boundary import Boundary, Tier, limits_for
from kimicode.sandbox.capture import Capture
from kimicode.sandbox.probe import probe, why_not
from kimicode.sandbox.run import Finished, Sandbox, run_command

GOAL_MS = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="9 runs instead of 41")
    runs = 9 if parser.parse_args().quick else 41
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-", dir="/var/tmp") as folder:
        figures = asyncio.run(measure(Path(folder).resolve(), runs))
    print(json.dumps(figures))


async def measure(folder: Path, runs: int) -> dict[str, float]:
    started = time.perf_counter()
    capabilities = probe()
    figures = {"probe_ms": round((time.perf_counter() - started) * 1000, 1)}
    boundary = a_boundary(folder)
    jobs: dict[str, Callable[[], Awaitable[Finished]]] = {"plain_ms": lambda: one(folder, None)}
    for tier in (Tier.BUBBLEWRAP, Tier.LANDLOCK):
        if reason := why_not(tier, capabilities):
            print(f"{tier.value}: {reason}")
        else:
            sandbox = Sandbox(boundary, tier, capabilities, folder / "registry")
            jobs[f"{tier.value}_ms"] = lambda sandbox=sandbox: one(folder, sandbox)  # type: ignore[misc]
    for job in jobs.values():
        await job()
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():  # in turn, so that a slow moment of the machine falls on all of them
            started = time.perf_counter()
            assert (await job()).exit_code == 0
            taken[name].append((time.perf_counter() - started) * 1000)
    for name, values in taken.items():
        figures[name] = round(statistics.median(values), 1)
        print(f"{name:<16} median {figures[name]:8.1f}   min {min(values):8.1f}   max {max(values):8.1f}")
    for name in list(jobs)[1:]:
        figures[name.replace("_ms", "_adds_ms")] = round(figures[name] - figures["plain_ms"], 1)
    return figures | {"goal_ms": GOAL_MS}


def a_boundary(folder: Path) -> Boundary:
    workspace = folder / "workspace"
    for name in (".git/hooks", "sub/.vscode", "src"):
        (workspace / name).mkdir(parents=True)
    for name in ("keys", "sessions"):
        (folder / name).mkdir()
    protected = (".git", ".kimicode", ".claude", ".vscode", ".mcp.json", ".envrc", "sub/.vscode")
    return Boundary(
        writable=(workspace,),
        protected=tuple(workspace / name for name in protected),
        hidden=(folder / "keys", folder / "sessions"),
        temporary=folder / "temporary",
        environ={"PATH": os.environ["PATH"]},
        limits=limits_for(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        cwd=workspace,
    )


async def one(folder: Path, sandbox: Sandbox | None) -> Finished:
    capture = Capture(folder / "scratch", "shell", limit=30_000, head=8_000, tail=8_000)
    return await run_command("true", cwd=folder, timeout_s=30, capture=capture, environ=os.environ, sandbox=sandbox)


if __name__ == "__main__":
    main()
