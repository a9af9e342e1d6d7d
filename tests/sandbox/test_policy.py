"""Which paths a permission opens: judged by where they really are."""

from pathlib import Path

import pytest

from kimicode.errors import RefusedError, ToolError, UsageError
from kimicode.sandbox.boundary import Boundary, Limits, Network
from kimicode.sandbox.policy import Permission, Policy, boundary_of


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
def test_read_only_refuses_every_write(workspace: Path, path: str) -> None:
    policy = Policy(Permission.READ_ONLY, workspace)
    assert policy.readable(path)
    with pytest.raises(RefusedError, match="writing is off"):
        policy.writable(path)


UNUSABLE = ["a\0b", "a\nb", "a\rb", "\x1b[31m", "a\u2028b", "loop", "loop/x", "\ud800", "\udcff", "d/" * 2048, "n" * 256, "é" * 128]


@pytest.mark.parametrize("path", UNUSABLE)
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


def test_one_path_opened_outside_opens_nothing_protected_or_hidden(workspace: Path, tmp_path: Path) -> None:
    home = (tmp_path / "outer").resolve()
    policy = Policy(Permission.WORKSPACE, workspace, hidden=(home / ".ssh",), home=home)
    assert policy.can_open(home / "secret", write=False)
    assert policy.opened(home / "secret", write=True).writable("../secret").path == home / "secret"
    for name in (".ssh/id", ".bashrc", ".git/config", ".kimi/x", ".config/git/config"):
        assert not policy.can_open(home / name, write=True)
    assert not policy.can_open(home / ".ssh" / "id", write=False)
    assert not Policy(Permission.READ_ONLY, workspace).can_open(home / "secret", write=True)
    assert policy.real("out/secret") == home / "secret"


MAGIC = [
    "/proc/self/root/etc/passwd",
    "/proc/self/root/{ws}/src/a",
    "/proc/self/cwd/src/a",
    "/proc/self/fd/1",
    "/proc/1/root/etc/passwd",
    "/proc/thread-self/root",
    "/proc/self/task/1/root/etc",
    "//proc//self/./fd/../fd/1",
    "../../../../../../../../../../../../proc/self/root",
    "/dev/fd/1",
    "/dev/stdout",
]


@pytest.mark.parametrize("permission", Permission)
@pytest.mark.parametrize("path", MAGIC)
def test_parts_of_a_process_are_no_files(workspace: Path, path: str, permission: Permission) -> None:
    policy = Policy(permission, workspace)
    asks = [policy.readable] if permission is Permission.READ_ONLY else [policy.readable, policy.writable]
    for ask in asks:
        with pytest.raises(RefusedError, match="part of a running process"):
            ask(path.format(ws=str(workspace).lstrip("/")))


PROTECTED = [
    (".kimi/settings.json", "agents and editors"),
    ("sub/.claude/hooks.json", "agents and editors"),
    (".VSCODE/tasks.json", "agents and editors"),
    (".mcp.json", "agents and editors"),
    (".envrc", "direnv"),
    (".g\u0131t/config", "git's own files"),
    (".git\u200c/config", "git's own files"),
    ("me/.bashrc", "start-up files"),
    ("me/.config/fish/config.fish", "start-up files"),
    ("store/config", "a repository's own files"),
]


@pytest.mark.parametrize(("path", "reason"), PROTECTED)
def test_protected_paths_are_readable_and_say_why_they_are_not_writable(workspace: Path, path: str, reason: str) -> None:
    policy = Policy(Permission.WORKSPACE, workspace, home=workspace / "me", protected=(workspace.resolve() / "store",))
    assert policy.readable(path).path == workspace.resolve() / path
    with pytest.raises(RefusedError, match=reason) as caught:
        policy.writable(path)
    assert "--permission full" in caught.value.hint
    assert Policy(Permission.FULL, workspace, home=workspace / "me").writable(path)


@pytest.mark.parametrize("path", [".env", "conftest.py", ".gitattributes", "you/.bashrc", ".bashrc", "-rf", "store2", "me/project/x"])
def test_legitimate_work_is_open(workspace: Path, path: str) -> None:
    policy = Policy(Permission.WORKSPACE, workspace, home=workspace / "me", protected=(workspace.resolve() / "store",))
    assert policy.writable(path).path == workspace.resolve() / path


def test_hidden_paths_are_refused_even_in_the_workspace(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".ssh").mkdir()
    (workspace / "keys").symlink_to(".ssh")
    hidden = (workspace.resolve() / ".ssh", tmp_path / "outer" / "ws2")
    for permission in (Permission.READ_ONLY, Permission.WORKSPACE):
        policy = Policy(permission, workspace, (tmp_path / "outer",), hidden=hidden)
        for path in (".ssh", ".ssh/id", ".SSH/id", "keys/id", "../ws2", "../ws2/x"):
            with pytest.raises(RefusedError, match="holds secrets"):
                policy.readable(path)
        assert policy.readable("../secret")
        assert policy.readable(".sshx")
        assert policy.hidden_below(workspace.resolve()) == (workspace.resolve() / ".ssh",)
    with pytest.raises(RefusedError, match="holds secrets"):
        Policy(Permission.WORKSPACE, workspace, hidden=hidden).writable("keys/id")
    full = Policy(Permission.FULL, workspace, hidden=hidden)
    assert full.readable(".ssh/id")
    assert full.hidden_below(workspace.resolve()) == ()


