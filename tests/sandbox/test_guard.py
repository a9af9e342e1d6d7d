"""What a command did to protected paths is put back, set aside or at least reported, whatever it was."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.sandbox import guard
from kimicode.sandbox.guard import differing, restore, snapshot


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    git = tmp_path / "ws" / ".git"
    for folder in ("hooks", "info", "objects/aa", "refs/heads", "modules/lib/sub/hooks", "modules/lib/sub/refs", "worktrees/w"):
        (git / folder).mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "config").write_text("[core]\n\tbare = false\n")
    (git / "config").chmod(0o640)
    (git / "hooks" / "pre-commit").write_text("#!/bin/sh\ntrue\n")
    (git / "hooks" / "pre-commit").chmod(0o755)
    (git / "modules" / "lib" / "sub" / "config").write_text("[core]\n")
    (git / "modules" / "lib" / "sub" / "HEAD").write_text("x\n")
    (git / "worktrees" / "w" / "HEAD").write_text("x\n")
    (git / "worktrees" / "w" / "gitdir").write_text("/elsewhere/.git\n")
    (git / "refs" / "heads" / "main").write_text("0" * 40)
    (tmp_path / "ws" / ".vscode").mkdir()
    (tmp_path / "ws" / ".vscode" / "tasks.json").write_text("{}")
    (tmp_path / "ws" / ".vscode" / "link").symlink_to("tasks.json")
    (tmp_path / "outside").write_text("o")
    return tmp_path / "ws"


PROTECTED = (".git", ".vscode", ".kimi", ".mcp.json")


def tree(folder: Path) -> dict[str, object]:
    """Everything in a folder but what was set aside, with modes and contents."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        if ".set-aside-" not in str(path):
            mode = path.lstat().st_mode
            found[str(path.relative_to(folder))] = (
                os.readlink(path) if path.is_symlink() else (mode, None if path.is_dir() else path.read_bytes())
            )
    return found


def change(path: str, text: str = "evil") -> Callable[[Path], object]:
    return lambda ws: (ws / path).write_text(text)


def make(path: str) -> Callable[[Path], object]:
    def act(ws: Path) -> None:
        (ws / path).parent.mkdir(parents=True, exist_ok=True)
        (ws / path).write_text("evil")

    return act


def replace_by_link(path: str) -> Callable[[Path], object]:
    def act(ws: Path) -> None:
        (ws / path).rename(ws / "moved")
        (ws / path).symlink_to(ws / "moved")

    return act


