"""Places: opened without following a link, wherever it was put."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kimicode.files.place import Place, look, open_file, open_folder, open_parent, place_of
from kimicode.files.state import MISSING, FileState, digest, state_of


def test_what_is_there_is_opened(tree: Path, at) -> None:
    (tree / "a").mkdir()
    (tree / "a" / "f").write_bytes(b"text")
    with open(open_file(at("a/f")), "rb") as file:
        assert file.read() == b"text"
    with open_folder(at("a")) as folder:
        assert os.listdir(folder) == ["f"]
    assert (at("a/f").path, at("a/f").parent, at("a").child("f")) == (tree / "a" / "f", at("a"), at("a/f"))
    assert place_of(tree / "a").path == tree / "a"
    assert look(Place(tree)) is not None
    assert look(at("a/g")) is None
    assert look(at("a/f/below")) is None


@pytest.mark.parametrize("name", ["way/f", "way/deep/f", "a/way/f", "a/link"])
def test_a_link_anywhere_is_an_error_that_says_so(tree: Path, tmp_path: Path, at, name: str) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    (outside / "f").write_text("secret")
    (outside / "deep" / "f").write_text("secret")
    (tree / "a").mkdir()
    (tree / "way").symlink_to(outside)
    (tree / "a" / "way").symlink_to(outside)
    (tree / "a" / "link").symlink_to(outside / "f")
    with pytest.raises(OSError, match="symbolic links") as caught:
        open_file(at(name))
    assert caught.value.errno == errno.ELOOP
    if not name.endswith("link"):
        for create in (False, True):
            with pytest.raises(OSError, match="symbolic links"), open_parent(at(name), create=create):
                pass


def test_missing_folders_are_made_on_request(tree: Path, at) -> None:
    with pytest.raises(FileNotFoundError), open_parent(at("a/b/f")):
        pass
    with open_parent(at("a/b/f"), create=True) as folder:
        assert os.listdir(folder) == []
    assert (tree / "a" / "b").is_dir()


def test_states(tree: Path, at) -> None:
    (tree / "f").write_bytes(b"text")
    (tree / "f").chmod(0o640)
    (tree / "folder").mkdir(mode=0o750)
    (tree / "link").symlink_to("f")
    os.mkfifo(tree / "fifo", 0o600)
    assert state_of(at("f")) == FileState("file", 0o640, digest(b"text"), size=4)
    assert state_of(at("folder")) == FileState("folder", 0o750)
    assert state_of(at("link")) == FileState("link", target="f")
    assert state_of(at("fifo")) == FileState("other", 0o600)
    assert state_of(at("none")) == state_of(at("none/below")) == state_of(at("f/below")) == MISSING
    assert state_of(Place(tree)).kind == "folder"
    with pytest.raises(OSError, match="symbolic links"):
        state_of(at("link/below"))


_AS_NOBODY = """
import os, sys
from pathlib import Path
from kimicode.files.place import Place, open_file
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
with open(open_file(Place(Path(sys.argv[1]), ("passed", "f"))), "rb") as file:
    print(file.read())
"""


def test_a_folder_that_can_not_be_listed_can_be_passed(tree: Path) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder in (tree, *tree.parents):
        # The tests' own folders are private; a process of nobody's has to come through.
        if temporary in folder.parents and folder.stat().st_uid == os.getuid():
            folder.chmod(0o711)
    (tree / "passed").mkdir()
    (tree / "passed" / "f").write_text("text")
    (tree / "passed").chmod(0o111)
    done = subprocess.run([sys.executable, "-c", _AS_NOBODY, tree], stdout=subprocess.PIPE, text=True, check=True)
    (tree / "passed").chmod(0o755)
    assert done.stdout == "b'text'\n"
