"""Worktrees: made whole or not at all, and never removed with work in them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kimicode.errors import RefusedError, UsageError
from kimicode.repo.git import Repository
from kimicode.repo.worktrees import Worktrees


class Yard:
    """A repository with one commit, and plain git to change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "KIMICODE_HOME": str(folder / "home")}
        (folder / ".gitconfig").write_text("[user]\nname = n\nemail = e@example.org\n[init]\ndefaultBranch = main\n")
        self.git("init", "-q")
        (self.folder / "a").write_text("1\n")
        (self.folder / "sub").mkdir()
        (self.folder / "sub" / "b").write_text("1\n")
        self.git("add", ".")
        self.git("commit", "-qm", "first")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=folder or self.folder, env=self.environ, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    @property
    def worktrees(self) -> Worktrees:
        repository = Repository.find(self.folder, self.environ)
        assert repository is not None
        return Worktrees(repository, self.environ)

    @property
    def left(self) -> set[str]:
        """What there is of worktrees, wherever."""
        branches = self.git("branch", "--list", "kimicode/*", "--format=%(refname:short)").split()
        admin = self.folder / ".git/worktrees"
        home = self.worktrees.folder
        entries = [path.name for folder in (admin, home) if folder.is_dir() for path in folder.iterdir()]
        return {*branches, *entries}


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path.resolve())


def test_made_listed_and_removed(yard: Yard) -> None:
    worktrees = yard.worktrees
    assert worktrees.all() == ()
    made = worktrees.create("try")
    assert made.path == worktrees.folder / "try"
    assert (made.path / "sub/b").read_text() == "1\n"
    assert yard.git("status", "--porcelain", folder=made.path) == ""
    assert yard.git("branch", "--show-current", folder=made.path) == "kimicode/try"
    assert worktrees.all() == (made,)
    assert worktrees.enter("try") == made.path
    found = Repository.find(made.path, yard.environ)
    assert found is not None
    assert Worktrees(found, yard.environ).all() == (made,)
    worktrees.remove("try")
    assert yard.left == set()
    assert worktrees.enter("other") == worktrees.folder / "other"


def test_at_a_revision_and_in_a_folder(yard: Yard, tmp_path: Path) -> None:
    (yard.folder / "a").write_text("2\n")
    yard.git("commit", "-qam", "second")
    made = yard.worktrees.create("old", revision="HEAD~1", folder=tmp_path / "place")
    assert (tmp_path / "place/a").read_text() == "1\n"
    assert made.head == yard.git("rev-parse", "HEAD~1")
    yard.worktrees.remove("old")
    assert not (tmp_path / "place").exists()


def test_what_can_not_be_made(yard: Yard, tmp_path: Path) -> None:
    worktrees = yard.worktrees
    for name in ("", "-x", "a/b", "a..b", "x.lock", "x.making", ".x", "a b", "x\n", "--force", "a" * 65):
        with pytest.raises(UsageError, match="can't be the name"):
            worktrees.create(name)
    for revision in ("nope", "--detach", "HEAD..HEAD"):
        with pytest.raises(UsageError, match="revision"):
            worktrees.create("x", revision=revision)
    (tmp_path / "full").mkdir()
    (tmp_path / "full/x").touch()
    with pytest.raises(UsageError, match="is there already"):
        worktrees.create("x", folder=tmp_path / "full")
    with pytest.raises(UsageError, match="characters"):
        worktrees.create("x", folder=tmp_path / "line\nend")
    worktrees.create("x")
    with pytest.raises(UsageError, match="a branch kimicode/x already"):
        worktrees.create("x", folder=tmp_path / "new")
    with pytest.raises(UsageError, match="no worktree 'y'"):
        worktrees.remove("y")
    assert yard.left == {"x", "kimicode/x"}


def test_work_is_not_removed(yard: Yard) -> None:
    worktrees = yard.worktrees
    made = worktrees.create("x")
    (made.path / "new").write_text("n\n")
    with pytest.raises(RefusedError, match="1 changes that are not committed: 'new'"):
        worktrees.remove("x")
    yard.git("add", "new", folder=made.path)
    yard.git("commit", "-qm", "new", folder=made.path)
    with pytest.raises(RefusedError, match="commits that no other branch has"):
        worktrees.remove("x")
    yard.git("worktree", "lock", str(made.path))
    with pytest.raises(RefusedError, match="is locked"):
        worktrees.remove("x")
    assert (made.path / "new").exists()
    yard.git("worktree", "unlock", str(made.path))
    yard.git("merge", "-q", "kimicode/x")
    worktrees.remove("x")
    assert yard.left == set()
    made = worktrees.create("x")
    (made.path / "a").write_text("2\n")
    yard.git("commit", "-qam", "more", folder=made.path)
    (made.path / "a").write_text("3\n")
    yard.git("worktree", "lock", str(made.path))
    worktrees.remove("x", force=True)
    assert yard.left == set()