ATTACKS: dict[str, Callable[[Path], object]] = {
    "a hook changed": change(".git/hooks/pre-commit"),
    "a hook added": make(".git/hooks/post-checkout"),
    "a hook removed": lambda ws: (ws / ".git/hooks/pre-commit").unlink(),
    "a hook's mode": lambda ws: (ws / ".git/hooks/pre-commit").chmod(0o644),
    "a hook as a link": lambda ws: (ws / ".git/hooks/post-merge").symlink_to("../../run.sh"),
    "the configuration": change(".git/config", "[core]\n\tfsmonitor = ./x\n"),
    "the configuration emptied": change(".git/config", ""),
    "a worktree's configuration": make(".git/config.worktree"),
    "the attributes": make(".git/info/attributes"),
    "the head": change(".git/HEAD", "ref: refs/heads/evil\n"),
    "a submodule's hook": make(".git/modules/lib/sub/hooks/pre-commit"),
    "a submodule's configuration": change(".git/modules/lib/sub/config"),
    "a worktree's pointer": change(".git/worktrees/w/gitdir"),
    "the hooks moved away": lambda ws: (ws / ".git/hooks").rename(ws / ".git/hooks2"),
    "the hooks as a link": replace_by_link(".git/hooks"),
    "the hooks as a file": lambda ws: (shutil.rmtree(ws / ".git/hooks"), (ws / ".git/hooks").write_text("x")),
    "tasks": change(".vscode/tasks.json"),
    "more tasks": make(".vscode/deep/er/tasks.json"),
    "a link's target": lambda ws: ((ws / ".vscode/link").unlink(), (ws / ".vscode/link").symlink_to("/etc/passwd")),
    "settings as a link": replace_by_link(".vscode"),
    "configuration of an agent": make(".kimi/settings.json"),
    "a file of servers": make(".mcp.json"),
    "a fifo": lambda ws: os.mkfifo(ws / ".mcp.json"),
    "all of git renamed": lambda ws: (ws / ".git").rename(ws / "elsewhere"),
    "all of git renamed and replaced": lambda ws: ((ws / ".git").rename(ws / "elsewhere"), make(".git/hooks/pre-commit")(ws)),
    "several": lambda ws: [make(path)(ws) for path in (".git/hooks/a", ".git/config", ".kimi/x", ".mcp.json")],
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_it_is_put_back_and_reported(workspace: Path, attack: Callable[[Path], object]) -> None:
    paths = [workspace / name for name in PROTECTED]
    before = {name: tree(workspace / name) for name in PROTECTED}
    taken = snapshot(paths)
    assert taken.complete
    assert restore(taken) == ()
    attack(workspace)
    assert differing(taken)
    changed = restore(taken)
    assert changed
    assert all(any(path.is_relative_to(root) for root in paths) for path in changed)
    assert {name: tree(workspace / name) for name in PROTECTED} == before
    assert not (workspace / ".kimi").exists()
    assert differing(taken) == ()
    assert restore(taken) == ()


def test_what_a_command_made_is_kept_aside(workspace: Path) -> None:
    taken = snapshot([workspace / ".kimi"])
    make(".kimi/settings.json")(workspace)
    assert restore(taken) == (workspace / ".kimi",)
    [aside] = workspace.glob(".kimi.set-aside-*")
    assert (aside / "settings.json").read_text() == "evil"


def test_git_that_was_deleted_gets_its_configuration_back(workspace: Path) -> None:
    taken = snapshot([workspace / ".git"])
    shutil.rmtree(workspace / ".git")
    assert workspace / ".git" in restore(taken)
    assert (workspace / ".git" / "config").read_text() == "[core]\n\tbare = false\n"
    assert (workspace / ".git" / "hooks" / "pre-commit").stat().st_mode & 0o777 == 0o755


def test_a_folder_of_git_under_the_name_of_another_is_not_moved_back(workspace: Path) -> None:
    """File systems give the number of a deleted folder to the next one: `info`, made again, was once taken for `hooks`."""
    (workspace / ".git" / "info").mkdir(exist_ok=True)
    taken = snapshot([workspace / ".git"])
    shutil.rmtree(workspace / ".git" / "info")
    (workspace / ".git" / "hooks").rename(workspace / ".git" / "info")
    restore(taken)
    assert (workspace / ".git" / "hooks" / "pre-commit").stat().st_mode & 0o777 == 0o755
    assert not (workspace / ".git" / "info" / "pre-commit").exists()


def test_a_folder_that_was_moved_with_its_repository_is_not_made_up_again(workspace: Path) -> None:
    (workspace / "lib").mkdir()
    (workspace / ".git").rename(workspace / "lib" / ".git")
    taken = snapshot([workspace / "lib" / ".git"])
    (workspace / "lib").rename(workspace / "lib2")
    assert workspace / "lib" / ".git" in restore(taken)
    assert not (workspace / "lib").exists()
    assert (workspace / "lib2" / ".git" / "config").exists()


def test_data_of_git_is_left_alone(workspace: Path) -> None:
    taken = snapshot([workspace / ".git"])
    make(".git/objects/bb/x")(workspace)
    change(".git/refs/heads/main")(workspace)
    make(".git/index")(workspace)
    assert restore(taken) == ()
    assert (workspace / ".git" / "index").read_text() == "evil"


def test_it_never_writes_through_a_link(workspace: Path, tmp_path: Path) -> None:
    taken = snapshot([workspace / ".git"])
    (workspace / ".git" / "config").unlink()
    (workspace / ".git" / "config").symlink_to(tmp_path / "outside")
    assert restore(taken) == (workspace / ".git" / "config",)
    assert (tmp_path / "outside").read_text() == "o"
    assert not (workspace / ".git" / "config").is_symlink()


def test_a_folder_above_that_became_a_link_is_reported_and_not_entered(workspace: Path, tmp_path: Path) -> None:
    taken = snapshot([workspace / ".git"])
    workspace.rename(tmp_path / "away")
    (tmp_path / "bait" / ".git").mkdir(parents=True)
    workspace.symlink_to("bait")
    assert workspace / ".git" in restore(taken)
    assert list((tmp_path / "bait" / ".git").iterdir()) == []


def test_what_is_too_large_is_watched(workspace: Path) -> None:
    large = workspace / ".vscode" / "large"
    large.write_bytes(b"x" * (guard.MAX_FILE_BYTES + 1))
    taken = snapshot([workspace / ".vscode"])
    assert restore(taken) == ()
    large.write_bytes(b"y" * (guard.MAX_FILE_BYTES + 1))
    assert restore(taken) == (large,)
    assert differing(taken) == (large,)


def test_a_snapshot_is_bounded(workspace: Path) -> None:
    for number in range(guard.MAX_MEMBERS + 10):
        (workspace / ".vscode" / str(number)).touch()
    taken = snapshot([workspace / ".vscode"])
    assert len(taken.members) == guard.MAX_MEMBERS
    assert not taken.complete
