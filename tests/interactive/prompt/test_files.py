"""The paths of a workspace: what git does not ignore, with folders; without git, what ripgrep lists."""

import os
import subprocess
from pathlib import Path

import pytest

from kimicode.errors import ToolError
from kimicode.interactive.prompt.files import MOST, Listed, WorkspaceFiles, candidates, list_files


def made(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x\n")


def git(root: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", str(root), "-c", "user.name=Ada", "-c", "user.email=ada@example.org", *words], check=True, capture_output=True
    )


@pytest.fixture
def environ(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ["PATH"], "HOME": str(home)}


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "repo"
    root.mkdir()
    git(root, "init", "-q")
    made(root, "src/main.py", "src/deep/er/x.py", "build/out.o", "notes.md", "kept.log")
    (root / ".gitignore").write_text("build/\n*.log\n")
    git(root, "add", "src/main.py", ".gitignore")
    git(root, "add", "-f", "kept.log")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_git_says_which_files_there_are(repository, environ):
    listed = list_files(repository, environ)
    assert set(listed.files) == {".gitignore", "src/main.py", "src/deep/er/x.py", "notes.md", "kept.log"}
    (repository / "src/main.py").write_text("changed\n")
    assert set(list_files(repository, environ).changed) == {"src/main.py", "src/deep/er/x.py", "notes.md"}


def test_a_folder_of_a_repository_is_a_workspace(repository, environ):
    assert set(list_files(repository / "src", environ).files) == {"main.py", "deep/er/x.py"}


def test_an_ignored_folder_has_rules_of_its_own(repository, environ):
    assert list_files(repository / "build", environ).files == ("out.o",)


def test_without_git_ignore_rules_hold_too(tmp_path, environ):
    root = tmp_path / "plain"
    made(root, "a.py", "b/c.py", "d.log")
    (root / ".gitignore").write_text("*.log\n")
    assert set(list_files(root, environ).files) == {"a.py", "b/c.py", ".gitignore"}


def test_folders_are_candidates_and_names_that_cannot_be_typed_are_not():
    files = ["a/b/c.py", "a/d.py", "bad\udcff.py", "line\nend.py", "tab\t.py", "日本/語.md"]
    assert candidates(files) == ("a/", "a/b/", "a/b/c.py", "a/d.py", "日本/", "日本/語.md")


def test_bytes_that_are_no_text_never_crash(repository, environ):
    Path(os.fsdecode(os.fsencode(repository) + b"/\xff\xfe.txt")).write_text("x")
    files = WorkspaceFiles(lambda: list_files(repository, environ))
    files.refresh()
    found = files.search("txt")
    assert found == ()


def test_files_are_listed_when_it_is_time_to():
    listings = iter([Listed(("a.py",)), Listed(("a.py", "b.py")), Listed(("a.py", "b.py"))])
    files = WorkspaceFiles(lambda: next(listings))
    assert files.stale
    assert files.search("b") == ()
    assert files.refresh()
    assert not files.refresh()
    files.expire()
    assert files.refresh()
    assert files.count == 2
    files.expire()
    assert not files.refresh()


def test_what_was_used_or_changed_ranks_first():
    files = WorkspaceFiles(lambda: Listed(tuple(f"m{number}.py" for number in range(9)), ("m7.py",)))
    files.use("m8.py")
    files.refresh()
    found = files.search("")
    assert found is not None
    assert [each.path for each in found][:2] == ["m8.py", "m7.py"]
    assert [each.path for each in files.search("./m7") or ()] == ["m7.py"]


def test_a_listing_that_fails_leaves_the_last_one_and_says_why():
    def failing() -> Listed:
        raise ToolError("rg is not installed")

    files = WorkspaceFiles(failing)
    assert not files.refresh()
    assert "rg is not installed" in files.notice
    assert not files.stale


def test_there_is_a_limit_and_it_is_told():
    files = WorkspaceFiles(lambda: Listed(tuple(map(str, range(MOST + 1)))))
    files.refresh()
    assert files.count == MOST
    assert "500,001" in files.notice
