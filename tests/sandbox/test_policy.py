"""Which paths a permission opens: judged by where they really are."""

from pathlib import Path

import pytest

from kimicode.errors import RefusedError, ToolError
from kimicode.sandbox.policy import Permission, Policy


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "outer" / "ws"
    (root / "src").mkdir(parents=True)
    (root / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / "outer" / "secret").write_text("s")
    (tmp_path / "outer" / "ws2").mkdir()
    (root / "out").symlink_to("..")
    (root / "abs").symlink_to(tmp_path / "outer" / "secret")
    (root / "in").symlink_to("src")
    (root / "git").symlink_to(".git")
    (root / "dangling").symlink_to("../not-there")
    (root / "loop").symlink_to("loop")
    return root


OUTSIDE = [
    "..",
    "../secret",
    "src/../../secret",
    "out/secret",
    "abs",
    "dangling",
    "/etc/passwd",
    "../ws2/x",
    "out/ws2/new",
    "~/../../../etc/x",
]
INSIDE = ["src/a.py", "in/a.py", "src/../b", "new/deep/c", ".", "out/ws/src/d", "~x", ".gitignore", ".github/x", "a.git", "..a", " "]
GIT = [".git/config", ".git", ".git/hooks/pre-commit", "git/hooks/x", "src/../.git/x", "sub/.git/config", ".GIT/config", "src/.git"]


@pytest.mark.parametrize("path", [*OUTSIDE[:-1]])
def test_outside_is_refused_to_read_and_write(workspace: Path, path: str) -> None:
    policy = Policy(Permission.WORKSPACE, workspace)
    for ask in (policy.readable, policy.writable, Policy(Permission.READ_ONLY, workspace).readable):
        with pytest.raises(RefusedError, match="outside the workspace") as caught:
            ask(path)
        assert "--permission full" in caught.value.hint
        assert caught.value.exit_code == 77


@pytest.mark.parametrize("path", INSIDE)
def test_inside_is_open_by_its_real_path(workspace: Path, path: str) -> None:
    policy = Policy(Permission.WORKSPACE, workspace)
    assert policy.readable(path).path == policy.writable(path).path == (workspace / path).resolve()
    assert workspace.resolve() in (policy.readable(path).path / "x").parents


@pytest.mark.parametrize("path", GIT)
def test_git_is_readable_but_protected(workspace: Path, path: str) -> None:
    policy = Policy(Permission.WORKSPACE, workspace)
    assert policy.readable(path).path == (workspace / path).resolve()
    with pytest.raises(RefusedError, match="git's own files"):
        policy.writable(path)


@pytest.mark.parametrize("path", [*OUTSIDE, *GIT, *INSIDE])
def test_full_permission_opens_all(workspace: Path, path: str) -> None:
    policy = Policy(Permission.FULL, workspace)
    assert policy.writable(path).path == policy.readable(path).path == (workspace / path).resolve()


@pytest.mark.parametrize("path", INSIDE)
def test_read_only_refuses_every_write_and_command(workspace: Path, path: str) -> None:
    policy = Policy(Permission.READ_ONLY, workspace)
    assert policy.readable(path)
    with pytest.raises(RefusedError, match="writing is off"):
        policy.writable(path)
    with pytest.raises(RefusedError, match="commands are off"):
        policy.check_command("ls")


@pytest.mark.parametrize("path", ["a\0b", "loop", "loop/x", "\ud800"])
def test_what_can_not_be_a_path_is_an_error(workspace: Path, path: str) -> None:
    for permission in Permission:
        with pytest.raises(ToolError, match="not a usable path"):
            Policy(permission, workspace).readable(path)


def test_a_workspace_behind_a_link_and_the_scratch_folder(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(workspace)
    (tmp_path / "real-scratch").mkdir()
    (tmp_path / "scratch").symlink_to("real-scratch")
    policy = Policy(Permission.WORKSPACE, tmp_path / "alias", (tmp_path / "scratch",))
    assert policy.writable("src/a").path == workspace.resolve() / "src" / "a"
    assert policy.readable(str(tmp_path / "scratch" / "shell-1.txt")).path == (tmp_path / "real-scratch" / "shell-1.txt").resolve()
    with pytest.raises(RefusedError):
        policy.writable(str(tmp_path / "scratch" / "shell-1.txt"))


def test_commands_are_open_otherwise(workspace: Path) -> None:
    Policy(Permission.WORKSPACE, workspace).check_command("ls")
    Policy(Permission.FULL, workspace).check_command("ls")
