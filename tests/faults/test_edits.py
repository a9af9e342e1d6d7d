"""Edits that are killed, or meet a full disk, at each single system call that writes: all old or all new, and nothing left over."""

import json
import os
import re
import signal
import site
import stat
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from kimicode.files.atomic import is_temporary
from kimicode.files.place import Place
from kimicode.files.transaction import LockTimeout, exclusive, recover

CHANGING = Path(__file__).with_name("changing.py")
COUNTING = Path(__file__).with_name("counting.py")
SCENARIOS = ("one", "fresh", "several", "everything")
WRITING = (
    "write pwrite64 writev fsync fdatasync ftruncate fallocate fchmod fchown fchownat chmod fchmodat fchmodat2 rename renameat renameat2 "
    "unlink unlinkat rmdir mkdir mkdirat link linkat symlink symlinkat openat"
).split()
TRACED = f"trace={','.join(f'?{call}' for call in WRITING)}"
WHEN = dict.fromkeys(WRITING, 100) | {"openat": 800, "write": 200}
"""More calls than the process that starts all others makes itself: it imports, and prints a line for each job."""


def fill(folder: Path) -> None:
    tree = folder / "tree"
    tree.mkdir(parents=True)
    for name in ("edit", "also", "gone", "from", "mode", "file"):
        (tree / name).write_text(f"old {name}\n")
        (tree / name).chmod(0o644)
    (tree / "edit").chmod(0o755)
    (tree / "away" / "deep").mkdir(parents=True)
    (tree / "away" / "deep" / "f").write_text("f")
    (tree / "link").symlink_to("edit")


def shape(folder: Path) -> dict[str, tuple[int, int, bytes | str]]:
    tree = folder / "tree"
    found: dict[str, tuple[int, int, bytes | str]] = {}
    for path in sorted(tree.rglob("*")):
        mode = path.lstat().st_mode
        held = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(tree))] = (stat.S_IFMT(mode), stat.S_IMODE(mode), held)
    return found


