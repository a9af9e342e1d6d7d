"""Hands: what must be known before it is changed, what is kept, and that a failure of any kind changes nothing."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from kimicode.edit.files import TextFile
from kimicode.errors import RefusedError, SessionError, ToolError
from kimicode.files.locks import locked
from kimicode.files.place import Place
from kimicode.files.state import MISSING, FileState, state_of
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.hands import Edit, Hands, Moved, Texts


def hands_in(workspace: Path, *, strict: bool = False, **more: object) -> Hands:
    policy = Policy(Permission.WORKSPACE, workspace)
    return Hands(policy, locks=workspace.parent / "locks", journal=workspace.parent / "journal", strict=strict, **more)


@pytest.fixture
def hands(workspace: Path) -> Hands:
    return hands_in(workspace)


@pytest.fixture
def strict(workspace: Path) -> Hands:
    return hands_in(workspace, strict=True)


def to(text: str) -> Edit:
    """Every file gets this text."""
    return lambda files: {name: file.with_text(text) if file else TextFile(text) for name, file in files.items()}


def test_what_was_never_read_must_be_read_first(workspace: Path, strict: Hands) -> None:
    (workspace / "f").write_text("old")
    with pytest.raises(ToolError, match=r"f exists and was not read yet in this session\. Read it first"):
        strict.change(["f"], to("new"))
    assert (workspace / "f").read_text() == "old"
    assert strict.read("f").text == "old"
    strict.change(["f"], to("new"))
    strict.change(["f"], to("newer"))
    strict.change(["made"], to("made"))
    strict.change(["made"], to("made again"))
    assert [(workspace / name).read_text() for name in ("f", "made")] == ["newer", "made again"]


def test_by_hand_nothing_need_be_read(workspace: Path, hands: Hands) -> None:
    (workspace / "f").write_text("old")
    hands.change(["f"], to("new"))
    assert (workspace / "f").read_text() == "new"


@pytest.mark.parametrize("is_strict", [False, True])
def test_what_changed_since_must_be_read_again(workspace: Path, is_strict: bool) -> None:
    hands = hands_in(workspace, strict=is_strict)
    (workspace / "f").write_text("old")
    hands.read("f")
    (workspace / "f").write_text("the user's")
    for _ in range(2):
        with pytest.raises(ToolError, match=r"f was changed since you last read it, by the user or a command\. Read it again"):
            hands.change(["f", "new"], to("mine"))
    assert (workspace / "f").read_text() == "the user's"
    assert not (workspace / "new").exists()
    hands.read("f")
    hands.change(["f"], to("mine"))
    assert (workspace / "f").read_text() == "mine"


def test_the_same_file_is_known_under_each_of_its_paths(workspace: Path, strict: Hands) -> None:
    (workspace / "folder").mkdir()
    (workspace / "folder" / "f").write_text("old")
    (workspace / "link").symlink_to("folder/f")
    strict.read("link")
    strict.change(["folder/../folder/f"], to("new"))
    strict.change(["link"], to("newer"))
    assert (workspace / "link").is_symlink()
    assert (workspace / "folder" / "f").read_text() == "newer"
    (workspace / "dangling").symlink_to("target")
    strict.change(["dangling"], to("new"))
    assert (workspace / "target").read_text() == "new"
    with pytest.raises(ToolError, match=r"link and folder/f are the same file"):
        strict.change(["link", "folder/f"], to("x"))


def test_what_was_read_and_is_gone_may_be_made_again(workspace: Path, strict: Hands) -> None:
    (workspace / "f").write_text("old")
    strict.read("f")
    (workspace / "f").unlink()
    strict.change(["f"], to("new"))
    assert (workspace / "f").read_text() == "new"


def test_many_files_as_one(workspace: Path, hands: Hands) -> None:
    for name in ("edit", "gone", "from", "same"):
        (workspace / name).write_text(name)
    (workspace / "from").chmod(0o755)

    def edit(files: Texts) -> Mapping[str, TextFile | Moved | None]:
        assert {name: file and file.text for name, file in files.items()} == {
            "edit": "edit",
            "gone": "gone",
            "from": "from",
            "new/to": None,
            "same": "same",
            "none": None,
        }
        moved = files["from"]
        assert moved is not None
        return {"edit": TextFile("edited"), "gone": None, "from": None, "new/to": Moved(moved, "from"), "same": files["same"], "none": None}

    done = hands.change(["edit", "gone", "from", "new/to", "same", "none"], edit)
    assert sorted(path.name for path in workspace.iterdir()) == ["edit", "new", "same"]
    assert (workspace / "edit").read_text() == "edited"
    assert (workspace / "new" / "to").read_text() == "from"
    assert (workspace / "new" / "to").stat().st_mode & 0o777 == 0o755
    assert {place.name: (before.kind, after.kind) for place, (before, after) in done.states.items()} == {
        "edit": ("file", "file"),
        "gone": ("file", "missing"),
        "from": ("file", "missing"),
        "to": ("missing", "file"),
    }


def test_what_is_about_to_change_is_kept_and_announced_first(workspace: Path) -> None:
    (workspace / "f").write_text("old")
    (workspace / "f").chmod(0o640)
    told: list[object] = []

    def keep(held: Mapping[Place, tuple[FileState, bytes]]) -> None:
        assert (workspace / "f").read_text() == "old"
        told.append({place.name: (state == state_of(place), data) for place, (state, data) in held.items()})

    def announce(states: Mapping[Place, tuple[FileState, FileState]]) -> None:
        assert not (workspace / "new").exists()
        told.append({place.name: (before == state_of(place), after) for place, (before, after) in states.items()})

    done = hands_in(workspace, keep=keep, announce=announce).change(["f", "new"], to("new"))
    kept, announced = told
    assert kept == {"f": (True, b"old"), "new": (True, b"")}
    after = {place.name: state for place, (_, state) in done.states.items()}
    assert announced == {name: (True, state) for name, state in after.items()}
    assert after["f"] == state_of(Place(workspace, ("f",)))
    assert (after["new"].mode, after["new"].digest) == (0, after["f"].digest)
    assert MISSING in [before for before, _ in done.states.values()]


def test_what_can_not_be_kept_is_not_changed(workspace: Path) -> None:
    (workspace / "f").write_text("old")

    def keep(_: object) -> None:
        raise SessionError("no space left for what files held")

    with pytest.raises(SessionError):
        hands_in(workspace, keep=keep).change(["f"], to("new"))
    assert (workspace / "f").read_text() == "old"


def test_no_change_touches_nothing(workspace: Path) -> None:
    (workspace / "f").write_text("same")
    before = (workspace / "f").stat()
    told: list[object] = []
    done = hands_in(workspace, keep=told.append).change(["f"], to("same"))
    after = (workspace / "f").stat()
    assert (done.states, told) == ({}, [])
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_other_names_of_a_file_are_told_and_left(workspace: Path, hands: Hands) -> None:
    (workspace / "a").write_text("old")
    os.link(workspace / "a", workspace / "b")
    assert hands.change(["a"], to("new")).notes == ("a has other names (hard links): they keep the old text.",)
    assert (workspace / "b").read_text() == "old"
    assert hands.change(["b"], to("new")).notes == ()


def test_a_folder_swapped_for_a_link_leads_nowhere(workspace: Path, hands: Hands, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_text("old")
    (workspace / "folder").mkdir()
    (workspace / "folder" / "f").write_text("old")

    def swap(files: Texts) -> Texts:
        if not (workspace / "folder").is_symlink():
            (workspace / "folder").rename(workspace / "away")
            (workspace / "folder").symlink_to(outside)
        return to("new")(files)

    for names in (["folder/f"], ["folder/f", "other"], ["folder/new"], ["folder/new/deep"]):
        with pytest.raises(RefusedError, match=r"folder/\w+.* a link was put in its way"):
            hands.change(names, swap)
        assert {path.name: path.read_text() for path in outside.iterdir()} == {"f": "old"}
        assert not (workspace / "other").exists()
        (workspace / "folder").unlink()
        (workspace / "away").rename(workspace / "folder")


@pytest.mark.parametrize("how", ["text", "link", "gone", "mode", "folder"])
def test_what_changes_during_the_edit_is_not_overwritten(workspace: Path, hands: Hands, tmp_path: Path, how: str) -> None:
    outside = tmp_path / "outside"
    outside.write_text("old")
    file = workspace / "f"
    file.write_text("old")

    def meddle(files: Texts) -> Texts:
        if how == "text":
            file.write_text("the user's")
        elif how == "mode":
            file.chmod(0o400)
        else:
            file.unlink()
        if how == "link":
            file.symlink_to(outside)
        elif how == "folder":
            file.mkdir()
        return to("mine")(files)

    for names in (["f"], ["f", "other"]):
        if how != "mode":
            file.rmdir() if file.is_dir() else file.unlink(missing_ok=True)
            file.write_text("old")
        with pytest.raises(ToolError, match=r"f was changed by somebody else just now\. Read it again"):
            hands.change(names, meddle)
        file.chmod(0o644) if how == "mode" else None
        assert not (workspace / "other").exists()
        assert outside.read_text() == "old"
        assert not file.is_file() or file.read_text() != "mine"


def test_a_file_that_others_keep_locked_is_a_clear_error(workspace: Path) -> None:
    said = r"f: another kimicode process was changing it for all of 0\.01 s\. Nothing was changed"
    with locked([Place(workspace, ("f",))], folder=workspace.parent / "locks", timeout_s=1), pytest.raises(ToolError, match=said):
        hands_in(workspace, wait_s=0.01).change(["f"], to("new"))
    assert not (workspace / "f").exists()


def test_encodings_stay_and_what_they_can_not_hold_is_refused(workspace: Path, hands: Hands) -> None:
    data = "\ufeffzwei\r\nZeilen".encode("utf-16-le")
    (workspace / "wide").write_bytes(data)
    (workspace / "latin").write_bytes(b"caf\xe9\n")
    hands.change(["wide"], lambda files: {"wide": files["wide"].with_text(files["wide"].text + "\n") if files["wide"] else None})
    assert (workspace / "wide").read_bytes() == data + b"\n\0"
    for name, text, message in (
        ("wide", "a\ud800", "no UTF-16 file"),
        ("latin", "cafe", "latin is not UTF-8"),
        ("new", "\udc80", "no UTF-8"),
    ):
        with pytest.raises(ToolError, match=message):
            hands.change([name], to(text))
    assert (workspace / "wide").read_bytes() == data + b"\n\0"
    assert (workspace / "latin").read_bytes() == b"caf\xe9\n"
    assert sorted(os.listdir(workspace)) == ["latin", "wide"]


def test_what_can_not_be_a_file_is_an_error_that_names_it(workspace: Path, hands: Hands) -> None:
    (workspace / "folder").mkdir()
    (workspace / "file").touch()
    os.mkfifo(workspace / "fifo")
    cases = {
        "folder": "folder is a folder",
        "fifo": "fifo is a FIFO",
        "file/below": "file/below: can't write it: Not a directory",
    }
    for name, message in cases.items():
        with pytest.raises(ToolError, match=message):
            hands.change(["good", name], to("x"))
    assert sorted(os.listdir(workspace)) == ["fifo", "file", "folder"]


_BY_HAND = """
import os, resource, sys
from pathlib import Path
from kimicode.edit.files import TextFile
from kimicode.errors import ToolError
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.hands import Hands
workspace, scratch, size, *names = sys.argv[1:]
if size == "nobody":
    if os.getuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    text = "new"
