"""scripts/run, setup, test and bench on a copy of the checkout, with a Python that only writes down how it was called."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAKE = Path(__file__).parent / "fakepython"
NAMES = ("python3.13", "python3.12", "python3.11", "python3")


@dataclass(frozen=True)
class Checkout:
    """A copy of scripts/ in a tree of its own, and the environment its scripts run in."""

    root: Path
    calls: Path
    environ: dict[str, str] = field(default_factory=dict)

    def start(self, script: str | Path, *arguments: str, cwd: Path | None = None, **environ: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [self.root / "scripts" / script, *arguments],
            cwd=cwd or self.root,
            env=self.environ | environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(
        self, script: str | Path, *arguments: str, cwd: Path | None = None, stdin: str = "", **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        process = self.start(script, *arguments, cwd=cwd, **environ)
        out, err = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def taken(self, start: str) -> list[str]:
        """The calls of any Python that begin with `start`, forgotten afterwards."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [line for line in lines if line.startswith(start)]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "a checkout with spaces"
    shutil.copytree(ROOT / "scripts", root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "benchmarks").mkdir()
    (root / "benchmarks" / "speed.py").touch()
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in NAMES:
        shutil.copy(FAKE, bin_ / name)
    calls = tmp_path / "calls"
    environ = {"PATH": f"{bin_}:/usr/bin:/bin", "CALLS": str(calls), "REAL_PYTHON": sys.executable, "CDPATH": f"{tmp_path}:/"}
    return Checkout(root, calls, environ)


