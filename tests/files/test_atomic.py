"""replace_file: the old file or the new one, with the old one's mode and owner, and never anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kimicode.files.atomic import is_temporary, replace_file, temporary_name


def test_mode_and_owner_are_kept(tree: Path, at) -> None:
    (tree / "f").write_text("old")
    (tree / "f").chmod(0o751)
    os.chown(tree / "f", 1234, 4321) if os.getuid() == 0 else None
    before = (tree / "f").stat()
    replace_file(at("f"), b"new")
    after = (tree / "f").stat()
    assert (tree / "f").read_bytes() == b"new"
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert os.listdir(tree) == ["f"]
    replace_file(at("f"), b"newer", mode=0o600)
    assert (tree / "f").stat().st_mode & 0o7777 == 0o600


def test_new_files_follow_the_umask_and_folders_are_made(tree: Path, at) -> None:
    old = os.umask(0o027)
    try:
        replace_file(at("a/b/c"), b"x")
    finally:
        os.umask(old)
    assert (tree / "a" / "b" / "c").stat().st_mode & 0o777 == 0o640
    assert (tree / "a").stat().st_mode & 0o777 == 0o750


def test_a_link_is_replaced_and_a_hard_link_left(tree: Path, at) -> None:
    (tree / "target").write_text("old")
    (tree / "link").symlink_to("target")
    os.link(tree / "target", tree / "other")
    replace_file(at("link"), b"new")
    replace_file(at("other"), b"new")
    assert not (tree / "link").is_symlink()
    assert (tree / "target").read_text() == "old"


def test_what_can_not_be_replaced_is_left_and_nothing_beside_it(tree: Path, at) -> None:
    (tree / "folder").mkdir()
    (tree / "file").write_text("x")
    (tree / "way").symlink_to("folder")
    for name, why in (("folder", "Is a dir"), ("file/below", "Not a dir"), ("way/f", "symbolic links"), ("x" * 300, "too long")):
        with pytest.raises(OSError, match=why):
            replace_file(at(name), b"new")
    assert sorted(os.listdir(tree)) == ["file", "folder", "way"]
    assert os.listdir(tree / "folder") == []


_FULL_DISK = """
import resource, sys
from pathlib import Path
from kimicode.files.atomic import replace_file
from kimicode.files.place import place_of
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    replace_file(place_of(Path(sys.argv[1])), b"x" * 1_000_000)
except OSError as error:
    print(error.strerror)
"""


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tree: Path, existing: bool) -> None:
    if existing:
        (tree / "f").write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, tree / "f"], capture_output=True, text=True, check=True)
    assert done.stdout == "File too large\n"
    assert [(name, (tree / name).read_bytes()) for name in os.listdir(tree)] == ([("f", b"old")] if existing else [])


def test_temporary_names_are_known_and_differ() -> None:
    names = {temporary_name() for _ in range(100)}
    assert len(names) == 100
    assert all(is_temporary(name) for name in names)
    assert not any(is_temporary(name) for name in ("f", ".kimicode", "x.tmp", ".kimicode-settings.toml"))
