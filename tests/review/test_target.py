"""What is reviewed is what git has: the index for what is staged, whatever the working tree says."""

import pytest

from kimicode.errors import UsageError
from kimicode.review.target import Base, Commit, Staged, Uncommitted, open_repository, read_change
from tests.review.test_change import Checkout


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "work")


def read(checkout, target):
    change, contents = read_change(checkout.repository, target)
    return change, {each.path: (contents.old(each), contents.new(each)) for each in change.files}


def test_staged_is_the_index_and_uncommitted_the_working_tree(checkout):
    checkout.write(a="1\n")
    checkout.commit()
    checkout.write(a="2\n")
    (checkout.folder / "a").write_text("3\n")
    before = (checkout.folder / ".git/index").stat().st_mtime_ns, (checkout.folder / ".git/index").read_bytes()
    assert read(checkout, Staged())[1] == {"a": (b"1\n", b"2\n")}
    assert read(checkout, Uncommitted())[1] == {"a": (b"1\n", b"3\n")}
    assert ((checkout.folder / ".git/index").stat().st_mtime_ns, (checkout.folder / ".git/index").read_bytes()) == before


def test_before_the_first_commit(checkout):
    checkout.write(a="1\n")
    change, contents = read(checkout, Staged())
    assert contents == {"a": (None, b"1\n")}
    assert (change.described, change.merging) == ("what is staged", False)
    with pytest.raises(UsageError, match="no commit yet"):
        read_change(checkout.repository, Base("main"))


def test_a_branch_since_it_left_its_base(checkout):
    checkout.write(a="1\n")
    checkout.commit()
    checkout.git("checkout", "-qb", "topic")
    checkout.write(b="topic\n")
    checkout.commit()
    checkout.git("checkout", "-q", "main")
    checkout.write(c="main\n")
    checkout.commit()
    checkout.git("checkout", "-q", "topic")
    (checkout.folder / "d").write_text("not committed")
    change, contents = read(checkout, Base("main"))
    assert contents == {"b": (None, b"topic\n")}
    assert change.described == "what was committed since main"


def test_a_commit_against_its_first_parent(checkout):
    checkout.write(a="1\n")
    first = checkout.commit()
    checkout.git("checkout", "-qb", "topic")
    checkout.write(b="topic\n")
    checkout.commit()
    checkout.git("checkout", "-q", "main")
    checkout.git("merge", "-q", "--no-ff", "-m", "m", "topic")
    assert read(checkout, Commit("HEAD"))[1] == {"b": (None, b"topic\n")}
    assert read(checkout, Commit(first))[1] == {"a": (None, b"1\n")}


def test_a_merge_that_is_being_concluded_says_so(checkout):
    checkout.write(a="1\n")
    checkout.commit()
    checkout.git("checkout", "-qb", "topic")
    checkout.write(b="topic\n")
    checkout.commit()
    checkout.git("checkout", "-q", "main")
    checkout.git("merge", "-q", "--no-ff", "--no-commit", "topic")
    assert read(checkout, Staged())[0].merging


def test_the_same_change_has_the_same_name(checkout):
    checkout.write(a="1\n")
    first, _ = read(checkout, Staged())
    again, _ = read(checkout, Staged())
    checkout.write(a="2\n")
    other, _ = read(checkout, Staged())
    assert first.name == again.name != other.name


@pytest.mark.parametrize("target", [Base("nowhere"), Commit("--all"), Commit("HEAD..main"), Base("")])
def test_a_revision_that_is_none(checkout, target):
    checkout.write(a="1\n")
    checkout.commit()
    with pytest.raises(UsageError, match="revision"):
        read_change(checkout.repository, target)


def test_no_common_commit(checkout):
    checkout.write(a="1\n")
    checkout.commit()
    checkout.git("checkout", "-q", "--orphan", "other")
    checkout.write(b="2\n")
    checkout.commit()
    with pytest.raises(UsageError, match="no common commit"):
        read_change(checkout.repository, Base("main"))


def test_outside_a_repository(tmp_path):
    with pytest.raises(UsageError, match="no git repository"):
        open_repository(tmp_path, {"PATH": "/usr/bin:/bin"})


def test_contents_are_read_in_one_call(checkout):
    checkout.write(a="1\n", b="2\n")
    change, contents = read_change(checkout.repository, Staged())
    contents.prepare(change.files)
    checkout.git("gc", "-q", "--prune=now")
    assert [contents.new(each) for each in change.files] == [b"1\n", b"2\n"]