else:
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
    text = "x" * int(size)
hands = Hands(Policy(Permission.WORKSPACE, Path(workspace)), locks=Path(scratch, "locks"), journal=Path(scratch, "journal"))
for name in names:
    try:
        hands.change([name], lambda files: {name: TextFile(text)})
    except ToolError as error:
        print(error.message)
"""


def by_hand(workspace: Path, scratch: Path, *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", _BY_HAND, workspace, scratch, *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(workspace: Path, tmp_path: Path, existing: bool) -> None:
    if existing:
        (workspace / "f").write_bytes(b"old")
    assert by_hand(workspace, tmp_path, "1000000", "f").startswith("f: no space left to write it (File too large). Nothing was changed")
    assert [path.read_bytes() for path in workspace.iterdir()] == ([b"old"] if existing else [])
    assert os.listdir(tmp_path / "journal") == []


def test_write_protection_is_respected(workspace: Path, tmp_path: Path) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder in (workspace, *workspace.parents):
        # The tests' own folders are private; a process of nobody's has to come through.
        if temporary in folder.parents and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    scratch = tmp_path / "public"
    scratch.mkdir()
    scratch.chmod(0o777)
    (workspace / "locked").mkdir()
    (workspace / "locked").chmod(0o555)
    (workspace / "protected").write_text("old")
    (workspace / "protected").chmod(0o444)
    said = by_hand(workspace, scratch, "nobody", "protected", "locked/new").splitlines()
    assert said == ["protected is write-protected (mode 444). It was left as it is.", "locked/new: can't write it: Permission denied."]
    assert (workspace / "protected").read_text() == "old"
    assert os.listdir(workspace / "locked") == []