def test_folders_that_the_user_opened(workspace: Path, tmp_path: Path) -> None:
    policy = Policy(Permission.WORKSPACE, workspace, also_writable=(tmp_path / "outer" / "ws2",))
    assert policy.writable("../ws2/x").root == policy.readable("../ws2/x").root == (tmp_path / "outer" / "ws2").resolve()
    with pytest.raises(RefusedError, match="git's own files"):
        policy.writable("../ws2/.git/config")
    with pytest.raises(RefusedError, match="outside"):
        policy.writable("../ws3/x")
    with pytest.raises(RefusedError, match="writing is off"):
        Policy(Permission.READ_ONLY, workspace, also_writable=(tmp_path / "outer" / "ws2",)).writable("../ws2/x")


def draw(policy: Policy, folder: Path, **more: Path | frozenset[str] | Network) -> Boundary:
    (folder / "tmp").mkdir(exist_ok=True)
    return boundary(policy, folder, **more)


def boundary(policy: Policy, folder: Path, **more: Path | frozenset[str] | Network) -> Boundary:
    return boundary_of(
        policy,
        temporary=folder / "tmp",
        environ={"PATH": "/bin", "MY_TOKEN": "t", "MINE": "1"},
        home=folder / "home",
        kimicode_home=folder / "data",
        limits=Limits(1 << 30),
        **more,  # type: ignore[arg-type]
    )


def test_a_boundary_draws_the_same_lines(workspace: Path, tmp_path: Path) -> None:
    for folder in ("home/.ssh", "data/sessions", "data/scratch/mine", "data/scratch/other"):
        (tmp_path / folder).mkdir(parents=True)
    (workspace / "git").unlink()
    policy = Policy(Permission.WORKSPACE, workspace, (tmp_path / "data/scratch/mine",), also_writable=(tmp_path / "outer/ws2",))
    drawn = draw(policy, tmp_path, network=Network("all"), pass_env=frozenset({"MINE"}))
    assert drawn.writable == (workspace.resolve(), (tmp_path / "outer/ws2").resolve())
    assert {workspace / ".git", workspace / ".kimi", tmp_path / "outer/ws2/.git"} <= set(drawn.protected)
    assert set(drawn.hidden) == {tmp_path / "home/.ssh", tmp_path / "data/sessions", tmp_path / "data/scratch/other"}
    assert (drawn.cwd, drawn.temporary, drawn.network) == (workspace.resolve(), tmp_path / "tmp", Network("all"))
    assert drawn.environ["TMPDIR"] == str(tmp_path / "tmp")
    assert drawn.environ["MINE"] == "1"
    assert "MY_TOKEN" not in drawn.environ
    assert draw(policy, tmp_path, cwd=workspace / "in").cwd == (workspace / "src").resolve()


def test_a_boundary_to_look_and_one_without_lines(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    looking = draw(Policy(Permission.READ_ONLY, workspace), tmp_path)
    assert (looking.writable, looking.protected, looking.hidden) == ((), (), (tmp_path / "home" / ".ssh",))
    full = draw(Policy(Permission.FULL, workspace), tmp_path)
    assert (full.writable, full.protected, full.hidden) == ((Path("/"),), (), ())
    assert "MY_TOKEN" not in full.environ


def test_a_boundary_fails_closed_where_protection_can_not_hold(workspace: Path, tmp_path: Path) -> None:
    (workspace / ".kimi").symlink_to("src")
    with pytest.raises(UsageError, match=r"\.kimi is a symbolic link"):
        draw(Policy(Permission.WORKSPACE, workspace), tmp_path)
    assert draw(Policy(Permission.READ_ONLY, workspace), tmp_path)


def test_a_temporary_folder_that_is_a_link_is_refused_and_one_that_is_missing_is_not(workspace: Path, tmp_path: Path) -> None:
    (workspace / "git").unlink()
    (tmp_path / "tmp").symlink_to("outer")
    with pytest.raises(UsageError, match=r"temporary folder .* is a link"):
        boundary(Policy(Permission.WORKSPACE, workspace), tmp_path)
    (tmp_path / "tmp").unlink()
    assert boundary(Policy(Permission.WORKSPACE, workspace), tmp_path).temporary == tmp_path / "tmp"
    (tmp_path / "tmp").write_text("")
    with pytest.raises(UsageError, match="temporary folder"):
        boundary(Policy(Permission.WORKSPACE, workspace), tmp_path)
