"""Text files: what is read, what is refused, and that the bytes come back."""

import codecs
import os
import socket
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kimicode.edit.files import TextFile, decode, encode, read_bytes, read_text
from kimicode.errors import RefusedError, ToolError
from kimicode.files.place import Place, place_of
from kimicode.files.state import digest


def put(folder: Path, data: bytes) -> Place:
    (folder / "f").write_bytes(data)
    return Place(folder, ("f",))


@pytest.mark.parametrize(
    ("data", "file"),
    [
        (b"", TextFile("")),
        (b"a\r\nb\n", TextFile("a\r\nb\n")),
        (b"a\rb", TextFile("a\rb")),
        (b"\xef\xbb\xbfa\n", TextFile("a\n", True)),
        (b"\xef\xbb\xbf", TextFile("", True)),
        ("\u2028\x0c\u00e9".encode(), TextFile("\u2028\x0c\u00e9")),
        (b"\xef\xbb\xbf\xef\xbb\xbfa", TextFile("\ufeffa", True)),
        (b"\xff\xfe", TextFile("", True, "utf-16-le")),
        (b"\xff\xfeh\0\r\0\n\0", TextFile("h\r\n", True, "utf-16-le")),
        (b"\xfe\xff\0h\xd8\x3d\xde\x00", TextFile("h\U0001f600", True, "utf-16-be")),
    ],
)
def test_what_is_read_is_encoded_to_the_same_bytes(tmp_path: Path, data: bytes, file: TextFile) -> None:
    read = read_text(put(tmp_path, data), "f")
    assert (read.text, read.bom, read.encoding, read.digest) == (file.text, file.bom, file.encoding, digest(data))
    assert encode(read) == encode(file) == data


@settings(deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    kind=st.sampled_from(["utf-8", "utf-8+", "utf-16-le+", "utf-16-be+"]),
)
def test_any_text_survives(text: str, kind: str) -> None:
    file = TextFile(text, kind.endswith("+") or text.startswith("\ufeff"), kind.rstrip("+"))
    again = decode(encode(file), "f")
    assert (again.text, again.bom, again.encoding) == (file.text, file.bom, file.encoding)
    assert again.with_text("other") == TextFile("other", file.bom, file.encoding)


@settings(deadline=None)
@given(data=st.one_of(st.binary(), st.binary().map(lambda data: codecs.BOM_UTF16_LE + data)))
def test_any_bytes_are_refused_or_come_back(data: bytes) -> None:
    try:
        file = decode(data, "f")
    except ToolError:
        return
    assert encode(file) == data


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
        ("hello".encode("utf-16-be"), "binary"),
        ("hello".encode("utf-32"), "binary"),
        (codecs.BOM_UTF32_BE + "hello".encode("utf-32-be"), "binary"),
        (b"\xff\xfea", "not UTF-16 text: byte 0x61 at offset 2"),
        (b"\xfe\xff\xd8\x00\x00a", "not UTF-16 text: byte 0xd8 at offset 2"),
        (b"\xff\xfea\0\0\0", "binary"),
    ],
)
def test_what_is_surely_no_text_is_refused_with_the_offset(tmp_path: Path, data: bytes, message: str) -> None:
    place = put(tmp_path, data)
    with pytest.raises(ToolError, match=r"^name") as caught:
        read_text(place, "name")
    assert message in caught.value.message
    assert place.path.read_bytes() == data


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
            read_bytes(place_of((tmp_path / name).resolve()), name)


def test_a_large_file_is_refused_and_not_held(tmp_path: Path) -> None:
    place = put(tmp_path, b"")
    os.truncate(place.path, 2 * 1024**3)
    with pytest.raises(ToolError, match=r"sparse is larger than 32768 KiB\. Use grep"):
        read_text(place, "sparse")


def test_a_file_without_a_size_is_bounded_by_what_it_gives() -> None:
    # /proc files say that they have 0 bytes.
    here = Place(Path("/proc"), (str(os.getpid()), "maps"))
    with pytest.raises(ToolError, match="larger"):
        read_bytes(here, "maps", max_bytes=10)
    assert read_bytes(here.parent.child("comm"), "comm") != b""


def test_missing_and_led_astray(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="gone: can't read it: No such file"):
        read_text(Place(tmp_path, ("gone",)), "gone")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "f").write_text("x")
    (tmp_path / "link").symlink_to("folder/f")
    (tmp_path / "way").symlink_to("folder")
    for parts in (("link",), ("way", "f")):
        with pytest.raises(RefusedError, match="name: a link was put in its way"):
            read_text(Place(tmp_path, parts), "name")


@pytest.mark.parametrize(("file", "shown"), [(TextFile("a\ud800"), "UTF-8"), (TextFile("a\ud800", True, "utf-16-le"), "UTF-16")])
def test_a_lone_surrogate_can_not_be_encoded(file: TextFile, shown: str) -> None:
    with pytest.raises(ToolError, match=rf"f: the text has a lone surrogate \(U\+D800\), which no {shown} file can hold"):
        encode(file, "f")