def test_first_and_second_run(checkout: Checkout, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else where"
    elsewhere.mkdir()
    first = checkout.run("run", "two words", "quo\"te's", "$HOME *", "", "-x", cwd=elsewhere, stdin="piped in\n")
    assert first.stdout.splitlines() == [str(elsewhere), "two words", "quo\"te's", "$HOME *", "", "-x", "piped in"]
    assert first.returncode == 7
    assert "setting up" in first.stderr
    assert "pip says hello" in first.stderr
    calls = checkout.taken("-m")
    assert [call for call in calls if "pip install" in call] == [calls[-1]]
    assert calls[-1].endswith("--editable .[demo]")
    second = checkout.run("run", "again", cwd=elsewhere)
    assert (second.stdout.splitlines(), second.stderr, second.returncode) == ([str(elsewhere), "again"], "", 7)
    assert checkout.taken("") == []


def test_a_link_to_the_script(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "bin" / "kimi"
    link.symlink_to(checkout.root / "scripts" / "run")
    assert checkout.run(link, "x", cwd=tmp_path).stdout.splitlines() == [str(tmp_path), "x"]
    relative = tmp_path / "relative"
    relative.symlink_to(os.path.relpath(checkout.root / "scripts" / "run", tmp_path))
    assert checkout.run(relative, "x", cwd=tmp_path).stdout.splitlines() == [str(tmp_path), "x"]


def test_changed_pyproject_is_installed(checkout: Checkout) -> None:
    checkout.run("run")
    checkout.taken("")
    (checkout.root / "pyproject.toml").write_text("[project] # changed\n")
    checkout.run("run")
    calls = checkout.taken("")
    assert calls[-1].endswith("--editable .[demo]")
    assert not [call for call in calls if call.startswith("-m venv")]
    checkout.run("run")
    assert checkout.taken("") == []


def test_tests_need_more_and_that_is_enough_to_run(checkout: Checkout) -> None:
    checkout.run("run")
    checkout.taken("")
    checkout.run("test", "tests/x.py", "-k", "a and b")
    calls = checkout.taken("-m p")
    assert calls[-2:] == [
        "-m pip install --quiet --no-input --disable-pip-version-check --editable .[dev]",
        "-m pytest tests/x.py -k a and b",
    ]
    checkout.run("run")
    assert checkout.taken("") == []
    checkout.run("test")
    assert checkout.taken("") == ["-m pytest -n 2 --dist worksteal"]


def test_failed_set_up_says_what_to_do_and_is_done_again(checkout: Checkout) -> None:
    failed = checkout.run("run", FAIL="1")
    assert (failed.stdout, failed.returncode) == ("", 1)
    assert "no network" in failed.stderr
    assert "Run the same command again" in failed.stderr
    checkout.taken("")
    assert checkout.run("run").returncode == 7
    assert len(checkout.taken("-m pip install")) == 1


def test_killed_set_up_is_done_again(checkout: Checkout, tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    os.mkfifo(reached)
    os.mkfifo(f"{reached}.never")
    with checkout.start("run", HANG=str(reached)) as process:
        reached.read_bytes()
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    checkout.taken("")
    assert checkout.run("run").returncode == 7
    calls = checkout.taken("-m")
    assert [call.split()[1] for call in calls] == ["pip", "venv", "pip"], "pip itself was half installed"


def test_a_moved_checkout_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("run")
    checkout.taken("")
    moved = Checkout(checkout.root.rename(tmp_path / "moved"), checkout.calls, checkout.environ)
    assert moved.run("run").returncode == 7
    assert len(moved.taken("-m venv --clear")) == 1


def test_an_interpreter_that_is_gone_is_replaced(checkout: Checkout) -> None:
    checkout.run("run")
    checkout.taken("")
    python = checkout.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("gone")
    assert checkout.run("run").returncode == 7
    assert len(checkout.taken("-m venv --clear")) == 1


def test_of_many_at_once_one_sets_up(checkout: Checkout) -> None:
    processes = [checkout.start("run", str(number)) for number in range(5)]
    outputs = [process.communicate(timeout=60)[0].splitlines()[1:] for process in processes]
    assert outputs == [[str(number)] for number in range(5)]
    assert len(checkout.taken("-m pip install")) == 1


@pytest.mark.parametrize(
    ("pretend", "reason"),
    [
        ("sys.version_info = (3, 10, 2)", "Python 3.10 is too old"),
        ("sys.modules['ensurepip'] = None", "it lacks ensurepip (Debian, Ubuntu: apt install python3-venv)"),
    ],
)
def test_no_usable_python(checkout: Checkout, pretend: str, reason: str) -> None:
    refused = checkout.run("run", PRETEND=pretend)
    assert (refused.stdout, refused.returncode) == ("", 1)
    assert "needs Python 3.11 or later" in refused.stderr
    assert [line.strip() for line in refused.stderr.splitlines() if reason in line] == [f"{name}: {reason}" for name in NAMES]
    assert not (checkout.root / ".venv").exists()


def test_an_unusable_python_is_passed_over(checkout: Checkout, tmp_path: Path) -> None:
    # A version manager's stand-in for a version that is not installed.
    (tmp_path / "bin" / "python3.13").write_text("#!/bin/sh\necho 'not found' >&2\nexit 127\n")
    assert checkout.run("run").returncode == 7


def test_bench(checkout: Checkout) -> None:
    checkout.run("bench", "speed", "--quick", "a b")
    assert checkout.taken("")[-1] == "benchmarks/speed.py --quick a b"
    for arguments in ((), ("nothing",), ("",)):
        refused = checkout.run("bench", *arguments)
        assert (refused.stdout, refused.returncode) == ("", 2)
        assert refused.stderr.splitlines()[1:] == ["  speed"]


def tools(checkout: Checkout, failing: str = "") -> None:
    """Set the copy up for tests and put stand-ins for the checkers into its environment; `failing` finds something."""
    checkout.run("test")
    for name in ("mypy", "ruff", "lint-imports"):
        code = int(name == failing)
        path = checkout.root / ".venv" / "bin" / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" | tee -a "$CALLS"\nexit {code}\n')
        path.chmod(0o755)
    checkout.taken("")


@pytest.mark.parametrize(("failing", "code"), [("", 0), ("mypy", 1), ("ruff", 1), ("lint-imports", 1)])
def test_check_does_everything_whatever_fails(checkout: Checkout, failing: str, code: int) -> None:
    tools(checkout, failing)
    done = checkout.run("check")
    assert done.returncode == code
    assert sorted(checkout.taken("")) == ["lint-imports --no-logo", "mypy ", "ruff check", "ruff format --check"]
    assert done.stdout.splitlines() == ["ruff check", "ruff format --check", "lint-imports --no-logo", "mypy "]


def test_ci_checks_and_tests_with_vectors(checkout: Checkout, tmp_path: Path) -> None:
    shutil.copytree(ROOT / ".ci", checkout.root / ".ci")
    for name in ("tmux", "bwrap"):
        shutil.copy(shutil.which("true") or "", tmp_path / "bin" / name)
    tools(checkout)
    without = checkout.run("../.ci/run")
    assert without.returncode == 1
    assert f"no test vectors at {tmp_path / 'shared' / 'vectors'}" in without.stderr
    assert checkout.taken("") == []
    (tmp_path / "shared" / "vectors" / "k26").mkdir(parents=True)
    assert checkout.run("../.ci/run").returncode == 0
    assert checkout.taken("-m pytest") == ["-m pytest -n 2 --dist worksteal -m not pictures", "-m pytest -m pictures"]
    tools(checkout, "mypy")
    assert checkout.run("../.ci/run").returncode == 1
    assert checkout.taken("-m pytest") == []


def test_scripts_stay_small() -> None:
    for script in [*(ROOT / "scripts").iterdir(), ROOT / ".ci" / "run"]:
        if script.is_file():
            assert len(script.read_text().splitlines()) < 20, script