def test_a_folder_that_is_gone(yard: Yard) -> None:
    worktrees = yard.worktrees
    for name in ("plain", "kept"):
        worktrees.create(name)
    kept = worktrees.folder / "kept"
    (kept / "a").write_text("2\n")
    yard.git("commit", "-qam", "work", folder=kept)
    for name in ("plain", "kept"):
        subprocess.run(["rm", "-r", str(worktrees.folder / name)], check=True)
    assert [each.there for each in worktrees.all()] == [False, False]
    with pytest.raises(UsageError, match="is gone"):
        worktrees.enter("plain")
    assert worktrees.prune() == ("kept", "plain")
    assert yard.left == {"kimicode/kept"}
    with pytest.raises(RefusedError, match="commits that no other branch has"):
        worktrees.remove("kept")
    worktrees.remove("kept", force=True)
    assert yard.left == set()


_KILLED = """
import os, pathlib, sys
from kimicode.repo.git import Repository
from kimicode.repo.worktrees import Worktrees
Worktrees(Repository.find(pathlib.Path(sys.argv[1]), os.environ), os.environ).create("x")
"""


@pytest.mark.parametrize("what", ["before", "worktree add", "reset"])
def test_what_was_interrupted_is_cleared_by_the_next(yard: Yard, tmp_path: Path, what: str) -> None:
    """A git that kills kimicode before or after it did one of the steps; the second time it is the real one."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = subprocess.run(["sh", "-c", "command -v git"], check=True, capture_output=True, text=True).stdout.strip()
    kill = f"kill -9 $(cat {tmp_path}/pid); exit 1"
    script = {
        "before": f"*'worktree add'*) {kill} ;;",
        "worktree add": f'*"worktree add"*) {real} "$@"; {kill} ;;',
        "reset": f'*"reset --hard"*) {real} "$@"; {kill} ;;',
    }[what]
    (tools / "git").write_text(f'#!/bin/sh\ncase "$*" in\n{script}\n*) exec {real} "$@" ;;\nesac\n')
    (tools / "git").chmod(0o755)
    environ = {**yard.environ, "PATH": str(tools), "PYTHONPATH": os.pathsep.join(sys.path)}
    code = f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{_KILLED}"
    done = subprocess.run([sys.executable, "-c", code, str(yard.folder)], env=environ, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    worktrees = yard.worktrees
    assert worktrees.all() == ()
    assert "x.making" in yard.left
    made = worktrees.create("x")
    assert (made.path / "a").read_text() == "1\n"
    assert yard.left == {"x", "kimicode/x"}
    worktrees.remove("x")
    assert yard.left == set()


def test_half_of_what_git_makes_is_swept_away(yard: Yard) -> None:
    """Git locks what it begins, so its own pruning would keep this for ever."""
    worktrees = yard.worktrees
    worktrees.create("x")
    mark = worktrees.folder / "x.making"
    head = yard.git("rev-parse", "HEAD")
    for leave in (["locked"], ["locked", "gitdir"]):
        admin = yard.folder / ".git/worktrees/x"
        (admin / "locked").write_text("initializing\n")
        for path in admin.iterdir():
            if path.name not in leave:
                subprocess.run(["rm", "-r", str(path)], check=True)
        mark.write_text(f'{{"path": "{worktrees.folder}/x", "head": "{head}"}}')
        assert worktrees.prune() == ("x",)
        assert yard.left == set()
        worktrees.create("x")
    mark.write_text("{half")
    worktrees.remove("x", force=True)
    assert yard.left == set()


def test_two_at_once(yard: Yard) -> None:
    code = _KILLED.replace('"x"', "sys.argv[2]")
    environ = {**yard.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runs = [subprocess.Popen([sys.executable, "-c", code, str(yard.folder), f"n{number}"], env=environ) for number in range(4)]
    assert [run.wait(60) for run in runs] == [0] * 4
    assert [each.name for each in yard.worktrees.all()] == ["n0", "n1", "n2", "n3"]
