"""What a rewind costs: going back over 1,000 files, and looking at 10,000 files before and after a command.

Medians over several runs, beside a peer in the same run: git with a folder of its own beside the work tree (`git add -A` and
`git write-tree` to take a snapshot, `git checkout -f TREE` to go back), as agents that keep a shadow repository do. Both keep what they
write through a crash (`core.fsync=all` for git); `git_fast` is git as it comes, whose loose objects a crash can lose. Prints a line a
figure and, last, one JSON object. `--quick` takes 3 runs instead of 5.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kimicode.events import MessageAdded, SessionStarted
from kimicode.messages import User
from kimicode.session.changes import Changes
from kimicode.session.log import read_events
from kimicode.session.perform import look_and_plan, perform
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore

REWOUND = 1_000
WATCHED = 10_000
LINES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 5")
    runs = 3 if parser.parse_args().quick else 5
    taken: dict[str, list[float]] = {}
    for _ in range(runs):
        for job in (watch, rewind, git_jobs("git", durable=True), git_jobs("git_fast", durable=False)):
            with tempfile.TemporaryDirectory(prefix="kimicode-bench-") as folder:
                for name, seconds in job(Path(folder)).items():
                    taken.setdefault(name, []).append(seconds * 1000)
    figures = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    for name, value in figures.items():
        print(f"{name:<24} median {value:8.1f}   min {min(taken[name]):8.1f}   max {max(taken[name]):8.1f}")
    for name in ("snapshot_first", "snapshot_next", "rewind_1000"):
        figures[f"{name}_to_git"] = round(figures[f"{name}_ms"] / figures[f"git_{name}_ms"], 2)
    print(json.dumps(figures))


def watch(root: Path) -> dict[str, float]:
    work = tree(root / "work", WATCHED)
    changes = Changes(root / "home", work)
    figures = {"snapshot_first_ms": timed(changes.before_command)}
    edit(work, 10)
    figures["after_command_ms"] = timed(lambda: changes.after_command("c0"))
    figures["snapshot_next_ms"] = timed(changes.before_command)
    changes.close()
    return figures


def rewind(root: Path) -> dict[str, float]:
    work, store = tree(root / "work", REWOUND), SessionStore(root / "home")
    changes = Changes(store.root, work)
    session_id, log = store.create()
    with log:
        log.append(SessionStarted(session_id, str(work), "none", "none", "workspace", ()))
        log.append(MessageAdded(User("change everything")))
        changes.before_command()
        edit(work, REWOUND)
        for event in changes.after_command("c0"):
            log.append(event)
        changes.close()

        def back() -> None:
            with PreImages(store.preimages) as contents:
                plan = look_and_plan(read_events(store.path(session_id)), 1, contents, conversation=True, files=True)
                assert len(plan.ready) == REWOUND
                perform(plan, store, session_id, log.append, contents=contents, workspace=work)

        figures = {"rewind_1000_ms": timed(back)}
    assert content(work, 0) == text(0)
    return figures


def git_jobs(name: str, *, durable: bool) -> Callable[[Path], dict[str, float]]:
    def jobs(root: Path) -> dict[str, float]:
        return {f"{name}_{figure}": seconds for figure, seconds in git(root, durable).items()}

    return jobs


def git(root: Path, durable: bool) -> dict[str, float]:
    settings = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync") if durable else ()
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}

    def run(work: Path, *arguments: str) -> str:
        places = (f"--git-dir={root}/shadow-{work.name}", f"--work-tree={work}")
        return subprocess.run(
            ["git", *settings, *places, *arguments], env=environment, cwd=work, check=True, capture_output=True, text=True
        ).stdout

    def snapshot(work: Path) -> str:
        run(work, "add", "-A")
        return run(work, "write-tree").strip()

    many, some = tree(root / "many", WATCHED), tree(root / "some", REWOUND)
    for work in (many, some):
        run(work, "init", "-q")
    figures = {"snapshot_first_ms": timed(lambda: snapshot(many))}
    edit(many, 10)
    figures["snapshot_next_ms"] = timed(lambda: snapshot(many))
    before = snapshot(some)
    edit(some, REWOUND)

    def back() -> None:
        snapshot(some)
        run(some, "read-tree", before)
        run(some, "checkout-index", "-f", "-a")

    figures["rewind_1000_ms"] = timed(back)
    assert content(some, 0) == text(0)
    return figures


def tree(work: Path, count: int) -> Path:
    """A folder with `count` source files of about 3 KB, 100 a folder; settled, as a user's tree is."""
    shutil.rmtree(work, ignore_errors=True)
    for number in range(count):
        path = file(work, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(number))
    os.sync()
    return work


def edit(work: Path, count: int) -> None:
    for number in range(count):
        with file(work, number).open("a") as opened:
            opened.write("edited\n")


def content(work: Path, number: int) -> str:
    return file(work, number).read_text()


def file(work: Path, number: int) -> Path:
    return work / f"folder{number // 100}" / f"file{number}.py"


def text(number: int) -> str:
    return "".join(f"value_{line} = {number} + {line}\n" for line in range(LINES))


def timed(job: Callable[[], object]) -> float:
    started = time.perf_counter()
    job()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
