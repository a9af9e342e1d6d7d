"""What a repository answers: right, whole, for any name, and within its limits."""

import os
import subprocess
from pathlib import Path

import pytest

from kimicode.errors import ToolError
from kimicode.repo.git import Repository
from kimicode.repo.git_parse import Entry
from kimicode.repo.git_run import Bounds

ODD = [b"a b", b"tab\there", b"line\nend", b'"quoted"', b"-n", b"--output=x", b"\xff\xfe", "ünï".encode(), b":(glob)*", b"* * *"]


class Work:
    """A folder with a repository, and plain git to change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder.parent)}
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ännie")
        self.git("config", "user.email", "a@example.org")

    def git(self, *arguments: str | bytes, index: Path | None = None, check: bool = True) -> str:
        environ = self.environ if index is None else {**self.environ, "GIT_INDEX_FILE": str(index)}
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=environ, check=check, capture_output=True)
        return done.stdout.decode().strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def commit(self, message: str = "m", **files: str) -> str:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    @property
    def repository(self) -> Repository:
        found = Repository.find(self.folder, self.environ)
        assert found is not None
        return found


@pytest.fixture
def work(tmp_path: Path) -> Work:
    (tmp_path / "work").mkdir()
    return Work(tmp_path / "work")


def test_before_the_first_commit(work: Work) -> None:
    repository = work.repository
    assert repository.head() is None
    assert repository.branch() == "main"
    assert repository.log(5) == ()
    assert repository.status() == ()
    work.write(a="1\n")
    work.git("add", "a")
    assert [(entry.path, entry.staged) for entry in repository.status()] == [("a", "A")]
    assert b"+1\n" in repository.diff(staged=True)
    with pytest.raises(ToolError, match="no revision 'HEAD"):
        repository.diff("HEAD")


def test_head_and_branch(work: Work) -> None:
    oid = work.commit(a="1\n")
    assert work.repository.head() == oid
    work.git("checkout", "-q", "-b", "feature/x")
    assert work.repository.branch() == "feature/x"
    work.git("checkout", "-q", "--detach")
    assert work.repository.branch() is None
    assert work.repository.head() == oid


def test_status(work: Work) -> None:
    work.commit(kept="k\n", changed="1\n", gone="g\n", old="a long enough line to be found again\n" * 5, both="1\n")
    work.write(changed="2\n", new="n\n", both="2\n", ignored="i\n")
    work.write(**{".gitignore": "ignored\n"})
    (work.folder / "gone").unlink()
    work.git("mv", "old", "moved")
    work.git("add", "both")
    work.write(both="3\n")
    (work.folder / "folder").mkdir()
    (work.folder / "folder" / "inner").write_text("x")
    found = {entry.path: (entry.staged, entry.unstaged, entry.origin) for entry in work.repository.status(ignored=True)}
    assert found == {
        "changed": (".", "M", ""),
        "gone": (".", "D", ""),
        "moved": ("R", ".", "old"),
        "both": ("M", "M", ""),
        "new": ("?", "?", ""),
        ".gitignore": ("?", "?", ""),
        "folder/inner": ("?", "?", ""),
        "ignored": ("!", "!", ""),
    }
    assert {entry.path for entry in work.repository.status(untracked=False)} == {"changed", "gone", "moved", "both"}


def test_conflicts(work: Work) -> None:
    work.commit(a="1\n", b="1\n")
    work.git("checkout", "-q", "-b", "other")
    work.commit(a="2\n", b="1\n", c="x\n")
    work.git("rm", "-q", "b")
    work.commit()
    work.git("checkout", "-q", "main")
    work.commit(a="3\n", b="2\n", c="y\n")
    work.git("merge", "other", check=False)
    entries = work.repository.status()
    assert {entry.path: (entry.staged, entry.unstaged) for entry in entries} == {"a": ("U", "U"), "b": ("U", "D"), "c": ("A", "A")}
    assert all(entry.conflicted for entry in entries)
    assert {file.stage for file in work.repository.ls_files(["a"])} == {1, 2, 3}
    assert not Entry("x", "M", "M").conflicted


def test_any_name(work: Work) -> None:
    work.commit()
    for name in ODD:
        Path(os.fsdecode(os.fsencode(work.folder) + b"/" + name)).write_text("1\n")
    repository = work.repository
    names = {os.fsdecode(name) for name in ODD}
    assert {entry.path for entry in repository.status()} == names
    work.git("add", "-A")
    files = repository.ls_files()
    assert {file.path for file in files} == names
    assert repository.blobs(file.oid for file in files) == {files[0].oid: b"1\n"}
    for name in names:
        assert [file.path for file in repository.ls_files([name])] == [name]
        assert repository.diff(staged=True, paths=[name]).count(b"diff --git ") == 1
    assert not (work.folder / "x").exists()


def test_differences(work: Work) -> None:
    first = work.commit(a="1\n", b="1\n")
    work.commit(a="2\n")
    work.write(a="3\n")
    work.git("add", "a")
    work.write(a="4\n")
    repository = work.repository
    assert b"-3\n+4\n" in repository.diff()
    assert b"-2\n+3\n" in repository.diff(staged=True)
    assert b"-2\n+4\n" in repository.diff("HEAD")
    assert b"-1\n+4\n" in repository.diff(first)
    assert b"-1\n+3\n" in repository.diff(first, staged=True)
    assert repository.diff(paths=["b"]) == b""


def test_a_difference_has_one_form_whatever_the_user_configured(work: Work) -> None:
    work.commit(a="".join(f"{number}\n" for number in range(20)), z="1\n")
    work.write(a="".join(f"{number}\n" for number in range(20) if number != 10), z="2\n")
    expected = work.repository.diff()
    order = work.folder.parent / "order"
    order.write_text("z\na\n")
    for name, value in {
        "diff.noprefix": "true", "diff.mnemonicPrefix": "true", "diff.context": "0", "diff.orderFile": str(order), "color.ui": "always",
        "color.diff": "always", "diff.relative": "true", "diff.algorithm": "patience", "diff.interHunkContext": "9", "core.abbrev": "4",
        "diff.suppressBlankEmpty": "true", "diff.wordRegex": ".", "diff.colorMoved": "zebra", "core.quotePath": "true",
    }.items():  # fmt: skip
        work.git("config", "--global", name, value)
        assert work.repository.diff() == expected, name
    assert expected.startswith(b"diff --git a/a b/a\n")


def test_a_file_whose_time_alone_changed_is_in_no_difference(work: Work) -> None:
    work.commit(a="1\n", b="1\n", empty="")
    os.utime(work.folder / "a", (1, 1))
    index = (work.folder / ".git" / "index").read_bytes()
    assert work.repository.diff() == b""
    assert work.repository.status() == ()
    work.write(b="2\n")
    (work.folder / "empty").chmod(0o755)
    diff = work.repository.diff()
    assert diff.count(b"diff --git ") == 2
    assert b"new mode 100755" in diff
    assert (work.folder / ".git" / "index").read_bytes() == index


def test_while_somebody_else_holds_the_index(work: Work) -> None:
    work.commit(a="1\n")
    work.write(a="2\n")
    (work.folder / ".git" / "index.lock").write_text("theirs")
    repository = work.repository
    assert [entry.path for entry in repository.status()] == ["a"]
    assert b"+2\n" in repository.diff()
    assert [file.path for file in repository.ls_files()] == ["a"]
    assert (work.folder / ".git" / "index.lock").read_text() == "theirs"


def test_binary_and_carriage_returns(work: Work) -> None:
    work.commit()
    data = bytes(range(256)) * 300 + b"\r\n"
    (work.folder / "a").write_bytes(data)
    work.git("config", "core.autocrlf", "true")
    work.git("-c", "core.autocrlf=false", "add", "a")
    repository = work.repository
    assert repository.blob(repository.resolve(":a")) == data
    assert b"Binary files" in repository.diff(staged=True)


def test_many_objects_at_once(work: Work) -> None:
    work.commit(**{f"f{number}": f"{number}\n" * number for number in range(500)})
    repository = work.repository
    files = repository.ls_files()
    contents = repository.blobs(file.oid for file in files)
    assert all(contents[file.oid] == f"{file.path[1:]}\n".encode() * int(file.path[1:]) for file in files)
    assert repository.blobs(()) == {}


def test_history(work: Work) -> None:
    first = work.commit("one", a="1\n")
    second = work.commit("two\n\nwith a body — ünï\n", b="1\n")
    work.git("checkout", "-q", "-b", "side", first)
    third = work.commit("three", c="1\n")
    repository = work.repository
    newest, oldest = repository.log(9, revision="main")
    assert (newest.oid, newest.parents, newest.author, newest.email) == (second, (first,), "Ännie", "a@example.org")
    assert newest.message == "two\n\nwith a body — ünï\n"
    assert oldest.parents == ()
    assert oldest.time > 1_500_000_000
    assert [commit.oid for commit in repository.log(1)] == [third]
    assert [commit.oid for commit in repository.log(9, revision="main", paths=["a"])] == [first]
    assert repository.merge_base("main", "side") == first
    work.git("checkout", "-q", "--orphan", "alone")
    work.commit("four")
    assert repository.merge_base("main", "alone") is None


def test_revisions(work: Work) -> None:
    oid = work.commit(a="1\n")
    work.git("tag", "-a", "v1", "-m", "x")
    repository = work.repository
    assert repository.commit("v1") == repository.resolve("HEAD") == repository.resolve(oid[:8]) == oid
    assert repository.resolve("v1") != oid
    assert repository.blob(repository.resolve("v1:a")) == b"1\n"


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "-h",
        "--all",
        "--output=x",
        "--git-dir=/",
        "^HEAD",
        "HEAD..HEAD",
        "HEAD...HEAD",
        "HEAD\n",
        "HEAD\0",
        "nope",
        "HEAD:nope",
        "0" * 40,
        " ",
    ],
)
def test_what_is_no_revision_is_an_error_and_never_an_option(work: Work, revision: str) -> None:
    work.commit(a="1\n")
    repository = work.repository
    asks = [repository.resolve, repository.commit, repository.diff, lambda it: repository.blame("a", revision=it)]
    # Of the past, a range may be asked.
    for ask in asks if ".." in revision else [*asks, lambda it: repository.log(1, revision=it)]:
        with pytest.raises(ToolError, match="revision"):
            ask(revision)
    assert not (work.folder / "x").exists()


@pytest.mark.parametrize("revision", ["--all..HEAD", "HEAD..--output=x", "HEAD..HEAD..HEAD", "HEAD....HEAD", "^HEAD..HEAD", "nope..HEAD"])
def test_what_is_no_range_is_an_error_and_never_an_option(work: Work, revision: str) -> None:
    work.commit(a="1\n")
    with pytest.raises(ToolError, match="revision"):
        work.repository.log(1, revision=revision)
    assert not (work.folder / "x").exists()


@pytest.mark.parametrize("oid", ["", "HEAD", "--batch-all-objects", "0" * 39, "g" * 40, "a" * 40 + "\n", "A" * 40])
def test_what_is_no_object_name_is_an_error(work: Work, oid: str) -> None:
    work.commit()
    with pytest.raises(ToolError, match="no name of an object"):
        work.repository.blob(oid)


def test_an_object_that_is_missing_or_no_file(work: Work) -> None:
    oid = work.commit()
    for name in ("a" * 40, oid):
        with pytest.raises(ToolError, match="is no file object"):
            work.repository.blob(name)


def test_the_index_of_a_hook_where_it_is_asked_for(work: Work) -> None:
    work.commit(a="1\n")
    other = work.folder.parent / "index"
    work.write(a="2\n")
    work.git("read-tree", "HEAD", index=other)
    work.git("add", "a", index=other)
    hooked = Repository.find(work.folder, work.environ, index=other)
    assert hooked is not None
    assert b"+2\n" in hooked.diff(staged=True)
    assert work.repository.diff(staged=True) == b""


def test_the_first_line_of_gits_complaint(work: Work) -> None:
    work.commit(a="1\n")
    (work.folder / ".git" / "config").write_text("[core\nbroken")
    with pytest.raises(ToolError, match=r"git config failed in .*: bad config line 1 in file"):
        work.repository.status()


def scripted(work: Work, name: str, script: str) -> Repository:
    """A repository whose git is a script; where it knows no better, it is the real one."""
    tools = work.folder.parent / name
    tools.mkdir()
    (tools / "git").write_text(f'#!/bin/sh\ncase "$*" in\n{script}\n*) exec {_real_git()} "$@" ;;\nesac\n')
    (tools / "git").chmod(0o755)
    found = Repository.find(work.folder, {**work.environ, "PATH": str(tools)}, bounds=Bounds(seconds=2.0, output=100_000))
    assert found is not None
    return found


def _real_git() -> str:
    return subprocess.run(["sh", "-c", "command -v git"], check=True, capture_output=True, text=True).stdout.strip()


def test_a_git_that_takes_too_long_is_ended(work: Work) -> None:
    work.commit()
    repository = scripted(work, "slow", "*status*) exec sleep 600 ;;")
    with pytest.raises(ToolError, match="took longer than 2 s"):
        repository.status()


def test_a_git_that_closes_its_output_and_stays_is_ended(work: Work) -> None:
    work.commit()
    repository = scripted(work, "quiet", "*status*) exec sleep 600 >/dev/null 2>&1 ;;")
    with pytest.raises(ToolError, match="took longer than 2 s"):
        repository.status()


def test_too_much_output_is_cut_off(work: Work) -> None:
    work.commit()
    repository = scripted(work, "loud", "*status*) exec yes ;;\n*ls-files*) exec yes >&2 ;;")
    with pytest.raises(ToolError, match="wrote more than 100,000 bytes"):
        repository.status()
    with pytest.raises(ToolError, match="took longer than 2 s"):
        repository.ls_files()
    work.commit(big="x" * 200_000)
    with pytest.raises(ToolError, match="wrote more than 100,000 bytes"):
        repository.blob(repository.resolve("HEAD:big"))


def test_a_git_too_old_for_the_guard_is_refused(work: Work) -> None:
    work.commit()
    repository = scripted(work, "old", "*config*) unset GIT_CONFIG_COUNT ;;\n esac\n case $* in xx) ;;")
    with pytest.raises(ToolError, match="too old"):
        repository.status()


def test_a_git_that_starts_the_real_one_as_another_process_works(work: Work) -> None:
    oid = work.commit()
    repository = scripted(work, "wrapped", f'*) {_real_git()} "$@"; exit $? ;;')
    assert repository.head() == oid
