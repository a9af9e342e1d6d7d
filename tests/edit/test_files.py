"""Text files: what is refused, what is kept, and that a failed write leaves the old file and nothing else."""

import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.edit.files import TextFile, read_bytes, read_text, write_bytes, write_text
from kimicode.errors import ToolError


@pytest.mark.parametrize(
    ("data", "text", "bom"),
    [
        (b"", "", False),
        (b"a\r\nb\n", "a\r\nb\n", False),
        (b"a\rb", "a\rb", False),
        (b"\xef\xbb\xbfa\n", "a\n", True),
        (b"\xef\xbb\xbf", "", True),
        ("\u2028\x0c\u00e9".encode(), "\u2028\x0c\u00e9", False),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", "\ufeffa", True),
    ],
)
def test_what_is_read_is_written_back_byte_for_byte(tmp_path: Path, data: bytes, text: str, bom: bool) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    file = read_text(path, "f")
    assert file == TextFile(text, bom)
    write_text(path, "f", file)
    assert path.read_bytes() == data


@settings(deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), bom=st.booleans())
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, text: str, bom: bool) -> None:
    path = tmp_path_factory.mktemp("any") / "f"
    if text.startswith("\ufeff"):
        bom = True
    write_text(path, "f", TextFile(text, bom))
    assert read_text(path, "f") == TextFile(text, bom)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"ab\0c", "binary file (4 bytes): it has a NUL byte at offset 2"),
        (b"ab\xffc", "not UTF-8 text: byte 0xff at offset 2"),
        (b"\xef\xbb\xbfab\xff", "byte 0xff at offset 5"),
        ("é".encode()[:1], "not UTF-8 text: byte 0xc3 at offset 0"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b"\xc0\x80", "not UTF-8"),
        ("hé".encode("latin-1"), "not UTF-8"),
        ("hello".encode("utf-16"), "UTF-16"),
        ("hello".encode("utf-16-be"), "binary"),
    ],
)
def test_what_is_not_utf8_is_refused_with_the_offset(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(data)
    with pytest.raises(ToolError, match=r"^name") as caught:
        read_text(path, "name")
    assert message in caught.value.message
    assert path.read_bytes() == data


def test_what_is_no_file_is_refused_without_blocking(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(tmp_path, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    cases = {"fifo": "a FIFO", "socket": "a socket", ".": "a folder", "/dev/zero": "a device", "/dev/full": "a device"}
    for name, kind in cases.items():
        with pytest.raises(ToolError, match=kind):
            read_bytes(tmp_path / name, name)
        with pytest.raises(ToolError, match=kind):
            write_bytes(tmp_path / name, name, b"x")
    assert (tmp_path / "fifo").is_fifo()


def test_a_large_file_is_refused_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    path.touch()
    os.truncate(path, 2 * 1024**3)
    with pytest.raises(ToolError, match=r"sparse is larger than 32768 KiB\. Use grep"):
        read_text(path, "sparse")


def test_a_file_without_a_size_is_bounded_by_what_it_gives(tmp_path: Path) -> None:
    # /proc files say that they have 0 bytes.
    with pytest.raises(ToolError, match="larger"):
        read_bytes(Path("/proc/self/maps"), "maps", max_bytes=10)
    assert read_bytes(Path("/proc/self/comm"), "comm") != b""


def test_missing_and_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="gone: can't read it: No such file"):
        read_text(tmp_path / "gone", "gone")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ToolError, match="loop"):
        read_text(tmp_path / "loop", "loop")
    with pytest.raises(ToolError, match="can't write it"):
        write_bytes(tmp_path / ("x" * 300), "long", b"")


def test_mode_and_link_are_kept(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "target"
    target.parent.mkdir()
    target.write_text("old")
    target.chmod(0o751)
    link = tmp_path / "link"
    link.symlink_to("deep/target")
    write_bytes(link, "link", b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o7777 == 0o751
    assert os.listdir(target.parent) == ["target"]


def test_a_dangling_link_makes_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write_bytes(tmp_path / "link", "link", b"new")
    assert (tmp_path / "target").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


def test_a_hard_link_elsewhere_keeps_the_old_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    os.link(tmp_path / "a", tmp_path / "b")
    write_bytes(tmp_path / "a", "a", b"new")
    assert (tmp_path / "b").read_text() == "old"


def test_new_files_follow_the_umask_and_folders_are_made(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a" / "b" / "c", "c", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a" / "b" / "c").stat().st_mode & 0o777 == 0o640


def test_a_file_as_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ToolError, match="can't write it"):
        write_bytes(tmp_path / "file" / "below", "file/below", b"x")


def test_a_lone_surrogate_can_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"lone surrogate \(U\+D800\)"):
        write_text(tmp_path / "f", "f", TextFile("a\ud800"))
    assert os.listdir(tmp_path) == []


_FULL_DISK = """
import resource, sys
from pathlib import Path
from kimicode.edit.files import write_bytes
from kimicode.errors import ToolError
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
try:
    write_bytes(Path(sys.argv[1]), "f", b"x" * 1_000_000)
except ToolError as error:
    print(error.message)
"""


@pytest.mark.parametrize("existing", [True, False])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, existing: bool) -> None:
    path = tmp_path / "f"
    if existing:
        path.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(path)], capture_output=True, text=True, check=True)
    assert "f: no space left to write it" in done.stdout
    assert os.listdir(tmp_path) == (["f"] if existing else [])
    assert not existing or path.read_bytes() == b"old"
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10_000


_AS_NOBODY = """
import os, sys
from pathlib import Path
from kimicode.edit.files import write_bytes
from kimicode.errors import ToolError
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for name in sys.argv[1:]:
    try:
        write_bytes(Path(name), Path(name).name, b"new")
    except ToolError as error:
        print(error.message)
"""


def test_write_protection_is_respected(tmp_path: Path) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder in (tmp_path, *tmp_path.parents):
        # The tests' own folders are private; a process of nobody's has to come through.
        if temporary in folder.parents and folder.stat().st_uid == os.getuid():
            folder.chmod(folder.stat().st_mode | 0o011)
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    protected = tmp_path / "protected"
    protected.write_text("old")
    protected.chmod(0o444)
    done = subprocess.run([sys.executable, "-c", _AS_NOBODY, protected, locked / "new"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "protected is write-protected (mode 444)" in done.stdout
    assert "new: can't write it: Permission denied" in done.stdout
    assert protected.read_text() == "old"
    assert os.listdir(locked) == []
