"""What a repository writes: commits, notes, and the name of a tree that is not written at all."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.errors import RefusedError, ToolError
from kimicode.repo.git import Repository
from kimicode.repo.git_commit import Obstacles, with_trailers
from kimicode.repo.git_diff import split_diff
from kimicode.repo.git_known import Known
from kimicode.repo.git_outgoing import notes_on
from kimicode.repo.git_parse import Touched

NOTES = "refs/notes/kimicode"
ODD = ["a b", "tab\there", "line\nend", '"quoted"', "-n", "--all", "\udcff", "ünï", ":(glob)*", "*", "back\\slash"]


class Work:
    """A repository of somebody with a name, and plain git to change it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        (folder / ".gitconfig").write_text("[user]\nname = Ann\nemail = ann@example.org\n[init]\ndefaultBranch = main\n")
        self.git("init", "-q")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, env=self.environ, check=True, capture_output=True)
        return os.fsdecode(done.stdout).removesuffix("\n")

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.folder / name).write_text(text)

    def commit(self, message: str = "m", **files: str) -> str:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def hook(self, name: str, script: str = "exit 0") -> Path:
        path = self.folder / ".git/hooks" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    @property
    def state(self) -> dict[str, tuple[int, int]]:
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_ino) for path in (self.folder / ".git").rglob("*")}

    @property
    def repository(self) -> Repository:
        found = Repository.find(self.folder, self.environ)
        assert found is not None
        return found


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path.resolve())


# The tree of the index.


def test_the_tree_of_the_index_is_named_and_not_written(work: Work) -> None:
    assert work.repository.write_tree() == work.git("hash-object", "-t", "tree", "/dev/null")
    work.commit(a="1\n")
    (work.folder / "sub").mkdir()
    (work.folder / "sub/b").write_text("new\n")
    work.git("add", ".")
    work.write(a="not staged\n")
    (work.folder / ".git/index.lock").write_text("theirs")
    before, temporary = work.state, set(Path("/tmp").glob("kimicode-tree-*"))
    tree = work.repository.write_tree()
    assert work.state == before
    assert set(Path("/tmp").glob("kimicode-tree-*")) <= temporary
    (work.folder / ".git/index.lock").unlink()
    assert tree == work.git("write-tree")
    work.git("update-index", "--split-index")
    assert tree == work.repository.write_tree()


def test_the_tree_of_another_index_and_of_a_worktree(work: Work, tmp_path: Path) -> None:
    work.commit(a="1\n")
    tree = work.repository.write_tree()
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked/a").write_text("2\n")
    subprocess.run(["git", "add", "a"], cwd=tmp_path / "linked", env=work.environ, check=True)
    linked = Repository.find(tmp_path / "linked", work.environ)
    assert linked is not None
    assert linked.write_tree() != tree == work.repository.write_tree()
    hooked = Repository.find(work.folder, work.environ, index=linked.layout.git_dir / "index")
    assert hooked is not None
    assert hooked.write_tree() == linked.write_tree()


def test_conflicts_have_no_tree(work: Work) -> None:
    work.commit(a="1\n")
    work.git("checkout", "-qb", "other")
    work.commit(a="2\n")
    work.git("checkout", "-q", "main")
    work.commit(a="3\n")
    subprocess.run(["git", "merge", "other"], cwd=work.folder, env=work.environ, check=False, capture_output=True)
    with pytest.raises(ToolError, match="git write-tree failed"):
        work.repository.write_tree()


