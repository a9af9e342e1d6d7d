"""How long a user waits: `kimicode --version`, the first event of a headless run, and what `scripts/run` adds.

Medians over several runs, beside a peer in the same run: the bare interpreter (`python -c pass`) and `pip --version`. Prints a line a
figure and, last, one JSON object. `--quick` takes 5 runs instead of 21.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KIMICODE = Path(sys.executable).with_name("kimicode")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 runs instead of 21")
    runs = 5 if parser.parse_args().quick else 21
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as home:
        environment = {**os.environ, "KIMICODE_HOME": home, "KIMICODE_CONFIG": f"{home}/none.toml"}
        jobs: dict[str, Callable[[], float]] = {
            "interpreter_ms": lambda: whole([sys.executable, "-c", "pass"], environment),
            "pip_version_ms": lambda: whole([sys.executable, "-m", "pip", "--version"], environment),
            "version_ms": lambda: whole([str(KIMICODE), "--version"], environment),
            "scripts_run_version_ms": lambda: whole([str(ROOT / "scripts" / "run"), "--version"], environment),
            "first_event_ms": lambda: first_event(environment),
        }
        for job in jobs.values():
            job()
        taken = {name: [] for name in jobs}
        for _ in range(runs):
            for name, job in jobs.items():  # in turn, so that a slow moment of the machine falls on all of them
                taken[name].append(job())
    figures = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    for name, value in figures.items():
        print(f"{name:<24} median {value:8.1f}   min {min(taken[name]):8.1f}   max {max(taken[name]):8.1f}")
    figures["version_to_interpreter"] = round(figures["version_ms"] / figures["interpreter_ms"], 2)
    figures["first_event_to_pip_version"] = round(figures["first_event_ms"] / figures["pip_version_ms"], 2)
    figures["scripts_run_adds_ms"] = round(figures["scripts_run_version_ms"] - figures["version_ms"], 1)
    print(json.dumps(figures))


def whole(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - started) * 1000


def first_event(environment: dict[str, str]) -> float:
    """From the start of the process to the first line on stdout; the endpoint is closed, so nothing else is in the way."""
    command = [str(KIMICODE), "--headless", "hello", "--output", "stream-json", "--endpoint", "http://127.0.0.1:9/v1", "--model", "none"]
    started = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        took = (time.perf_counter() - started) * 1000
        process.kill()
        process.stdout.read()
    assert b'"session_started"' in line, line
    return took


if __name__ == "__main__":
    main()
