"""Which names nobody but the user changes, in every spelling, and where they lie on the disk; and what is hidden."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import UsageError
from kimicode.sandbox.hidden import hidden_paths
from kimicode.sandbox.protected import AT_ROOT, executable_config, folded, is_protected, protected_paths

SPELLINGS = [
    ".git",
    ".GIT",
    ".Git",
    ".g\u0131t",  # dotless i
    ".G\u0130T",  # I with a dot
    ".git\u200c",
    ".g\u200dit",
    "\ufeff.git",
    ".gi\u00adt",
    ".\uff47\uff49\uff54",  # full width
    ".git\u0301",
    ".git.",
    ".git ",
    ".git. . ",
    ".git::$INDEX_ALLOCATION",
    "GIT~1",
    "\u2024git",  # one dot leader
    ".g\u2071t",  # superscript i
    ".git\ufe0f",
]
PROTECTED = [
    ".git/hooks/pre-commit",
    "sub/.git",
    "a/b/c/d/e/f/.git/config",
    ".kimicode/settings.toml",
    ".kimi/config.toml",
    ".agents/skills/x",
    "packages/x/.claude/settings.json",
    ".codex/config.toml",
    ".cursor/mcp.json",
    ".CURSOR/mcp.json",
    ".gemini/settings.json",
    ".mcp.json",
    ".vscode/tasks.json",
    ".idea/workspace.xml",
    ".envrc",
    "sub/.envrc",
    ".K\u0131M\u0131/x",
    ".\u212aimi/x",  # the Kelvin sign is a K
    ".claude\u0301/x",
]
FREE = [
    ".gitignore",
    ".gitattributes",
    ".gitmodules",
    ".github/workflows/ci.yml",
    "git",
    "a.git",
    ".gitx",
    "src/git/x.py",
    ".env",
    ".bashrc",
    ".ssh/config",
    "kimi/x",
    ".kimikaze",
    ".",
    "..a",
    "...",
    "\u200c",
    ".vscode-test/x",
    "mcp.json",
]
IN_HOME = [".bashrc", ".profile", ".zshrc", ".ZSHENV", ".gitconfig", ".config/fish/config.fish", ".config/git/config", ".ssh/rc", ".netrc"]
RUN_IMPLICITLY = [
    "conftest.py",
    "tests/conftest.py",
    ".pre-commit-config.yaml",
    ".gitattributes",
    "Makefile",
    "sub/package.json",
    "setup.py",
    ".github/workflows/ci.yml",
    "x.pth",
    "vite.config.ts",
    "AGENTS.md",
    "build.rs",
    "Dockerfile.dev",
]
NOT_RUN = ["main.py", "README.md", "src/config.py", "test_x.py", "package.json.md", "makefile.txt"]


def parts(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_git(name: str) -> None:
    for path in ((name,), ("sub", name, "config")):
        assert is_protected(path) == "git's own files are protected"


@pytest.mark.parametrize("path", PROTECTED)
def test_protected(path: str) -> None:
    assert is_protected(parts(path))
    assert is_protected(parts(unicodedata.normalize("NFD", path)))


@pytest.mark.parametrize("path", FREE)
def test_free(path: str) -> None:
    assert is_protected(parts(path)) is None


@pytest.mark.parametrize("path", IN_HOME)
def test_home_files_are_protected_where_the_home_folder_is(path: str) -> None:
    assert is_protected(parts(path), ()) is not None
    assert is_protected(("home", "me", *parts(path)), ("home", "me")) is not None
    assert is_protected(("home", "you", *parts(path)), ("home", "me")) is None
    assert is_protected(parts(path)) is None
    assert is_protected(("home", "me"), ("home", "me")) is None


@given(st.text(max_size=12))
def test_folding_is_stable(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert folded(name.upper()) == folded(name.upper().lower())


@given(st.lists(st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u0301\u202e"), max_size=4), st.integers(0, 4), st.booleans())
def test_invisible_characters_change_nothing(invisible: list[str], at: int, upper: bool) -> None:
    name = ".GIT" if upper else ".git"
    assert is_protected((name[:at] + "".join(invisible) + name[at:],))


@pytest.mark.parametrize("path", RUN_IMPLICITLY)
def test_executable_configuration(path: str) -> None:
    assert executable_config(parts(path))


@pytest.mark.parametrize("path", NOT_RUN)
def test_no_executable_configuration(path: str) -> None:
    assert not executable_config(parts(path))
    assert not executable_config(())


def test_paths_at_the_root_even_where_missing(tmp_path: Path) -> None:
    assert set(protected_paths(tmp_path, None)) == {tmp_path / name for name in AT_ROOT}


def test_the_home_folder_in_the_workspace(tmp_path: Path) -> None:
    home = tmp_path / "me"
    home.mkdir()
    found = protected_paths(tmp_path, home)
    assert {home / ".bashrc", home / ".config", home / ".ssh"} <= set(found)
    assert not any(path.name == ".bashrc" for path in protected_paths(home / "project", home))


def test_nested_metadata_is_found(tmp_path: Path) -> None:
    wanted = [tmp_path / "a" / ".git", tmp_path / "a" / "b" / "c" / ".git", tmp_path / "x" / ".claude", tmp_path / "x" / ".GIT"]
    passed_over = [tmp_path / "node_modules" / "p" / ".git", tmp_path / "a" / ".git" / "x" / ".git", tmp_path / "1/2/3/4/.git"]
    for folder in [*wanted, *passed_over]:
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    found = set(protected_paths(tmp_path, None)) - {tmp_path / name for name in AT_ROOT}
    assert found == set(wanted)


def test_the_search_is_bounded(tmp_path: Path) -> None:
    for number in range(5_000):
        (tmp_path / f"d{number:04}").mkdir()
    (tmp_path / "d4999" / ".git").mkdir()
    assert len(protected_paths(tmp_path, None)) == len(AT_ROOT)


def test_the_real_folder_behind_a_pointer(tmp_path: Path) -> None:
    workspace, main = tmp_path / "ws", tmp_path / "main"
    real = main / ".git" / "worktrees" / "ws"
    real.mkdir(parents=True)
    (real / "commondir").write_text("../..\n")
    workspace.mkdir()
    (workspace / ".git").write_text(f"gitdir: {real}\n")
    (workspace / "sub").mkdir()
    (workspace / "sub" / ".git").write_text("gitdir: ../elsewhere/store\n")
    (workspace / "elsewhere" / "store").mkdir(parents=True)
    found = protected_paths(workspace, None)
    assert workspace / "elsewhere" / "store" in found
    assert main / ".git" not in found
    assert {real, main / ".git"} <= set(protected_paths(workspace, None, within=(main,)))


@pytest.mark.parametrize("content", [b"", b"gitdir:", b"\xff\xfe\0", b"gitdir: \0x", b"x" * 100_000, b"gitdir: .git"])
def test_a_broken_pointer_is_still_protected(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)
    assert tmp_path / ".git" in protected_paths(tmp_path, None)


def test_a_fifo_as_pointer_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".git")
    assert tmp_path / ".git" in protected_paths(tmp_path, None)


@pytest.mark.parametrize("name", [".kimi", ".git", ".mcp.json"])
def test_a_link_at_the_root_fails_closed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("elsewhere")
    with pytest.raises(UsageError, match=f"{name} is a symbolic link") as caught:
        protected_paths(tmp_path, None)
    assert "--permission full" in caught.value.hint


def test_hidden_paths_are_those_that_exist(tmp_path: Path) -> None:
    home, data = tmp_path / "home", tmp_path / "home" / ".local" / "share" / "kimicode"
    for folder in (home / ".ssh", home / ".config" / "gh", home / ".config" / "kimicode", home / ".config" / "Bitwarden CLI"):
        folder.mkdir(parents=True)
    (home / ".netrc").write_text("machine x")
    for name in ("sessions", "blobs", "scratch/other", "scratch/mine", "scratch/mine2"):
        (data / name).mkdir(parents=True)
    named = tmp_path / "creds.json"
    named.write_text("{}")
    found = hidden_paths(home, {"GOOGLE_APPLICATION_CREDENTIALS": str(named)}, data, own=(data / "scratch" / "mine",))
    assert set(found) == {
        home / ".ssh",
        home / ".netrc",
        home / ".config" / "gh",
        home / ".config" / "kimicode",
        home / ".config" / "Bitwarden CLI",
        data / "sessions",
        data / "blobs",
        data / "scratch" / "other",
        data / "scratch" / "mine2",
        named,
    }


def test_keys_beside_settings_that_lie_elsewhere_are_hidden(tmp_path: Path) -> None:
    for name in ("mine.toml", "keys.toml", "notes.txt"):
        (tmp_path / name).write_text("")
    found = hidden_paths(tmp_path / "home", {"KIMICODE_CONFIG": str(tmp_path / "mine.toml")}, tmp_path / "data")
    assert set(found) == {tmp_path / "mine.toml", tmp_path / "keys.toml"}


def test_links_to_secrets_are_resolved_and_nothing_is_listed_twice(tmp_path: Path) -> None:
    (tmp_path / "vault" / "ssh").mkdir(parents=True)
    (tmp_path / ".ssh").symlink_to("vault/ssh")
    (tmp_path / ".config" / "kimicode").mkdir(parents=True)
    environ = {"KIMICODE_CONFIG": str(tmp_path / ".config" / "kimicode" / "settings.toml")}
    (tmp_path / ".config" / "kimicode" / "settings.toml").write_text("")
    assert hidden_paths(tmp_path, environ, tmp_path / "none") == (tmp_path / ".config" / "kimicode", tmp_path / "vault" / "ssh")


def test_the_workspace_itself_is_never_hidden(tmp_path: Path) -> None:
    workspace = tmp_path / ".kimi" / "worktrees" / "x"
    workspace.mkdir(parents=True)
    assert hidden_paths(tmp_path, {}, tmp_path / "data", own=(workspace,)) == ()
    # A data folder that holds the home folder too is not kimicode's own.
    assert hidden_paths(tmp_path / "home", {}, tmp_path) == ()
