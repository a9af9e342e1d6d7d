"""How long a map of a large tree takes, cold, warm and after an edit, and how much memory; beside it aider's repo map on the same tree.

    scripts/bench repo_map [--quick] [--tree DIR] [--aider VENV] [--budget N] [--minutes N] [--without-aider]

The tree is built by `benchmarks/big_tree.py` where it is not there yet (by default below /var/tmp). Ours: the command's own function in a
fresh process. Cold: with an empty cache, the whole process; warm: from the call to the text, imports done, and the whole process; after an
edit: the same, one file having got a function and a call that nobody has seen. aider: `RepoMap.get_repo_map` for the files that git lists,
in a process of its own, with the same budget in its own count of tokens, cold (without its cache) and warm (with it). Where it is not
done after --minutes, or is killed for the memory it took, the ratio is a lower bound, and said to be. Memory: the most that all
processes of a run together had resident.
Prints a line a figure and, last, one JSON object. What this program does not do: judge the maps.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import big_tree

ROOT: Final = Path(__file__).resolve().parent.parent
PLACES: Final = {False: Path("/var/tmp/kimicode-big-tree"), True: Path("/var/tmp/kimicode-quick-tree")}
AIDER: Final = "aider-chat==0.86.2"
CACHE: Final = ".aider.tags.cache.v4"

OURS: Final = """
import json, os, sys, time
from collections.abc import Callable
from pathlib import Path
from kimicode.repo.codebase import Codebase
from kimicode.repo.map import render
started = time.perf_counter()
code = Codebase(Path.cwd(), os.environ, cache=Path(sys.argv[1]))
text = render(code, budget=int(sys.argv[2]))
seconds = time.perf_counter() - started
code.close()
print(json.dumps({"seconds": seconds, "text": text}))
"""

THEIRS: Final = """
import json, subprocess, sys, time
from aider.io import InputOutput
from aider.repomap import RepoMap

class Model:
    def token_count(self, text):
        return len(text) / 4

listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True).stdout
files = [f"{sys.argv[1]}/{name}" for name in listed.decode("utf-8", "surrogateescape").split("\\0")[:-1]]
started = time.perf_counter()
maps = RepoMap(map_tokens=int(sys.argv[2]), root=sys.argv[1], main_model=Model(), io=InputOutput(pretty=False, yes=True))
text = maps.get_repo_map([], files)
seconds = time.perf_counter() - started
print(json.dumps({"seconds": seconds, "text": text or ""}))
"""


class Run(NamedTuple):
    """One process: its own time, the whole time, the most memory of all its processes, and what it made. `done`: within the limit."""

    seconds: float
    whole: float
    megabytes: float
    text: str
    done: bool = True


def run(command: list[str], folder: Path, limit: float) -> Run:
    """Run a program that prints one line of JSON last, and look at its memory all the time."""
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile() as out,
        subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True, env=environ()
        ) as process,
    ):
        most = 0.0
        while process.poll() is None and time.perf_counter() - started < limit:
            most = max(most, resident(process.pid))
            time.sleep(0.02)
        whole = time.perf_counter() - started
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return Run(whole, whole, most, "", done=False)
        if process.returncode < 0:
            print(f"{command[0]} was killed after {whole:.0f} s, with {most:,.0f} MB", file=sys.stderr, flush=True)
            return Run(whole, whole, most, "", done=False)
        out.seek(0)
        lines = out.read().splitlines()
    if process.returncode or not lines:
        raise SystemExit(f"{command[0]} ended with {process.returncode}; run it by hand in {folder} to see why: {' '.join(command[:2])}")
    answer = json.loads(lines[-1])
    print(f"{Path(command[0]).parts[-3]}: {answer['seconds']:.1f} s, {most:,.0f} MB", file=sys.stderr, flush=True)
    return Run(answer["seconds"], whole, most, answer["text"])


def environ() -> dict[str, str]:
    """The same for both: no colours, no network, nothing that is told to anybody."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "AIDER_ANALYTICS": "false", "HF_HUB_OFFLINE": "1"}


