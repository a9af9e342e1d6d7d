"""Transactions: every kind of change, in any order, all or nothing, and recovery from every stage of the journal."""

import errno
import os
import re
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.files.atomic import is_temporary
from kimicode.files.place import Place
from kimicode.files.state import MISSING, state_of
from kimicode.files.transaction import (
    LockTimeout,
    MakeFolder,
    PutFile,
    PutLink,
    Remove,
    SetMode,
    Stale,
    apply,
    exclusive,
    recover,
)


def shape(tree: Path) -> dict[str, tuple[object, ...]]:
    """All that is below a folder: kind, mode and content, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(tree.rglob("*")):
        mode = path.lstat().st_mode
        held = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(tree))] = (stat.S_IFMT(mode), 0 if path.is_symlink() else stat.S_IMODE(mode), held)
    return found


def fill(tree: Path) -> None:
    (tree / "edit").write_text("old")
    (tree / "edit").chmod(0o741)
    (tree / "gone").write_text("gone")
    (tree / "away").mkdir(mode=0o750)
    (tree / "away" / "deep").mkdir()
    (tree / "away" / "deep" / "f").write_text("f")
    (tree / "file").write_text("becomes a folder")
    (tree / "folder").mkdir()
    (tree / "folder" / "f").write_text("its folder becomes a file")
    (tree / "link").symlink_to("edit")
    (tree / "old-link").symlink_to("nowhere")
    (tree / "mode").write_text("mode")


def everything(at) -> list[object]:
    """Each kind of change, in an order that could not be carried out as it stands."""
    return [
        SetMode(at("mode"), 0o400),
        PutFile(at("file/x/y"), b"below what was a file"),
        PutFile(at("folder"), b"was a folder"),
        Remove(at("away")),
        Remove(at("away/deep")),
        Remove(at("folder")),
        Remove(at("file")),
        Remove(at("away/deep/f")),
        Remove(at("folder/f")),
        Remove(at("gone")),
        Remove(at("never/was")),
        PutFile(at("edit"), b"new"),
        PutFile(at("new/deep/f"), b"in new folders", 0o600),
        MakeFolder(at("locked"), 0o555),
        PutFile(at("locked/f"), b"in a folder that will be read-only"),
        PutLink(at("link"), "gone-elsewhere\udcff"),
        PutFile(at("old-link"), b"a link no more"),
        MakeFolder(at("new"), 0o700),
    ]


AFTER = {
    "edit": (stat.S_IFREG, 0o741, b"new"),
    "file": (stat.S_IFDIR, 0o755, b""),
    "file/x": (stat.S_IFDIR, 0o755, b""),
    "file/x/y": (stat.S_IFREG, 0o644, b"below what was a file"),
    "folder": (stat.S_IFREG, 0o644, b"was a folder"),
    "link": (stat.S_IFLNK, 0, "gone-elsewhere\udcff"),
    "locked": (stat.S_IFDIR, 0o555, b""),
    "locked/f": (stat.S_IFREG, 0o644, b"in a folder that will be read-only"),
    "mode": (stat.S_IFREG, 0o400, b"mode"),
    "new": (stat.S_IFDIR, 0o700, b""),
    "new/deep": (stat.S_IFDIR, 0o755, b""),
    "new/deep/f": (stat.S_IFREG, 0o600, b"in new folders"),
    "old-link": (stat.S_IFREG, 0o644, b"a link no more"),
}


def test_every_kind_of_change_at_once(tree: Path, at, journal: Path) -> None:
    fill(tree)
    apply(everything(at), journal=journal)
    assert shape(tree) == AFTER
    assert os.listdir(journal) == []
    assert recover(journal) == ()


def test_what_is_so_already_is_not_touched(tree: Path, at, journal: Path) -> None:
    (tree / "f").write_bytes(b"same")
    (tree / "folder").mkdir(0o700)
    (tree / "link").symlink_to("f")
    before = {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in tree.iterdir()}
    mode = (tree / "f").stat().st_mode & 0o7777
    same = [PutFile(at("f"), b"same"), MakeFolder(at("folder")), PutLink(at("link"), "f"), Remove(at("none")), SetMode(at("f"), mode)]
    apply(same, journal=journal)
    assert {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in tree.iterdir()} == before
    assert not journal.exists()


FAILURES = [
    ([Remove, "folder"], errno.ENOTEMPTY),
    ([PutFile, "folder", b""], errno.EISDIR),
    ([PutFile, "mode/below", b""], errno.ENOTDIR),
    ([PutFile, "fifo", b""], errno.EEXIST),
    ([MakeFolder, "mode"], errno.EEXIST),
    ([PutFile, "way/f", b""], errno.ELOOP),
    ([PutFile, "x" * 300, b""], errno.ENAMETOOLONG),
    ([PutLink, "y" * 300, "z"], errno.ENAMETOOLONG),
    ([SetMode, "link", 0o600], errno.ELOOP),
    ([SetMode, "none", 0o600], errno.ENOENT),
    ([PutLink, "other", "z" * 5000], errno.ENAMETOOLONG),
    ([PutFile, "new", b"a file where others want a folder"], errno.EISDIR),
]


@pytest.mark.parametrize(("change", "number"), FAILURES, ids=lambda value: str(value)[:60])
def test_a_failure_anywhere_changes_nothing_and_names_the_place(tree: Path, at, journal: Path, change, number: int) -> None:
    fill(tree)
    os.mkfifo(tree / "fifo")
    (tree / "way").symlink_to("folder")
    before = shape(tree)
    kind, name, *rest = change
    bad = kind(at(name), *rest)
    others = [each for each in everything(at) if not str(each.place.path.relative_to(tree)).startswith(("folder", "mode", "link"))]
    with pytest.raises(OSError, match=re.escape(os.strerror(number))) as caught:
        apply([*others, bad], journal=journal)
    assert caught.value.filename.startswith(str(tree))
    assert shape(tree) == before
    if name != "new":
        with pytest.raises(OSError, match=re.escape(os.strerror(number))):
            apply([bad], journal=journal)
        assert shape(tree) == before
    assert not journal.exists() or os.listdir(journal) == []


def test_an_unexpected_state_is_stale_and_changes_nothing(tree: Path, at, journal: Path) -> None:
    fill(tree)
    states = {at(name): state_of(at(name)) for name in ("edit", "gone", "link")} | {at("fresh"): MISSING}
    (tree / "gone").write_text("changed by the user")
    before = shape(tree)
    with pytest.raises(Stale, match="gone: changed by somebody else") as caught:
        apply([PutFile(at("edit"), b"new")], journal=journal, expected=states)
    assert caught.value.place == at("gone")
    assert shape(tree) == before
    (tree / "fresh").write_text("made by the user")
    with pytest.raises(Stale, match="fresh"):
        apply([PutFile(at("fresh"), b"mine")], journal=journal, expected={at("fresh"): MISSING})
    assert (tree / "fresh").read_text() == "made by the user"


def test_many_files_at_once(tree: Path, at, journal: Path) -> None:
    apply([PutFile(at(f"d{n % 7}/f{n}"), str(n).encode()) for n in range(300)], journal=journal)
    (tree / "d0" / "in-the-way").mkdir()
    before = shape(tree)
    changes = [PutFile(at(f"d{n % 7}/f{n}"), b"new") for n in range(300)]
    with pytest.raises(IsADirectoryError):
        apply([*changes, PutFile(at("d0/in-the-way"), b"")], journal=journal)
    assert shape(tree) == before
    apply(changes, journal=journal)
    assert {held for kind, _, held in shape(tree).values() if kind == stat.S_IFREG} == {b"new"}


NAMES = ["a", "b", "a/x", "a/y", "b/x", "b/x/z"]


@st.composite
def changes_in(draw: st.DrawFn, root: Path) -> list[object]:
    def one(name: str) -> list[object]:
        place = Place(root, tuple(name.split("/")))
        content = draw(
            st.sampled_from([None, PutFile(place, b"1"), PutFile(place, b"2", 0o600), PutLink(place, "t"), MakeFolder(place, 0o700)])
        )
        gone = [Remove(place)] if draw(st.booleans()) else []
        return gone + ([content] if content else [])

    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=5))
    return draw(st.permutations([change for name in names for change in one(name)]))


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_changes_happen_or_nothing_does(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tree = tmp_path_factory.mktemp("any")
    root, journal = tree / "root", tree / "journal"
    root.mkdir()
    for _ in range(2):
        before = shape(root)
        changes = data.draw(changes_in(root))
        try:
            apply(changes, journal=journal)
        except OSError:
            assert shape(root) == before
            continue
        assert not journal.exists() or os.listdir(journal) == []
        after = shape(root)
        assert not any(is_temporary(Path(name).name) for name in after)
        kept = {change.place for change in changes if not isinstance(change, Remove)}
        for change in changes:
            name = "/".join(change.place.parts)
            match change:
                case PutFile():
                    assert after[name][0] == stat.S_IFREG
                    assert after[name][2] == change.data
                    assert change.mode in (None, after[name][1])
                case PutLink():
                    assert after[name] == (stat.S_IFLNK, 0, change.target)
                case MakeFolder():
                    assert after[name][0] == stat.S_IFDIR
                case Remove(place):
                    needed = any(other.path.is_relative_to(place.path) for other in kept)
                    assert needed or name not in after


def test_exclusive_holds_locks_and_needs_no_journal(at, locks: Path, journal: Path) -> None:
    with exclusive([at("a")], locks=locks, journal=journal, timeout_s=1):
        with pytest.raises(LockTimeout), exclusive([at("b"), at("a")], locks=locks, journal=journal, timeout_s=0.01):
            pass
        with exclusive([at("b")], locks=locks, journal=journal, timeout_s=1):
            pass
    assert not journal.exists()


def test_threads_lose_no_update(tree: Path, at, locks: Path, journal: Path) -> None:
    (tree / "a").write_bytes(b"0")
    (tree / "b").write_bytes(b"0")
    places = [at("a"), at("b")]

    def count() -> None:
        for _ in range(10):
            with exclusive(places, locks=locks, journal=journal, timeout_s=60):
                apply([PutFile(place, b"%d" % (int(place.path.read_bytes()) + 1)) for place in places], journal=journal)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(tree / name).read_bytes() for name in ("a", "b")] == [b"40", b"40"]


@pytest.mark.parametrize("ending", ["plan", "redo", "undo", "done"])
def test_a_damaged_journal_is_told_and_left_except_an_unfinished_plan(journal: Path, ending: str) -> None:
    journal.mkdir()
    (journal / f"0123.{ending}").write_bytes(b'[{"type": "Put", "pl')
    (journal / "notes.txt").write_text("not ours")
    told = recover(journal)
    if ending == "plan":
        assert (told, os.listdir(journal)) == ((), ["notes.txt"])
    else:
        assert [line.partition(" is damaged")[0] for line in told] == [str(journal / f"0123.{ending}")]
        assert len(os.listdir(journal)) == 2