@pytest.mark.parametrize("kind", ["sha1", "sha256"])
def test_any_folder_and_any_kind_of_names(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / 'a:"b\\c'
    folder.mkdir()
    work = Work(folder)
    work.git("init", "-q", f"--object-format={kind}", "repo")
    work.folder = work.folder / "repo"
    work.commit(a="1\n")
    assert work.repository.write_tree() == work.git("rev-parse", "HEAD^{tree}")
    assert work.repository.sha256() == (kind == "sha256")
    (commit,) = work.repository.log(1)
    assert b"+1\n" in work.repository.diff_trees(work.repository.parent(commit), commit.oid)


# Notes.


def note(repository: Repository, revision: str, ref: str = NOTES) -> str | None:
    commit = repository.commit(revision)
    return notes_on(repository, ref, (commit,)).get(commit)


def test_notes_are_kept_byte_by_byte(work: Work) -> None:
    oid = work.commit()
    repository = work.repository
    assert note(repository, oid) is None
    for text in ("one\n\n\n# two  \n", "", "\udcff ünï", '{"v": 1}'):
        repository.notes_add(NOTES, "HEAD", text)
        assert note(repository, oid) == text
    assert note(repository, oid, "refs/notes/other") is None
    assert work.git("log", "-1", "--format=%an", NOTES) == "kimicode"


def test_notes_need_no_name_of_the_user(work: Work) -> None:
    work.commit()
    (work.folder.parent / ".gitconfig").write_text("[user]\nuseConfigOnly = true\n")
    work.repository.notes_add(NOTES, "HEAD", "x")
    assert note(work.repository, "HEAD") == "x"
    with pytest.raises(ToolError, match="git does not know who commits"):
        work.repository.identity()


def test_notes_that_are_added_at_once_are_all_kept(work: Work) -> None:
    commits = [work.commit(str(number)) for number in range(8)]
    repositories = [work.repository for _ in commits]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda pair: pair[0].notes_add(NOTES, pair[1], pair[1]), zip(repositories, commits, strict=True)))
    assert [note(work.repository, oid) for oid in commits] == commits


@pytest.mark.parametrize(
    "ref", ["", "kimicode", "refs/heads/main", "refs/notes/", "refs/notes/../heads/main", "refs/notes/-x", "--ref", "refs/notes/a b"]
)
def test_notes_go_to_references_of_notes_alone(work: Work, ref: str) -> None:
    work.commit()
    for ask in (lambda: work.repository.notes_add(ref, "HEAD", "x"), lambda: note(work.repository, "HEAD", ref)):
        with pytest.raises(ToolError, match="no reference of notes"):
            ask()


# Settings, hooks, attributes.


def test_settings_are_those_of_the_user_and_not_of_the_guard(work: Work) -> None:
    repository = work.repository
    assert repository.config("core.hooksPath") is None
    work.git("config", "--global", "core.hooksPath", "~/hooks")
    work.git("config", "commit.gpgSign", "yes")
    work.git("config", "a.b.c.d", "line\nend ")
    assert repository.config("core.hookspath") == "~/hooks"
    assert repository.config("commit.gpgSign") == "yes"
    assert repository.config("a.b.c.d") == "line\nend "
    assert repository.config("core.pager") is None
    for name in ("", "x", "--list", "core.hooksPath --unset", "core.\n.x"):
        with pytest.raises(ToolError, match="names no setting"):
            repository.config(name)


def test_where_hooks_lie(work: Work, tmp_path: Path) -> None:
    work.commit()
    assert work.repository.hooks_folder() == work.folder / ".git/hooks"
    work.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Repository.find(tmp_path / "linked", work.environ)
    assert linked is not None
    assert linked.hooks_folder() == work.folder / ".git/hooks"
    for value, expected in {".husky": work.folder / ".husky", "~/h": tmp_path.resolve() / "h", "/x/y": Path("/x/y")}.items():
        work.git("config", "core.hooksPath", value)
        assert work.repository.hooks_folder() == expected
    work.git("config", "core.hooksPath", ".husky")
    assert linked.hooks_folder() == (tmp_path / "linked/.husky").resolve()