def resident(session: int) -> float:
    """Megabytes that the processes of a session have resident together; pages that they share count in each."""
    pages = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                pages += int(fields[21]) if int(fields[3]) == session else 0
            except (OSError, IndexError):
                continue
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ours(tree: Path, budget: int, runs: int) -> dict[str, float]:
    """All figures of our own."""
    with tempfile.TemporaryDirectory(prefix="kimicode-map-", dir="/var/tmp") as cache:
        command = [sys.executable, "-P", "-c", OURS, cache, str(budget)]
        cold = run(command, tree, 3600)
        warm = [run(command, tree, 600) for _ in range(runs)]
        edited = [with_edit(tree, number, lambda: run(command, tree, 600)) for number in range(runs)]
        size = sum(path.stat().st_size for path in Path(cache).rglob("*") if path.is_file()) / 1e6
    if any(each.text != cold.text for each in warm) or cold.text == "":
        raise SystemExit("a warm map is not the cold one's text: that must never be")
    return {
        "cold_s": cold.whole,
        "cold_mb": cold.megabytes,
        "warm_ms": 1000 * statistics.median(each.seconds for each in warm),
        "warm_whole_ms": 1000 * statistics.median(each.whole for each in warm),
        "warm_mb": statistics.median(each.megabytes for each in warm),
        "edited_ms": 1000 * statistics.median(each.seconds for each in edited),
        "cache_mb": size,
    }


def with_edit(tree: Path, number: int, work: Callable[[], Run]) -> Run:
    """`work` done while one file, another one each time, has something new in it."""
    files = sorted(tree.rglob("*.py"))
    path = files[len(files) * (number + 1) // 12]
    before = path.read_bytes()
    path.write_bytes(before + f"\n\ndef never_seen_{number}_{time.time_ns()}():\n    return Deferred({number})\n".encode())
    try:
        return work()
    finally:
        path.write_bytes(before)


def theirs(tree: Path, budget: int, python: Path, limit: float) -> dict[str, float | bool]:
    """aider's figures. Its cache lies in the tree, and is taken away before and after."""
    command = [str(python), "-c", THEIRS, str(tree), str(budget)]
    exclude = tree / ".git" / "info" / "exclude"
    if CACHE not in exclude.read_text():
        exclude.write_text(exclude.read_text() + f"/{CACHE}/\n")
    shutil.rmtree(tree / CACHE, ignore_errors=True)
    try:
        cold = run(command, tree, limit)
        # Where it was not done cold, its tags are in its cache all the same, and a warm run would end as the cold one did.
        warm = run(command, tree, limit) if cold.done else cold
        edited = with_edit(tree, 3, lambda: run(command, tree, limit)) if warm.done else warm
    finally:
        shutil.rmtree(tree / CACHE, ignore_errors=True)
    return {
        "aider_cold_s": cold.whole,
        "aider_cold_done": cold.done,
        "aider_cold_mb": cold.megabytes,
        "aider_warm_s": warm.seconds,
        "aider_warm_done": warm.done and cold.done,
        "aider_edited_s": edited.seconds,
    }


def aider(folder: Path | None) -> Path:
    """aider's Python; its virtual environment is made where none is given."""
    place = folder or Path("/var/tmp/kimicode-aider")
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "-q", "install", AIDER], check=True, stdout=subprocess.DEVNULL)
    return python


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tree of some 6,000 files")
    parser.add_argument("--tree", type=Path)
    parser.add_argument("--aider", type=Path, help="its virtual environment")
    parser.add_argument("--without-aider", action="store_true")
    parser.add_argument("--budget", type=int, default=1500)
    parser.add_argument("--minutes", type=float, default=45.0, help="the most that a run of aider's may take")
    chosen = parser.parse_args()
    tree = (chosen.tree or PLACES[chosen.quick]).absolute()
    big_tree.build(tree, quick=chosen.quick)
    figures: dict[str, float | bool | str] = {
        "tree": str(tree),
        "source_files": sum(big_tree.sources(tree).values()),
        "budget": chosen.budget,
    }
    figures.update(ours(tree, chosen.budget, 5))
    if not chosen.without_aider:
        figures.update(theirs(tree, chosen.budget, aider(chosen.aider), 60 * chosen.minutes))
        figures["cold_ratio"] = float(figures["aider_cold_s"]) / float(figures["cold_s"])
        figures["warm_ratio"] = 1000 * float(figures["aider_warm_s"]) / float(figures["warm_ms"])
        figures["cold_ratio_is_a_lower_bound"] = not figures["aider_cold_done"]
        figures["warm_ratio_is_a_lower_bound"] = not figures["aider_warm_done"]
    for name, value in figures.items():
        print(f"{name:<28} {f'{value:,.1f}' if isinstance(value, float) else value}")
    print(json.dumps({name: round(value, 1) if isinstance(value, float) else value for name, value in figures.items()}))


if __name__ == "__main__":
    main()
