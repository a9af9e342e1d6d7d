"""How long an edit takes: one line of a file of 10,000 lines, through everything that `edit` goes through, and a patch of 20 such files.

Medians over many runs, beside a peer in the same run: what a script does (`read`, `str.replace`, write beside it, `os.replace`), without
locks, without a look at whether the file is the one that was read, and without fsync; and the same with fsync. Prints a line a figure and,
last, one JSON object. `--quick` takes 5 runs instead of 51.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.base import ToolContext
from kimicode.tools.edit import NAME, PROPERTIES, REQUIRED, Edit
from kimicode.tools.hands import Hands, Texts
from kimicode.tools.spec import full_spec

LINES = 10_000
FILES = 20
GOAL_MS = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 runs instead of 51")
    runs = 5 if parser.parse_args().quick else 51
    with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as folder:
        figures = measured(jobs_in(Path(folder)), runs)
    figures["edit_to_script"] = round(figures["edit_ms"] / figures["script_ms"], 2)
    figures["edit_to_script_fsync"] = round(figures["edit_ms"] / figures["script_fsync_ms"], 2)
    figures["goal_ms"] = GOAL_MS
    print(f"goal: an edit of a file of {LINES:,} lines within {GOAL_MS:g} ms: {'met' if figures['edit_ms'] <= GOAL_MS else 'MISSED'}")
    print(json.dumps(figures))


def jobs_in(folder: Path) -> dict[str, Callable[[int], None]]:
    """Each takes the number of its run, so that every run changes something."""
    workspace = folder / "workspace"
    workspace.mkdir()
    text = "".join(function(n) for n in range(LINES // 10))
    names = ["edited.py", "hands.py", "script.py", "synced.py", *(f"patched{n}.py" for n in range(FILES))]
    for name in names:
        (workspace / name).write_text(text)
    policy = Policy(Permission.WORKSPACE, workspace)
    hands = Hands(policy, locks=folder / "locks", journal=folder / "journal", strict=True)
    context = ToolContext(workspace, policy, folder / "scratch", hands)
    tool = Edit(full_spec(NAME, PROPERTIES, REQUIRED))
    for name in names:
        hands.read(name)
    return {
        "script_ms": lambda run: script(workspace / "script.py", *change(run), sync=False),
        "script_fsync_ms": lambda run: script(workspace / "synced.py", *change(run), sync=True),
        "hands_ms": lambda run: through_hands(hands, ["hands.py"], *change(run)),
        "edit_ms": lambda run: through_tool(tool, context, *change(run)),
        f"patch_of_{FILES}_ms": lambda run: through_hands(hands, names[4:], *change(run)),
    }


def function(number: int) -> str:
    """Ten lines of code."""
    body = "".join(f"    value_{n} = compute(value_{n - 1}, {number * 7919 % 1000})  # step {n} of {number}\n" for n in range(1, 7))
    return f"def work_{number}(value_0):\n{body}    return value_6\n\n\n"


def change(run: int) -> tuple[str, str]:
    """A line near the middle, as the last run left it, and as it will be."""
    line = f"def work_{LINES // 20}(value_0"
    return (f"{line}):" if run == 0 else f"{line}, extra_{run - 1}=0):"), f"{line}, extra_{run}=0):"


def script(path: Path, old: str, new: str, *, sync: bool) -> None:
    text = path.read_text()
    beside = path.with_suffix(".new")
    with open(beside, "w") as file:
        file.write(text.replace(old, new, 1))
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(beside, path)


def through_hands(hands: Hands, names: list[str], old: str, new: str) -> None:
    def edit(files: Texts) -> Texts:
        return {name: file.with_text(file.text.replace(old, new, 1)) for name, file in files.items() if file}

    assert len(hands.change(names, edit).states) == len(names)


def through_tool(tool: Edit, context: ToolContext, old: str, new: str) -> None:
    said = asyncio.run(tool.run({"path": "edited.py", "old_string": old, "new_string": new}, context))
    assert said == "Edited edited.py: 1 replacement.", said


def measured(jobs: dict[str, Callable[[int], None]], runs: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():  # in turn, so that a slow moment of the machine falls on all of them
            started = time.perf_counter()
            job(run)
            taken[name].append((time.perf_counter() - started) * 1000)
    figures = {name: round(statistics.median(values[1:]), 2) for name, values in taken.items()}
    for name, value in figures.items():
        print(f"{name:<20} median {value:8.2f}   min {min(taken[name][1:]):8.2f}   max {max(taken[name][1:]):8.2f}")
    return figures


if __name__ == "__main__":
    main()