def test_attributes(work: Work) -> None:
    (work.folder / ".gitattributes").write_text("*.lock linguist-generated\nvendor/** linguist-vendored=true -diff\n* other\n")
    work.git("add", ".")
    (work.folder / ".gitattributes").write_text("")
    names = ("linguist-generated", "linguist-vendored", "diff")
    found = work.repository.attributes(["a.lock", "vendor/x/y", "b", "-n", "li\nne.lock"], names)
    assert found == {
        "a.lock": {"linguist-generated": "set"},
        "vendor/x/y": {"linguist-vendored": "true", "diff": "unset"},
        "b": {},
        "-n": {},
        "li\nne.lock": {"linguist-generated": "set"},
    }
    assert work.repository.attributes(["a.lock"], names, staged=False) == {"a.lock": {}}
    assert work.repository.attributes([], names) == {}
    for wrong in ("--all", "-a", "!x", "a b", ""):
        with pytest.raises(ToolError, match="no name of an attribute"):
            work.repository.attributes(["a"], [wrong])


# The list of what to disarm is kept only while it holds.


def trusting(repository: Repository) -> Repository:
    """One that relies on files however lately they were touched: times of changes can't be set back."""
    return msgspec.structs.replace(repository, known=Known(settled_s=-3600.0))


def test_what_is_set_up_later_is_disarmed_too(work: Work) -> None:
    work.commit(a="1\n")
    (work.folder / ".git/info/attributes").write_text("a filter=late\n")
    repository = trusting(work.repository)
    for file in (work.folder / ".git/config", work.folder.parent / ".gitconfig"):
        repository.status()
        os.utime(work.folder / "a", (2, 2))
        subprocess.run(
            ["git", "config", "--file", str(file), "filter.late.clean", f"touch {work.folder}/sprung; cat"], check=True, env=work.environ
        )
        repository.diff()
        work.write(a="2\n")
        assert repository.diff() != b""
    assert not (work.folder / "sprung").exists()


def counted(work: Work, tmp_path: Path) -> tuple[Repository, Path]:
    """A repository whose git counts its calls."""
    tools = tmp_path / "tools"
    tools.mkdir()
    real = subprocess.run(["sh", "-c", "command -v git"], check=True, capture_output=True, text=True).stdout.strip()
    (tools / "git").write_text(f'#!/bin/sh\necho "$2" >>{tmp_path}/calls\nexec {real} "$@"\n')
    (tools / "git").chmod(0o755)
    repository = Repository.find(work.folder, {**work.environ, "PATH": str(tools)})
    assert repository is not None
    return repository, tmp_path / "calls"


def test_what_was_listed_is_not_listed_again_while_no_file_changes(work: Work, tmp_path: Path) -> None:
    work.commit(a="1\n")
    found, calls = counted(work, tmp_path)
    repository = trusting(found)
    calls.write_text("")
    for _ in range(3):
        assert repository.branch() == "main"
    assert calls.read_text().split() == ["config", "symbolic-ref", "symbolic-ref", "symbolic-ref"]
    work.git("config", "include.path", "other")
    calls.write_text("")
    for _ in range(2):
        repository.branch()
    assert calls.read_text().split() == ["config", "symbolic-ref"] * 2


# Commits.


def test_a_commit_of_what_is_staged(work: Work) -> None:
    work.commit("first", a="1\n", b="1\n")
    work.write(a="2\n", b="2\n")
    work.git("add", "a")
    made = work.repository.make_commit("second: ünï\n\n# no comment\n\n\nbody  \n\n", trailers=["Assisted-by: x", "Assisted-by: x"])
    assert made == work.git("rev-parse", "HEAD")
    assert work.git("log", "-1", "--format=%B").strip() == "second: ünï\n\n# no comment\n\nbody\n\nAssisted-by: x"
    assert work.git("status", "--short") == " M b"
    assert work.git("log", "-1", "--format=%an %ae") == "Ann ann@example.org"
    with pytest.raises(ToolError, match="there is nothing to commit"):
        work.repository.make_commit("third")
    assert work.repository.make_commit("third", tracked=True) == work.git("rev-parse", "HEAD")
    assert work.git("status", "--short") == ""
    with pytest.raises(ToolError, match="no message"):
        work.repository.make_commit(" \n")


