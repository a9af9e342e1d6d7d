"""kimicode worktree: what it writes, and where work goes on."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from kimicode.commands.worktree import enter, worktree_add, worktree_list, worktree_prune, worktree_remove
from kimicode.errors import RefusedError, UsageError


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path.resolve() / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/a").write_text("1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KIMICODE_HOME", str(tmp_path.resolve() / "home"))
    monkeypatch.chdir(folder)
    who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *arguments], check=True)
    return folder


def test_add_list_and_remove(work: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert worktree_list(as_json=False) == 0
    assert capfd.readouterr().err == "No worktrees of kimicode yet.\n"
    assert worktree_add("x") == 0
    said = capfd.readouterr()
    made = Path(said.out.removesuffix("\n"))
    assert (made / "sub/a").read_text() == "1\n"
    assert "kimicode/x" in said.err
    assert worktree_list(as_json=True) == 0
    assert json.loads(capfd.readouterr().out)["path"] == str(made)
    (made / "sub/a").write_text("2\n")
    with pytest.raises(RefusedError, match="not committed: 'sub/a'"):
        worktree_remove("x", force=False)
    assert worktree_remove("x", force=True) == 0
    assert worktree_prune() == 0
    assert capfd.readouterr().err.endswith("Nothing to forget.\n")
    assert not made.exists()


def test_enter(work: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    top = enter("x")
    assert top.name == "x"
    assert enter("x") == top
    monkeypatch.chdir(work / "sub")
    assert enter("x") == top / "sub"
    (work / "new").mkdir()
    monkeypatch.chdir(work / "new")
    assert enter("x") == top
    assert worktree_list(as_json=False) == 0
    assert str(top) in capfd.readouterr().out


def test_outside_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert not (tmp_path / ".git").exists()
    assert os.getcwd() == str(tmp_path)
    with pytest.raises(UsageError, match="in no git repository"):
        enter("x")
