"""Which files a workspace has, and what their contents are called: as git has it, dirty or clean, large or small, or without git."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.errors import ToolError
from kimicode.repo.contents import blob_name
from kimicode.repo.looks import Looks
from kimicode.repo.snapshot import Snapshots
from kimicode.repo.tree import Tree
from tests.repo.places import Folder, paths


@pytest.fixture(params=[10_000, 0], ids=["small", "large"])
def large(request: pytest.FixtureRequest) -> int:
    """From how many files on folders are remembered: tests hold for both ways."""
    number: int = request.param
    return number


@pytest.fixture
def work(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.git("init", "-q")
    return folder


def right(tree: Tree, root: Path) -> bool:
    """Every file has the name of what is in it."""
    return all(file.key == blob_name((root / file.path).read_bytes(), wide=len(file.key) == 64) for file in tree.files)


def test_clean_changed_new_renamed_and_gone(work: Folder, large: int) -> None:
    work.commit(clean="1", changed="2", gone="3", moved="4")
    work.write("changed.py", "2 and more")
    work.write("sub/new.py", "5")
    (work.path / "gone.py").unlink()
    work.git("mv", "moved.py", "there.py")
    tree = work.tree(large=large)
    assert paths(tree) == ["changed.py", "clean.py", "sub/new.py", "there.py"]
    assert right(tree, work.path)


def test_before_the_first_commit(work: Folder) -> None:
    assert paths(work.tree()) == []
    work.write("a.py", "x")
    assert paths(work.tree()) == ["a.py"]


def test_what_git_ignores_is_not_there(work: Folder, large: int) -> None:
    work.write(".gitignore", "*.log\nbuild/\n!keep.log\n")
    work.write("build/a.py", "x")
    work.write("sub/a.log", "x")
    work.write("sub/keep.log", "x")
    work.write("forced.log", "x")
    work.git("add", "-f", "forced.log")
    assert paths(work.tree(large=large)) == [".gitignore", "forced.log", "sub/keep.log"]


def test_a_changed_ignore_file_counts_at_once(work: Folder) -> None:
    work.commit(a="1")
    work.write("deep/in/b.log", "x")
    snapshots, looks = Snapshots(work.path, work.environ, large=0), Looks(work.path, {})
    assert paths(snapshots.take(looks).tree) == ["a.py", "deep/in/b.log"]
    work.write("deep/.gitignore", "*.log\n")
    assert paths(snapshots.take(looks).tree) == ["a.py", "deep/.gitignore"]
    work.write("deep/.gitignore", "*.lo\n")
    assert paths(snapshots.take(looks).tree) == ["a.py", "deep/.gitignore", "deep/in/b.log"]
    (Path(work.environ["HOME"]) / ".gitconfig").write_text("[core]\nexcludesFile = ~/mine\n")
    (Path(work.environ["HOME"]) / "mine").write_text("*.log\n")
    assert paths(snapshots.take(looks).tree) == ["a.py", "deep/.gitignore"]


def test_links_are_not_followed(work: Folder, large: int, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text("x")
    work.commit(a="1", b="2")
    (work.path / "link").symlink_to(tmp_path / "outside")
    (work.path / "tracked").symlink_to("a.py")
    work.git("add", "tracked")
    (work.path / "b.py").unlink()
    (work.path / "b.py").symlink_to("a.py")
    os.mkfifo(work.path / "pipe")
    assert paths(work.tree(large=large)) == ["a.py"]


def test_a_folder_that_becomes_a_link_takes_its_files_away(work: Folder, large: int, tmp_path: Path) -> None:
    work.write("sub/a.py", "1")
    work.write("sub/new/b.py", "1")
    work.git("add", "sub/a.py")
    snapshots, looks = Snapshots(work.path, work.environ, large=large), Looks(work.path, {})
    assert paths(snapshots.take(looks).tree) == ["sub/a.py", "sub/new/b.py"]
    (work.path / "sub").rename(tmp_path / "away")
    (work.path / "sub").symlink_to(tmp_path / "away")
    assert paths(snapshots.take(looks).tree) == []


def test_conflicts_are_read(work: Folder) -> None:
    work.commit(a="1")
    work.git("checkout", "-q", "-b", "other")
    work.commit(a="2")
    work.git("checkout", "-q", "main")
    work.commit(a="3")
    with pytest.raises(Exception, match="merge"):
        work.git("merge", "-q", "other")
    tree = work.tree()
    assert paths(tree) == ["a.py"]
    assert right(tree, work.path)


def test_what_is_said_to_be_unchanged_is_looked_at(work: Folder, large: int) -> None:
    work.commit(a="1", b="1")
    work.git("update-index", "--assume-unchanged", "a.py")
    work.git("add", "--intent-to-add", ".")
    work.write("a.py", "2")
    assert right(work.tree(large=large), work.path)


def test_sparse_checkouts_have_what_is_there(work: Folder, large: int) -> None:
    work.write("in/a.py", "1")
    work.write("out/b.py", "1")
    work.commit()
    work.git("sparse-checkout", "set", "in")
    assert paths(work.tree(large=large)) == ["in/a.py"]


def test_any_name_passes(work: Folder, large: int) -> None:
    for name in [b"a b", b"tab\there", b"line\nend", b'"quoted"', b"-n", b"\xff\xfe.py", "ünï".encode(), b":(glob)*"]:
        (work.path / os.fsdecode(name)).write_bytes(name)
    work.git("add", "-n", ".")
    loose = work.tree(large=large)
    work.git("add", "-A")
    tree = work.tree(large=large)
    assert len(tree.files) == 8
    assert tree.name == loose.name
    assert right(tree, work.path)


def test_submodules_and_repositories_inside(work: Folder, large: int, tmp_path: Path) -> None:
    inner = Folder(tmp_path, "inner")
    inner.git("init", "-q")
    inner.commit(one="1", two="2")
    work.commit(a="1")
    work.git("submodule", "--quiet", "add", str(inner.path), "lib/inner")
    work.git("clone", "-q", str(inner.path), str(work.path / "loose"))
    work.write("lib/inner/one.py", "changed")
    work.write("lib/inner/three.py", "new")
    expected = [".gitmodules", "a.py", "lib/inner/one.py", "lib/inner/three.py", "lib/inner/two.py", "loose/one.py", "loose/two.py"]
    tree = work.tree(large=large)
    assert paths(tree) == expected
    assert right(tree, work.path)


def test_a_repository_that_comes_or_goes_is_noticed(work: Folder) -> None:
    work.commit(a="1")
    work.write("sub/b.py", "1")
    work.write("sub/.gitignore", "b.py")
    snapshots, looks = Snapshots(work.path, work.environ, large=0), Looks(work.path, {})
    assert paths(snapshots.take(looks).tree) == ["a.py", "sub/.gitignore"]
    work.git("init", "-q", folder=work.path / "sub")
    work.git("add", "-f", "b.py", folder=work.path / "sub")
    assert paths(snapshots.take(looks).tree) == ["a.py", "sub/.gitignore", "sub/b.py"]
    (work.path / "sub" / ".git").rename(work.path / "sub" / "was")
    assert "sub/b.py" not in paths(snapshots.take(looks).tree)


def test_linked_worktrees_and_folders_of_a_repository(work: Folder, tmp_path: Path) -> None:
    work.write("sub/deep/a.py", "1")
    work.commit(top="1")
    work.git("worktree", "add", "-q", str(tmp_path / "other"))
    for root in (work.path, tmp_path / "other"):
        (root / "sub" / "new.py").write_text("2")
        tree = Snapshots(root / "sub", work.environ).take(Looks(root / "sub", {})).tree
        assert paths(tree) == ["deep/a.py", "new.py"]
        assert right(tree, root / "sub")


def test_a_folder_that_its_repository_ignores_has_files_of_its_own(work: Folder) -> None:
    work.write(".gitignore", "build/\n")
    work.write("build/a.py", "1")
    work.commit()
    root = work.path / "build"
    assert paths(Snapshots(root, work.environ).take(Looks(root, {})).tree) == ["a.py"]


def test_repositories_with_long_names(tmp_path: Path, large: int) -> None:
    work = Folder(tmp_path)
    work.git("init", "-q", "--object-format=sha256")
    work.write("a.py", "1")
    assert [len(file.key) for file in work.tree().files] == [64]
    work.commit(b="2")
    work.write("b.py", "3")
    tree = work.tree(large=large)
    assert right(tree, work.path)
    assert {len(file.key) for file in tree.files} == {64}


def test_without_git(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write(".gitignore", "*.log\n")
    folder.write("a.log", "1")
    folder.write("sub/.hidden.py", "1")
    folder.write("b.py", "2")
    (folder.path / "link.py").symlink_to("b.py")
    tree = folder.tree()
    assert paths(tree) == [".gitignore", "b.py", "sub/.hidden.py"]
    assert right(tree, folder.path)


def test_a_broken_repository_is_read_without_git(work: Folder) -> None:
    work.commit(a="1")
    (work.path / ".git" / "index").write_bytes(b"DIRC broken")
    assert paths(work.tree()) == ["a.py"]


@pytest.mark.parametrize("with_git", [True, False])
def test_too_many_files_are_said(tmp_path: Path, with_git: bool) -> None:
    work = Folder(tmp_path)
    if with_git:
        work.git("init", "-q")
    for name in "abc":
        work.write(name, "x")
    with pytest.raises(ToolError, match="3 files; at most 2"):
        Snapshots(work.path, work.environ, most=2).take(Looks(work.path, {}))


def test_what_has_not_changed_is_not_read_again_and_gives_the_same_value(work: Folder) -> None:
    work.commit(a="1")
    work.write("new.py", "2")
    os.utime(work.path / "new.py", ns=(1, 1))
    snapshots = Snapshots(work.path, work.environ)
    looks = Looks(work.path, {})
    first = snapshots.take(looks)
    assert snapshots.take(looks) is first
    plain = Snapshots(work.path.parent, work.environ)
    around = Looks(work.path.parent, {})
    assert plain.take(around) is plain.take(around)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "delete", "move", "add", "commit", "mkdir", "ignore", "unignore", "rmtree", "forget"]),
        st.sampled_from(["a.py", "b.log", "d/a.py", "d/e/b.log", "d/e/f/c.py", "x/y/z.py", "x/b.log"]),
        st.sampled_from(["a.py", "d/b.py", "x/y/c.log", "new/n.py"]),
    ),
    max_size=25,
)


def apply(work: Folder, step: tuple[str, str, str]) -> None:
    kind, path, other = step
    target = work.path / path
    match kind:
        case "write":
            if not any(parent.is_file() for parent in target.parents) and not target.is_dir():
                work.write(path, other)
        case "delete" if target.is_file():
            target.unlink()
        case "move" if target.is_file() and not (work.path / other).exists():
            (work.path / other).parent.mkdir(parents=True, exist_ok=True)
            target.rename(work.path / other)
        case "add":
            work.git("add", "-A")
        case "commit":
            work.git("commit", "-q", "--allow-empty", "-m", "m")
        case "mkdir":
            (target.parent / "empty" / "deep").mkdir(parents=True, exist_ok=True)
        case "ignore":
            work.write(f"{path.rpartition('/')[0] or '.'}/.gitignore", "*.log\ny/\nempty/\n")
        case "unignore":
            (target.parent / ".gitignore").unlink(missing_ok=True)
        case "rmtree" if "/" in path:
            for each in sorted((work.path / path.split("/")[0]).rglob("*"), reverse=True):
                each.rmdir() if each.is_dir() else each.unlink()
        case "forget" if work.git("ls-files", path):
            work.git("rm", "-q", "--cached", path)
        case _:
            pass


def tick(folder: Path) -> None:
    """Wait until a change of a file gets a later time than one before."""
    probe = folder / "probe"
    probe.write_text("")
    first = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns == first:
        probe.write_text("")


@pytest.mark.parametrize("later", [0, 10**12], ids=["all young", "all settled"])
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_of_changes_gives_what_a_fresh_look_gives(
    later: int, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str]]
) -> None:
    work = Folder(tmp_path_factory.mktemp("any"))
    work.git("init", "-q")
    snapshots, looks = Snapshots(work.path, work.environ, large=0, clock=lambda: time.time_ns() + later), Looks(work.path, {})
    for step in steps:
        apply(work, step)
        tree = snapshots.take(looks).tree
        assert [(file.path, file.key) for file in tree.files] == [(file.path, file.key) for file in work.tree().files], step
        assert right(tree, work.path)
        tick(work.path.parent)
