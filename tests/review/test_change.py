"""Diffs become values. What is held against: git itself, which made them, and contents that hunks are applied to."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kimicode.errors import ToolError
from kimicode.repo.git import Repository
from kimicode.review.change import FileChange, parse_diff


class Checkout:
    """A repository with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        for name in ("name", "email"):
            self.git("config", f"user.{name}", "x")

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        return subprocess.run(["git", *arguments], cwd=self.folder, env=self.environ, input=stdin, capture_output=True, check=True).stdout

    def write(self, **files: str | bytes) -> None:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            (self.folder / name).write_bytes(data)
        self.git("add", "-A")

    def commit(self) -> str:
        self.git("commit", "-qm", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD").decode().strip()

    @property
    def repository(self) -> Repository:
        found = Repository.find(self.folder, self.environ)
        assert found is not None
        return found

    def staged(self) -> dict[str, FileChange]:
        return {each.path: each for each in parse_diff(self.repository.diff(staged=True))}


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path / "work")


def applied(old: list[str], change: FileChange) -> list[str]:
    """The new lines, from the old ones and the hunks."""
    new: list[str] = []
    at = 0
    for hunk in change.hunks:
        start = hunk.old_start - 1 if hunk.old_count else hunk.old_start
        new += old[at:start]
        at = start
        for line in hunk.lines:
            if line[0] == "+":
                new.append(line[1:])
            else:
                assert old[at] == line[1:]
                at += 1
                if line[0] == " ":
                    new.append(line[1:])
    return new + old[at:]


lines = st.lists(
    st.sampled_from(["", "a", "b", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "diff --git a/f b/f", "\\ no", "x\r", " ", "é"]), max_size=14
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("shared") / "work")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(old=lines, new=lines, end=st.booleans())
def test_hunks_turn_the_old_content_into_the_new_one(shared, old, new, end):
    shared.write(f="\n".join(old) + "\n" if old else "")
    base = shared.commit()
    text = "\n".join(new) + ("\n" if end else "")
    shared.write(f=text)
    found = {each.path: each for each in parse_diff(shared.repository.diff(base, staged=True))}
    before = old
    if "f" in found:
        change = found["f"]
        expected = text.split("\n")[:-1] if text.endswith("\n") else text.split("\n") if text else []
        assert applied(before, change) == expected
        numbered = dict(enumerate(expected, 1))
        assert all(numbered[number] == line for number, line in change.added)
        assert all(dict(enumerate(before, 1))[number] == line for hunk in change.hunks for number, line in hunk.removed)
        for hunk in change.hunks:
            assert hunk.touched
            assert hunk.touched.start >= 1
            assert {number for number, _ in hunk.added} <= set(hunk.touched)


def test_every_kind_of_change(checkout):
    checkout.write(kept="1\n2\n3\n4\n5\n", gone="x\n", moved="m\n" * 20, mode="#!/bin/sh\n", binary=b"\0\1")
    checkout.commit()
    (checkout.folder / "gone").unlink()
    (checkout.folder / "moved").rename(checkout.folder / "it's\ttwo\nlines é.txt")
    (checkout.folder / "mode").chmod(0o755)
    (checkout.folder / "link").symlink_to("kept")
    checkout.write(kept="1\n2\nthree\n4\n5\n", new="n", binary=b"\0\2")
    found = checkout.staged()
    assert {path: each.status for path, each in found.items()} == {
        "kept": "modified",
        "gone": "deleted",
        "it's\ttwo\nlines é.txt": "renamed",
        "mode": "modified",
        "binary": "modified",
        "new": "added",
        "link": "added",
    }
    assert found["it's\ttwo\nlines é.txt"].origin == "moved"
    assert (found["mode"].old_mode, found["mode"].new_mode, found["mode"].hunks) == ("100644", "100755", ())
    assert (found["binary"].binary, found["binary"].hunks) == (True, ())
    assert found["link"].new_mode == "120000"
    assert (found["new"].hunks[0].no_newline, found["kept"].hunks[0].no_newline) == (True, False)
    assert (found["gone"].new_oid, found["new"].old_oid, found["gone"].new_mode, found["new"].old_mode) == ("", "", "", "")
    assert list(found["kept"].added) == [(3, "three")]
    assert found["kept"].changed_count == 2
    assert checkout.git("cat-file", "blob", found["kept"].new_oid) == b"1\n2\nthree\n4\n5\n"


def test_a_name_that_is_not_utf_8(checkout):
    (checkout.folder / os.fsdecode(b"a\xff b")).write_bytes(b"x\n")
    checkout.git("add", "-A")
    assert list(checkout.staged()) == ["a\udcff b"]


def test_an_empty_file_and_a_mode_alone_with_a_blank_in_the_name(checkout):
    (checkout.folder / "two b words").write_bytes(b"x\n")
    checkout.git("add", "-A")
    checkout.commit()
    (checkout.folder / "two b words").chmod(0o755)
    checkout.git("add", "-A")
    assert list(checkout.staged()) == ["two b words"]


def test_a_deletion_touches_the_line_that_stands_there_now(checkout):
    checkout.write(f="1\n2\n3\n4\n5\n")
    checkout.commit()
    checkout.write(f="1\n2\n5\n")
    assert list(checkout.staged()["f"].hunks[0].touched) == [3]
    checkout.write(f="1\n2\n")
    assert list(checkout.staged()["f"].hunks[0].touched) == [2]


def test_what_is_no_diff_is_refused():
    with pytest.raises(ToolError, match="line that is none"):
        parse_diff(b"diff --git a/f b/f\nindex 1..2 100644\n--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n?x\n")
