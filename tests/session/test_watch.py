"""What a command changed is found by looking, whatever it did, and nothing that was there before is taken for new."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kimicode.events import FilesChanged, Notice
from kimicode.files.place import Place
from kimicode.files.state import MISSING, FileState, digest
from kimicode.session.changes import Changes
from kimicode.session.ignores import parse
from kimicode.session.watch import Limits


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def changes(tmp_path: Path, work: Path) -> Changes:
    return Changes(tmp_path / "home", work)


def found(changes: Changes, command: Callable[[], object]) -> dict[str, tuple[str, str]]:
    """The kinds before and after, of what a command changed, by path."""
    assert changes.before_command() == ()
    command()
    events = changes.after_command("c0")
    assert all(isinstance(event, FilesChanged) for event in events)
    return {change.path: (change.before.kind, change.after.kind) for event in events for change in event.changes}  # type: ignore[union-attr]


def test_everything_that_can_happen_to_a_file(changes: Changes, work: Path) -> None:
    for name in ("edited", "removed", "moded", "same", "to-link", "to-folder", "moved"):
        (work / name).write_text(name)
    (work / "gone" / "deep").mkdir(parents=True)
    (work / "gone" / "deep" / "file").write_text("x")
    (work / "link").symlink_to("edited")

    def command() -> None:
        (work / "edited").write_text("new")
        (work / "removed").unlink()
        (work / "moded").chmod(0o755)
        os.utime(work / "same", (1, 1))
        (work / "to-link").unlink()
        (work / "to-link").symlink_to("edited")
        (work / "to-folder").unlink()
        (work / "to-folder").mkdir()
        (work / "to-folder" / "in").write_text("")
        (work / "moved").rename(work / "name")
        for path in ("gone/deep/file", "gone/deep", "gone"):
            (work / path).rmdir() if (work / path).is_dir() else (work / path).unlink()
        (work / "link").unlink()
        (work / "link").symlink_to("nowhere")
        os.mkfifo(work / "fifo")

    assert found(changes, command) == {
        "edited": ("file", "file"),
        "removed": ("file", "missing"),
        "moded": ("file", "file"),
        "to-link": ("file", "link"),
        "to-folder": ("file", "folder"),
        "to-folder/in": ("missing", "file"),
        "moved": ("file", "missing"),
        "name": ("missing", "file"),
        "gone": ("folder", "missing"),
        "gone/deep": ("folder", "missing"),
        "gone/deep/file": ("file", "missing"),
        "link": ("link", "link"),
        "fifo": ("missing", "other"),
    }
    assert found(changes, lambda: None) == {}


def test_states_and_contents_are_those_before(changes: Changes, work: Path) -> None:
    (work / "a").write_bytes(b"\0old\r\n")
    changes.before_command()
    (work / "a").write_bytes(b"new")
    (event,) = changes.after_command("c7")
    assert isinstance(event, FilesChanged)
    assert event.call_id == "c7"
    (change,) = event.changes
    assert change.before == FileState("file", 0o644, digest(b"\0old\r\n"), size=6)
    assert change.after == FileState("file", 0o644, digest(b"new"), size=3)
    assert changes.store.load(change.before.digest) == b"\0old\r\n"


def test_a_change_within_a_tick_of_the_clock_is_seen(changes: Changes, work: Path) -> None:
    # The same size, inode and (as a coarse clock would have it) times: only reading tells.
    target = work / "a"
    for number in range(50):
        target.write_text(f"{number:03}")
        times = target.stat()

        def command(number: int = number, times: os.stat_result = times) -> None:
            with target.open("r+") as file:
                file.write(f"{number + 500:03}")
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))

        assert found(changes, command) == {"a": ("file", "file")}


def test_what_the_user_does_between_commands_is_not_the_command_s(changes: Changes, work: Path) -> None:
    (work / "a").write_text("1")
    assert found(changes, lambda: None) == {}
    (work / "a").write_text("2")
    (work / "b").write_text("3")
    assert found(changes, (work / "b").unlink) == {"b": ("file", "missing")}


def test_ignored_files_and_git_are_not_looked_at(changes: Changes, work: Path) -> None:
    (work / ".gitignore").write_text("build/\n*.pyc\n!keep.pyc\n")
    (work / ".git").mkdir()
    (work / "build").mkdir()

    def command() -> None:
        for name in (".git/config", "build/out", "x.pyc", "keep.pyc", "x.py"):
            (work / name).write_text("x")

    assert set(found(changes, command)) == {"keep.pyc", "x.py"}


def test_rules_of_the_repository_around_hold(tmp_path: Path) -> None:
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("*.local\n")
    (tmp_path / ".gitignore").write_text("/sub/work/out\n/out2\n")
    work = tmp_path / "sub" / "work"
    work.mkdir(parents=True)

    def command() -> None:
        for name in ("out", "out2", "my.local"):
            (work / name).write_text("x")

    assert set(found(Changes(tmp_path / "home", work), command)) == {"out2"}


def test_what_was_ignored_before_is_not_new_when_the_rule_goes(changes: Changes, work: Path) -> None:
    (work / ".gitignore").write_text("private\nfolder/\n")
    (work / "private").write_text("the user's own")
    (work / "folder").mkdir()
    (work / "folder" / "file").write_text("the user's own")
    assert set(found(changes, lambda: (work / ".gitignore").write_text(""))) == {".gitignore"}
    assert set(found(changes, (work / "private").unlink)) == {"private"}


def test_a_new_rule_hides_nothing_that_was_seen(changes: Changes, work: Path) -> None:
    (work / "a").write_text("a")
    (work / "d").mkdir()
    (work / "d" / "b").write_text("b")

    def command() -> None:
        (work / ".gitignore").write_text("*\n")
        (work / "a").write_text("changed")
        (work / "d" / "b").unlink()

    assert found(changes, command) == {"a": ("file", "file"), "d/b": ("file", "missing")}
    assert set(found(changes, (work / "a").unlink)) == {"a"}


def test_links_are_not_followed(changes: Changes, work: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("s")
    (work / "way").symlink_to(tmp_path / "outside")
    (work / "d").mkdir()
    (work / "d" / "f").write_text("f")
    assert found(changes, lambda: (tmp_path / "outside" / "secret").write_text("t")) == {}
    assert digest(b"s") not in changes.store

    def swap() -> None:
        (work / "d").rename(tmp_path / "elsewhere")
        (work / "d").symlink_to(tmp_path / "elsewhere")

    assert found(changes, swap) == {"d": ("folder", "link"), "d/f": ("file", "missing")}


def test_names_that_are_no_text(changes: Changes, work: Path) -> None:
    raw = os.fsencode(work) + b"/\xff\\ \n"
    assert found(changes, lambda: os.close(os.open(raw, os.O_CREAT | os.O_WRONLY))) == {"\\xff\\\\ \n": ("missing", "file")}


def test_too_large_files_are_said_once_and_their_changes_noticed(work: Path, tmp_path: Path) -> None:
    changes = Changes(tmp_path / "home", work, limits=Limits(file_bytes=10, total_bytes=15))
    (work / "large").write_bytes(b"x" * 11)
    for name in "abc":
        (work / name).write_bytes(b"x" * 7)
    (notice,) = changes.before_command()
    assert isinstance(notice, Notice)
    assert "2 files are too large" in notice.text
    (work / "large").write_bytes(b"y" * 11)
    (event,) = changes.after_command("c")
    assert isinstance(event, FilesChanged)
    assert [(change.path, change.kept, change.before.digest) for change in event.changes] == [("large", False, "")]
    assert changes.before_command() == ()
    assert changes.after_command("c") == ()


def test_too_many_files_are_said_once_and_not_watched(work: Path, tmp_path: Path) -> None:
    changes = Changes(tmp_path / "home", work, limits=Limits(entries=3))
    (work / "a").write_text("a")
    assert found(changes, (work / "a").unlink) == {"a": ("file", "missing")}
    for name in "abcd":
        (work / name).write_text(name)
    (notice,) = changes.before_command()
    assert "more than 3 files" in notice.text
    (work / "a").unlink()
    assert changes.after_command("c") == ()
    assert changes.before_command() == ()


def test_a_command_that_leaves_too_many_files_is_told(work: Path, tmp_path: Path) -> None:
    changes = Changes(tmp_path / "home", work, limits=Limits(entries=3))
    changes.before_command()
    for name in "abcd":
        (work / name).write_text(name)
    (notice,) = changes.after_command("c")
    assert isinstance(notice, Notice)
    assert "can't be told" in notice.text


def test_folders_too_deep_are_passed_over_both_times(work: Path, tmp_path: Path) -> None:
    changes = Changes(tmp_path / "home", work, limits=Limits(depth=1))
    (work / "a" / "b" / "c").mkdir(parents=True)
    (work / "a" / "b" / "c" / "f").write_text("x")
    assert found(changes, (work / "a" / "b" / "c" / "f").unlink) == {}
    assert found(changes, lambda: (work / "a" / "f").write_text("x")) == {"a/f": ("missing", "file")}


def test_kimicode_s_own_folder_is_never_watched(work: Path) -> None:
    changes = Changes(work / "home", work)
    assert found(changes, lambda: (work / "home" / "x").write_text("x")) == {}


@pytest.mark.parametrize("where", ["before", "after"])
def test_files_that_come_and_go_meanwhile(changes: Changes, work: Path, where: str) -> None:
    for number in range(200):
        (work / f"still-{number}").write_text("x")
    program = """
