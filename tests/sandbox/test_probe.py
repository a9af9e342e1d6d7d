"""What a machine can do: judged from values, and found out on this one."""

import marshal
import os
from pathlib import Path

import msgspec
import pytest

from kimicode.sandbox.boundary import Tier
from kimicode.sandbox.probe import Capabilities, best_tier, load_helper, probe, why_not, why_not_better

HELPER = load_helper()
NOTHING = Capabilities("Linux", "x86_64", HELPER, problem="bubblewrap is not installed")


def able(**what: object) -> Capabilities:
    return msgspec.structs.replace(NOTHING, **what)


@pytest.mark.parametrize(
    ("capabilities", "tier", "why"),
    [
        (able(seccomp=True, landlock_abi=7, bubblewrap=Path("/usr/bin/bwrap")), Tier.BUBBLEWRAP, ""),
        (able(seccomp=True, landlock_abi=0, bubblewrap=Path("/usr/bin/bwrap")), Tier.BUBBLEWRAP, ""),
        (able(seccomp=True, landlock_abi=3), Tier.LANDLOCK, "bubblewrap is not installed."),
        (
            able(seccomp=True, landlock_abi=2),
            Tier.NONE,
            "bubblewrap is not installed. Landlock ABI 3 (Linux 6.2) is needed; this kernel has 2.",
        ),
        (able(seccomp=True), Tier.NONE, "bubblewrap is not installed. Landlock ABI 3 (Linux 6.2) is needed; this kernel has none."),
        (able(landlock_abi=7, bubblewrap=Path("/usr/bin/bwrap")), Tier.NONE, "System calls can't be filtered here"),
        (able(system="Darwin", machine="arm64", seatbelt=Path("/usr/bin/sandbox-exec")), Tier.SEATBELT, ""),
        (able(system="Darwin", machine="arm64"), Tier.NONE, "System calls can't be filtered here (seccomp; Darwin on arm64)."),
    ],
)
def test_the_best_tier_and_why_it_is_no_better(capabilities: Capabilities, tier: Tier, why: str) -> None:
    assert best_tier(capabilities) is tier
    assert why_not_better(capabilities).startswith(why)
    assert bool(why_not_better(capabilities)) == bool(why)
    assert why_not(Tier.NONE, capabilities) == ""


def test_this_machine_holds_commands_in_both_tiers() -> None:
    """Where it does not, most tests of the sandbox mean nothing: they are not to be skipped in silence."""
    found = probe()
    assert found.problem == ""
    assert {why_not(tier, found) for tier in (Tier.BUBBLEWRAP, Tier.LANDLOCK)} == {""}
    assert best_tier(found) is Tier.BUBBLEWRAP


def test_the_search_path_is_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trap = tmp_path / "bwrap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    trap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    assert probe().bubblewrap != trap
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (None, "bubblewrap is not installed (looked for bwrap in {folder})"),
        (
            "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
            "does not run: bwrap: setting up uid map: Permission denied; user",
        ),
        ("exit 3", "does not run: exit 3; user namespaces may be off here"),
        ("echo abi=9", "does not run: exit 0"),
    ],
)
def test_one_that_does_not_run_is_none(tmp_path: Path, script: str | None, problem: str) -> None:
    if script is not None:
        (tmp_path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bwrap").chmod(0o755)
    found = probe([str(tmp_path)])
    assert found.bubblewrap is None
    assert problem.format(folder=tmp_path) in found.problem
    assert best_tier(found) is Tier.LANDLOCK
    assert problem.format(folder=tmp_path) in why_not_better(found)


def test_an_old_one_is_used_without_what_it_lacks(tmp_path: Path) -> None:
    real = probe().bubblewrap
    lines = ("#!/bin/sh", 'case "$*" in *--disable-userns*|*--size*) echo unknown option >&2; exit 1;; esac', f'exec {real} "$@"')
    (tmp_path / "bwrap").write_text("\n".join(lines))
    (tmp_path / "bwrap").chmod(0o755)
    found = probe([str(tmp_path)])
    assert (found.bubblewrap, found.modern) == (tmp_path / "bwrap", False)


def test_the_helper_is_code_that_was_read_once() -> None:
    assert HELPER.argv[1:4] == ("-I", "-S", "-E")
    assert HELPER.python.is_absolute()
    assert not HELPER.python.is_symlink()
    again = load_helper()
    # The bytes tell how often a constant was in use, too; the code is the same.
    assert marshal.loads(again.program) == marshal.loads(HELPER.program)
    assert marshal.loads(again.bridge) == marshal.loads(HELPER.bridge)
    assert (again.python, again.needs) == (HELPER.python, HELPER.needs)