class Strace:
    """Runs jobs, all of one batch below one strace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0

    def job(self, scenario: str, call: str = "write", at: int = 0, again: tuple[str, int] | None = None) -> dict[str, object]:
        """A job that has its own folder; without `at` nothing is injected."""
        self.count += 1
        folder = self.folder / str(self.count)
        fill(folder)
        return {"scenario": scenario, "folder": str(folder), "call": call, "at": at or WHEN[call], "again": again}

    def run(self, jobs: list[dict[str, object]], *options: str) -> list[tuple[int, int, str]]:
        """How each job's last process ended: number, exit code, words."""
        told = {"when": WHEN, "warm": [self.job(scenario) for scenario in SCENARIOS], "jobs": jobs}
        log = self.folder / f"log-{self.count}"
        # With --seccomp-bpf it would be faster, but strace 6.1 then injects no signals; nor does it into calls that are not traced.
        command = ["strace", "-f", "-ff", "-qqq", "-o", str(log), *options, sys.executable, "-I", "-S", "-B", str(CHANGING)]
        done = subprocess.run(
            [*command, json.dumps(site.getsitepackages())], input=json.dumps(told), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        ends = [json.loads(line) for line in done.stdout.splitlines()]
        assert len(ends) == len(jobs)
        return ends

    def calls(self, jobs: list[dict[str, object]], *options: str) -> list[list[tuple[str, int]]]:
        """The calls of each job's last process that write, each with its number among all of its kind."""
        ends = self.run(jobs, "-e", TRACED, *options)
        assert all(code == 0 for _, code, _ in ends), ends
        return [_numbered((self.folder / f"log-{self.count}.{pid}").read_text().splitlines()) for pid, _, _ in ends]

    def inject(self, what: str, jobs: list[dict[str, object]], *options: str) -> list[tuple[int, int, str]]:
        """Run jobs whose last process meets an injection at the call that it names; those with the same kind go together."""
        ends: dict[str, tuple[int, int, str]] = {}
        for kind in sorted({_kind(job) for job in jobs}):
            batch = [job for job in jobs if _kind(job) == kind]
            together = self.run(batch, "-e", TRACED, *options, "-e", f"inject={kind}:{what}:when={WHEN[kind]}")
            ends.update(zip((str(job["folder"]) for job in batch), together, strict=True))
        return [ends[str(job["folder"])] for job in jobs]


def _numbered(lines: Iterable[str]) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    found: list[tuple[str, int]] = []
    for line in lines:
        if match := re.match(r"(\w+)\(", line):
            call = match[1]
            counts[call] = counts.get(call, 0) + 1
            if call != "openat" or "O_CREAT" in line:
                found.append((call, counts[call]))
    # The last thing that a process writes are its words, into a pipe.
    return [point for point in found if point != ("write", counts["write"])]


def _kind(job: dict[str, object]) -> str:
    again = job["again"]
    return str(again[0] if isinstance(again, tuple) else job["call"])


@pytest.fixture(scope="module")
def strace(tmp_path_factory: pytest.TempPathFactory) -> Strace:
    return Strace(tmp_path_factory.mktemp("strace"))


@pytest.fixture(scope="module")
def points(strace: Strace) -> dict[str, list[tuple[str, int]]]:
    """For each scenario every call that writes."""
    return dict(zip(SCENARIOS, strace.calls([strace.job(scenario) for scenario in SCENARIOS]), strict=True))


@pytest.fixture(scope="module")
def outcomes(strace: Strace) -> dict[str, tuple[dict[str, object], dict[str, object]]]:
    """For each scenario the tree before and after."""
    jobs = {scenario: strace.job(scenario) for scenario in SCENARIOS}
    before = {scenario: shape(Path(str(job["folder"]))) for scenario, job in jobs.items()}
    assert all(code == 0 for _, code, _ in strace.run(list(jobs.values()), "-e", TRACED))
    return {scenario: (before[scenario], shape(Path(str(job["folder"])))) for scenario, job in jobs.items()}


def settled(job: dict[str, object]) -> dict[str, object]:
    """The tree after recovery; nothing else is left."""
    folder = Path(str(job["folder"]))
    told = recover(folder / "journal")
    assert not any("could not" in line or "damaged" in line for line in told)
    left = shape(folder)
    assert not [name for name in left if is_temporary(Path(name).name)]
    assert not (folder / "journal").exists() or os.listdir(folder / "journal") == []
    return dict(left)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_killed_at_every_call_that_writes(strace: Strace, points, outcomes, scenario: str) -> None:
    jobs = [strace.job(scenario, call, at) for call, at in points[scenario]]
    ends = strace.inject("signal=KILL", jobs)
    assert [code for _, code, _ in ends] == [-9] * len(jobs)
    before, after = outcomes[scenario]
    found = [settled(job) for job in jobs]
    assert [left for left in found if left not in (before, after)] == []
    assert before in found
    assert after in found
    assert len(jobs) > 10


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_full_disk_at_every_call_that_writes(strace: Strace, points, outcomes, scenario: str) -> None:
    jobs = [strace.job(scenario, call, at) for call, at in points[scenario]]
    ends = strace.inject("error=ENOSPC", jobs)
    before, after = outcomes[scenario]
    refused = 0
    for job, (_, code, words) in zip(jobs, ends, strict=True):
        left = shape(Path(str(job["folder"])))
        # What only tidies up may fail without harm: then all is done.
        assert code == 0 or "o space left" in words, (job, words)
        assert {name: held for name, held in left.items() if not is_temporary(Path(name).name)} == (before if code else after), job
        assert settled(job) == (before if code else after)
        refused += code != 0
    assert refused >= len(jobs) / 4


@pytest.mark.parametrize("scenario", ["several", "everything"])
def test_recovery_that_is_interrupted_itself(strace: Strace, points, outcomes, scenario: str) -> None:
    """The change is killed while it is carried out; the recovery is killed too, or meets a full disk; then another one recovers."""
    renames = [at for call, at in points[scenario] if call == "renameat"]
    assert len(renames) > 3
    killed = ("-e", f"inject=renameat:signal=KILL:when={WHEN['renameat']}")
    recovering = strace.calls([strace.job(scenario, "renameat", at, ("write", WHEN["write"])) for at in renames], *killed)
    before, after = outcomes[scenario]
    found = []
    for what in ("signal=KILL", "error=ENOSPC"):
        jobs = [strace.job(scenario, "renameat", at, point) for at, calls in zip(renames, recovering, strict=True) for point in calls]
        ends = strace.inject(what, jobs, *killed)
        assert what != "signal=KILL" or [code for _, code, _ in ends] == [-9] * len(jobs)
        found += [settled(job) for job in jobs]
    assert [left for left in found if left not in (before, after)] == []
    # A full disk makes the recovery take everything back, all else makes it go on.
    assert before in found
    assert after in found


def test_what_a_living_process_works_on_is_left_alone(strace: Strace, outcomes) -> None:
    """It is stopped while it carries out its change; whoever has the files' locks after its death finds the change finished."""
    job = strace.job("several", "renameat", 2)
    folder = Path(str(job["folder"]))
    journal, place = folder / "journal", Place(folder / "tree", ("also",))
    told = {"when": WHEN, "warm": [], "jobs": [job]}
    stopping = ("-e", TRACED, "-e", f"inject=renameat:signal=STOP:when={WHEN['renameat']}")
    command = ["strace", "-f", *stopping, sys.executable, "-I", "-S", "-B", CHANGING, json.dumps(site.getsitepackages())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        stopped = next(match for line in process.stderr if (match := re.match(r"\[pid +(\d+)\] --- stopped by SIGSTOP", line)))
        between = shape(folder)
        assert recover(journal) == ()
        with pytest.raises(LockTimeout), exclusive([place], locks=folder / "locks", journal=journal, timeout_s=0.01):
            pass
        assert shape(folder) == between
        assert between not in outcomes["several"]
        os.kill(int(stopped[1]), signal.SIGKILL)
        with exclusive([place], locks=folder / "locks", journal=journal, timeout_s=60):
            assert shape(folder) == outcomes["several"][1]
        process.stderr.read()
    assert os.listdir(journal) == []


@pytest.mark.parametrize(("touched", "text"), [("also", "the user's"), ("edit", "the user's")])
def test_what_a_user_changed_before_the_recovery_stays(strace: Strace, points, outcomes, touched: str, text: str) -> None:
    """The rest is finished where the change had got past that file, else taken back."""
    renames = [at for call, at in points["several"] if call == "renameat"]
    jobs = [strace.job("several", "renameat", at) for at in renames]
    strace.inject("signal=KILL", jobs)
    before, after = outcomes["several"]
    found = []
    for job in jobs:
        (Path(str(job["folder"])) / "tree" / touched).write_text(text)
        left = settled(job)
        assert left.pop(touched)[2] == text.encode()
        found.append(left)
    wanted = [{name: held for name, held in whole.items() if name != touched} for whole in (before, after)]
    assert [left for left in found if left not in wanted] == []
    assert wanted[0] in found


def test_fifty_processes_lose_no_edit(tmp_path: Path) -> None:
    """All of an edit is there, or it was refused: the sums agree."""
    environment = {**os.environ, "PYTHONPATH": str(CHANGING.parents[2])}
    done = subprocess.run([sys.executable, COUNTING, tmp_path, "50", "200"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    counts, lines = json.loads(done.stdout)
    counters = sorted((tmp_path / "tree").glob("counter*"))
    listed = (tmp_path / "tree" / "list").read_text().splitlines()
    assert sum(int(path.read_text()) for path in counters) == counts
    assert len(listed) == len(set(listed)) == lines
    assert counts >= 10_000
    assert sorted(os.listdir(tmp_path / "tree")) == [*(path.name for path in counters), "list"]
    assert os.listdir(tmp_path / "journal") == []