import os, sys
while True:
    for n in range(50):
        name = f"busy-{n}"
        os.mkdir(name); open(f"{name}/f", "w").close(); os.unlink(f"{name}/f"); os.rmdir(name)
        open(name, "w").close(); os.unlink(name)
    print(flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=work, stdout=subprocess.PIPE) as busy:
        assert busy.stdout is not None
        busy.stdout.readline()
        drain = threading.Thread(target=busy.stdout.read)
        drain.start()
        try:
            seen = [found(changes, lambda: None) for _ in range(20)]
        finally:
            busy.kill()
            drain.join()
    assert all(name.startswith("busy-") for names in seen for name in names)


def test_a_workspace_that_is_gone_stops_nothing(changes: Changes, work: Path) -> None:
    work.rmdir()
    assert changes.before_command() == ()
    assert changes.after_command("c") == ()


def test_a_tool_s_change_is_kept_and_told_with_the_folders_it_needs(changes: Changes, work: Path) -> None:
    old, new = Place(work, ("old",)), Place(work, ("a", "b", "new"))
    (work / "a").mkdir()
    before, after = FileState("file", 0o600, digest(b"1"), size=1), FileState("file", 0, digest(b"2"), size=1)
    changes.keep({old: (before, b"1"), new: (MISSING, b"")})
    assert changes.store.load(digest(b"1")) == b"1"
    event = changes.edited("c3", {old: (before, after), new: (MISSING, after)})
    assert [(change.path, change.before.kind, change.after.kind) for change in event.changes] == [
        ("a/b", "missing", "folder"),
        ("old", "file", "file"),
        ("a/b/new", "missing", "file"),
    ]