def test_the_first_commit_and_a_detached_one(work: Work) -> None:
    work.write(a="1\n")
    first = work.repository.make_commit("first", paths=["a"])
    work.git("checkout", "-q", "--detach")
    work.write(a="2\n")
    second = work.repository.make_commit("second", paths=["a"])
    assert work.git("rev-list", "HEAD").split() == [second, first]
    assert work.git("rev-parse", "main") == first


def test_a_commit_of_files_with_any_names(work: Work) -> None:
    work.commit("first", kept="1\n")
    for name in ODD:
        Path(os.fsdecode(os.fsencode(work.folder)), name).write_text("1\n")
    work.write(kept="2\n")
    repository = work.repository
    made = repository.make_commit("odd", paths=ODD)
    (commit,) = repository.log(1, revision=made, files=True)
    assert set(commit.files) == {Touched("A", name) for name in ODD}
    assert work.git("status", "--short") == " M kept"
    for name in ODD:
        assert [each.subject for each in repository.log(5, paths=[name])] == ["odd"]
        assert [span.oid for span in repository.blame(name)] == [made]
        assert [file.path for file in split_diff(repository.diff_trees("HEAD~1", "HEAD", paths=[name]))] == [name]


def test_a_merge_is_concluded(work: Work) -> None:
    base = work.commit("base", a="1\n")
    work.git("checkout", "-qb", "side")
    side = work.commit("side", a="2\n")
    work.git("checkout", "-q", "main")
    work.commit("main", a="3\n")
    subprocess.run(["git", "merge", "side"], cwd=work.folder, env=work.environ, check=False, capture_output=True)
    repository = work.repository
    assert repository.merging()
    assert repository.prepared_message() == "Merge branch 'side'"
    with pytest.raises(ToolError, match="git commit failed"):
        repository.make_commit("too early")
    work.write(a="4\n")
    work.git("add", "a")
    made = repository.make_commit(repository.prepared_message() or "")
    (commit,) = repository.log(1)
    assert (commit.oid, commit.parents[1], commit.subject) == (made, side, "Merge branch 'side'")
    assert not repository.merging()
    assert repository.prepared_message() is None
    assert [each.subject for each in repository.log(9, skip_merges=True, revision=f"{base}..")] == ["main", "side"]


def test_obstacles(work: Work) -> None:
    work.commit("first", a="1\n")
    repository = work.repository
    assert repository.obstacles(["a"]) == Obstacles()
    work.hook("pre-commit", f"touch {work.folder}/ran")
    work.hook("commit-msg").chmod(0o644)
    work.hook("pre-push")
    assert repository.obstacles().hooks == ("pre-commit",)
    work.git("config", "core.hooksPath", "nowhere")
    work.git("config", "hook.lint.command", f"touch {work.folder}/ran")
    assert repository.obstacles().hooks == ("lint",)
    work.git("config", "--unset", "core.hooksPath")
    work.write(a="2\n")
    with pytest.raises(RefusedError, match=r"runs hooks \(pre-commit, lint\)"):
        repository.make_commit("second", paths=["a"])
    repository.make_commit("second", paths=["a"], skip_hooks=True)
    assert not (work.folder / "ran").exists()
    for value, signs in {"true": True, "1": True, "on": True, "false": False, "no": False, "0": False}.items():
        work.git("config", "commit.gpgSign", value)
        assert repository.obstacles().signs is signs
    work.git("config", "filter.lfs.process", "x")
    (work.folder / ".gitattributes").write_text("*.bin filter=lfs\n*.txt filter=unknown\n")
    assert repository.obstacles(["a.bin", "b.txt", "c"]).filtered == ("a.bin",)


