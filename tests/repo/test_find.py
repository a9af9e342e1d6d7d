"""A repository is found where git would find it, and not where somebody only wants it to be found."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kimicode.errors import ToolError, UsageError
from kimicode.repo.git import Repository
from kimicode.repo.git_find import Layout, find_layout

HIS = 65534 if os.geteuid() == 0 else os.geteuid()
"""Another user, where the tests may give files away."""


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder.anchor)}
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, env=environ, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def main(tmp_path: Path) -> Path:
    folder = tmp_path / "main"
    git(tmp_path, "init", "-q", str(folder))
    git(folder, "commit", "-q", "--allow-empty", "-m", "1")
    return folder


def plain(folder: Path) -> Layout:
    return Layout(folder, folder / ".git", folder / ".git")


def test_in_the_folder_and_above_it(main: Path) -> None:
    deep = main / "a" / "b"
    deep.mkdir(parents=True)
    assert find_layout(main) == find_layout(deep) == plain(main)


def test_through_a_link_to_the_folder(main: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(main)
    assert find_layout(tmp_path / "link") == plain(main)


def test_nowhere(tmp_path: Path) -> None:
    assert find_layout(tmp_path) is None
    assert Repository.find(tmp_path, os.environ) is None


def test_a_linked_worktree(main: Path, tmp_path: Path) -> None:
    git(main, "worktree", "add", "-q", str(tmp_path / "linked"))
    expected = Layout(tmp_path / "linked", main / ".git" / "worktrees" / "linked", main / ".git")
    assert find_layout(tmp_path / "linked") == expected
    (tmp_path / "linked" / ".git").write_text("gitdir: ../main/.git/worktrees/linked\n")
    (main / ".git" / "worktrees" / "linked" / "gitdir").write_text("../../../../linked/.git\n")
    assert find_layout(tmp_path / "linked") == expected


def test_a_submodule(main: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "other")
    git(tmp_path / "other", "commit", "-q", "--allow-empty", "-m", "1")
    git(main, "submodule", "--quiet", "add", str(tmp_path / "other"), "sub")
    module = main / ".git" / "modules" / "sub"
    assert find_layout(main / "sub") == Layout(main / "sub", module, module)


def test_a_bare_repository_in_the_tree_is_none(main: Path) -> None:
    git(main, "init", "-q", "--bare", "trap")
    assert find_layout(main / "trap") == plain(main)
    assert find_layout(main / "trap" / "hooks") == plain(main)


@pytest.mark.parametrize("made", ["nothing", "HEAD", "HEAD and objects"])
def test_a_git_folder_that_is_no_repository_hides_none(main: Path, made: str) -> None:
    inner = main / "inner" / ".git"
    inner.mkdir(parents=True)
    if made != "nothing":
        (inner / "HEAD").write_text("ref: refs/heads/main\n")
    if made == "HEAD and objects":
        (inner / "objects").mkdir()
    assert find_layout(main / "inner") == plain(main)


def test_a_pointer_to_a_repository_that_does_not_point_back(main: Path, tmp_path: Path) -> None:
    git(main, "worktree", "add", "-q", str(tmp_path / "linked"))
    folder = tmp_path / "stranger"
    folder.mkdir()
    for target in (main / ".git", main / ".git" / "worktrees" / "linked", tmp_path / "missing", Path("/"), Path("/proc/self/root"), Path()):
        (folder / ".git").write_text(f"gitdir: {target}\n")
        with pytest.raises(UsageError, match="does not point back"):
            find_layout(folder)


def test_a_worktree_that_claims_another_repository_as_its_own(main: Path, tmp_path: Path) -> None:
    folder = tmp_path / "claimed"
    claimed = folder / "fake" / "worktrees" / "x"
    claimed.mkdir(parents=True)
    (folder / ".git").write_text("gitdir: fake/worktrees/x\n")
    (claimed / "gitdir").write_text(f"{folder}/.git\n")
    (claimed / "HEAD").write_text("ref: refs/heads/main\n")
    (claimed / "commondir").write_text(f"{main}/.git\n")
    with pytest.raises(UsageError, match="does not point back"):
        find_layout(folder)


@pytest.mark.parametrize("text", [b"", b"gitdir", b"gitdir:x", b"nonsense\n", b"\xff\0\n", b"gitdir: " + b"x" * 5000])
def test_a_pointer_that_is_none(tmp_path: Path, text: bytes) -> None:
    (tmp_path / ".git").write_bytes(text)
    with pytest.raises(UsageError, match=r"\.git"):
        find_layout(tmp_path)


def test_a_link_or_a_pipe_is_followed_by_nobody(main: Path, tmp_path: Path) -> None:
    for name in ("link", "pipe"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / ".git").symlink_to(main / ".git")
    os.mkfifo(tmp_path / "pipe" / ".git")
    for name in ("link", "pipe"):
        with pytest.raises(UsageError, match="neither a folder nor a file"):
            find_layout(tmp_path / name)


def test_a_repository_of_another_user_above_is_passed_over(main: Path) -> None:
    ours = main / "ours"
    ours.mkdir()
    os.chown(main / ".git", HIS, -1)
    assert find_layout(ours) == (None if os.geteuid() != HIS else plain(main))


def test_a_folder_and_a_repository_of_the_same_other_user_are_read(main: Path) -> None:
    """Git itself calls that dubious ownership and refuses; here nothing of it is executed."""
    for path in (main, *main.rglob("*")):
        os.chown(path, HIS, -1)
    repository = Repository.find(main, os.environ)
    assert repository is not None
    assert repository.branch() == "main"


def test_where_no_git_is_installed(main: Path) -> None:
    for search in ("", "/nonexistent", "bin:.", str(main)):
        shutil.copy("/bin/true", main / "git")
        with pytest.raises(ToolError, match="no git on PATH"):
            Repository.find(main, {"PATH": search} if search else {"PATH": "."})