IGNORED = """
# comment
*.o
/top
folder/
a/*/z
**/deep
docs/**
x/**/y
!important.o
\\#hash
sp\\ ace\\
[a-c]?.txt
[!0-9]n
trailing   
*.b*k
"""


@pytest.mark.parametrize(
    ("path", "is_folder", "ignored"),
    [
        ("x.o", False, True), ("d/x.o", False, True), ("important.o", False, False), ("d/important.o", False, False),
        ("top", False, True), ("d/top", False, False), ("folder", True, True), ("d/folder", True, True), ("folder", False, False),
        ("a/b/z", False, True), ("a/b/c/z", False, False), ("d/a/b/z", False, False), ("deep", False, True), ("q/r/deep", False, True),
        ("docs/x", False, True), ("docs/x/y", False, True), ("docs", True, False), ("x/y", False, True), ("x/1/2/y", False, True),
        ("#hash", False, True), ("# comment", False, False), ("bz.txt", False, True), ("dz.txt", False, False), ("bzz.txt", False, False),
        ("xn", False, True), ("7n", False, False), ("trailing", False, True), ("a.bak", False, True), ("a.back/x", False, False),
        ("x.o/inner", False, False), ("a.bakx", False, False),
    ],
)  # fmt: skip
def test_rules_as_git_reads_them(path: str, is_folder: bool, ignored: bool) -> None:
    assert parse(IGNORED).ignored(path, path.rpartition("/")[2], is_folder=is_folder) is ignored


def test_rules_of_a_folder_hold_below_it_and_over_those_above() -> None:
    inner = parse("!*.o\n/here\n", parse("*.o\n"), base="d/")
    assert not inner.ignored("d/x.o", "x.o", is_folder=False)
    assert inner.ignored("d/here", "here", is_folder=False)
    assert not inner.ignored("d/e/here", "here", is_folder=False)


def test_a_rule_made_to_take_for_ever_does_not() -> None:
    rules = parse("*a*a*a*a*a*a*a*a*a*a*a*b\n" + "**/**/**/**/**/a\n")
    assert not rules.ignored("a" * 255, "a" * 255, is_folder=False)
