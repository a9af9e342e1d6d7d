"""How many held-out projects kimi-nano repairs through the real command line.

Each project comes from a seed, names and constants that training never saw. *Fixed* means: the project's tests pass afterwards and
only the buggy file changed. Prints a line a project and, last, one JSON object with the figures. `--quick` takes 10 projects.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from engine.nano.projects import Project, make_project

PROJECTS = 50
FIRST_SEED = 1_000_000
TIMEOUT_S = 180


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10 projects instead of 50")
    parser.add_argument("--model", default="kimi-nano", help="a model's name or a GGUF file")
    options = parser.parse_args()
    count = 10 if options.quick else PROJECTS
    outcomes: list[str] = []
    seconds: list[float] = []
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as home:
        for seed in range(FIRST_SEED, FIRST_SEED + count):
            project = make_project(seed, held_out=True)
            outcome, took = attempt(project, options.model, Path(home))
            outcomes.append(outcome)
            seconds.append(took)
            print(f"{seed}  {took:5.1f} s  {outcome:<24} {project.bug.wrong!r} -> {project.bug.right!r}", flush=True)
    tally = Counter(outcomes)
    fixed = tally["fixed"]
    figures = {"projects": count, "fixed": fixed, "share": fixed / count, "median_s": statistics.median(seconds), "outcomes": dict(tally)}
    print(json.dumps(figures))


def attempt(project: Project, model: str, home: Path) -> tuple[str, float]:
    with tempfile.TemporaryDirectory(prefix="kimicode-project-") as name:
        folder = Path(name)
        for path, text in project.files.items():
            (folder / path).write_text(text)
        started = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "kimicode",
            "--headless",
            project.request,
            "--model",
            model,
            "--output",
            "json",
            "--max-steps",
            "12",
        ]
        try:
            run = subprocess.run(
                command, cwd=folder, env=environment(home), capture_output=True, timeout=TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return "timed out", time.monotonic() - started
        took = time.monotonic() - started
        return verdict(project, folder, run.returncode), took


def verdict(project: Project, folder: Path, code: int) -> str:
    now = {path: (folder / path).read_text() if (folder / path).exists() else "" for path in project.files}
    changed = {path for path, text in project.files.items() if now[path] != text}
    extra = {
        p.name
        for p in folder.rglob("*")
        if p.is_file() and p.name not in project.files and not {"__pycache__", ".pytest_cache"} & set(p.parts)
    }
    if extra or changed - {project.bug.path}:
        return "wrong file changed"
    if not changed:
        return f"nothing changed (exit {code})"
    tests = subprocess.run([sys.executable, "-m", "pytest", "-q"], cwd=folder, capture_output=True, check=False)
    return "fixed" if tests.returncode == 0 else "wrong edit"


def environment(home: Path) -> dict[str, str]:
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    return {**os.environ, "PATH": path, "KIMICODE_HOME": str(home)}


if __name__ == "__main__":
    main()