def test_as_the_user_everything_runs(work: Work) -> None:
    work.commit("first", a="1\n")
    work.hook("pre-commit", f"echo $VARIABLE >{work.folder}/ran")
    work.write(a="2\n")
    repository = Repository.find(work.folder, {**work.environ, "VARIABLE": "theirs"})
    assert repository is not None
    assert repository.commit_as_user("second", work.folder, tracked=True) == 0
    assert (work.folder / "ran").read_text() == "theirs\n"
    assert work.git("log", "-1", "--format=%s") == "second"
    work.hook("pre-commit", "exit 3")
    work.write(a="3\n")
    assert repository.commit_as_user("third", work.folder, tracked=True) == 1


def test_the_user_may_be_named_by_variables(work: Work) -> None:
    work.write(a="1\n")
    environ = {**work.environ, "GIT_AUTHOR_NAME": "Bea", "GIT_COMMITTER_EMAIL": "b@example.org", "GIT_INDEX_FILE": "/nowhere"}
    repository = Repository.find(work.folder, environ)
    assert repository is not None
    repository.make_commit("first", paths=["a"])
    assert work.git("log", "-1", "--format=%an %ae %cn %ce") == "Bea ann@example.org Ann b@example.org"


@pytest.mark.parametrize("place", ["COMMIT_EDITMSG", "index", "objects/zz", "refs/heads/x", "logs/HEAD", "refs"])
def test_nothing_is_written_through_a_link(work: Work, tmp_path: Path, place: str) -> None:
    work.commit("first", a="1\n")
    outside = tmp_path / "outside"
    path = work.folder / ".git" / place
    if path.exists():
        path.rename(outside)
    else:
        outside.mkdir()
    path.symlink_to(outside)
    work.write(a="2\n")
    with pytest.raises(RefusedError, match="is a symbolic link"):
        work.repository.make_commit("second", paths=["a"])
    with pytest.raises(RefusedError, match="is a symbolic link"):
        work.repository.notes_add(NOTES, "HEAD", "x")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("s", "s\n\nA: b\n"),
        ("s\n\nbody", "s\n\nbody\n\nA: b\n"),
        ("s\n\nC: d", "s\n\nC: d\nA: b\n"),
        ("s\n\nC: d\nno trailer", "s\n\nC: d\nno trailer\n\nA: b\n"),
        ("fix: s", "fix: s\n\nA: b\n"),
        ("s\n\nA: b\n", "s\n\nA: b\n"),
        ("", "\n"),
    ],
)
def test_trailers(message: str, expected: str) -> None:
    assert with_trailers(message, ["A: b"]) == expected


TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=40)


@given(TEXT, TEXT)
def test_trailers_keep_the_message_and_are_added_once(message: str, body: str) -> None:
    whole = f"{message}\n\n{body}".strip()
    once = with_trailers(whole, ["A: b", "C: d"])
    assert with_trailers(once, ["C: d", "A: b"]) == once
    assert once.startswith(whole)


LINES = st.lists(
    st.sampled_from(["diff --git a/x b/x", "@@ -1 +1 @@", "--- a/x", "+++ b/y", "rename to z", "", "-", "+x", "\\ no", "ü"]), max_size=12
)


@given(st.dictionaries(st.sampled_from(["a", "b c", "ünï", 'q"', "t\tb"]), LINES, min_size=1))
def test_a_diff_is_split_where_files_and_hunks_begin_whatever_they_hold(files: dict[str, list[str]]) -> None:
    """Lines of files that look like headers of a diff begin with another character there."""
    diff = b"".join(
        f"diff --git a/{name} b/{name}\nindex 1..2\n--- a/{name}\n+++ b/{name}\n@@ -0,0 +1,{len(lines) + 1} @@\n+{name}\n".encode()
        + "".join(f"+{line}\n" for line in lines).encode()
        for name, lines in files.items()
    )
    found = split_diff(diff)
    assert [(file.path, file.added, file.removed) for file in found] == [(name, len(lines) + 1, 0) for name, lines in files.items()]
