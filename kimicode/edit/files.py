"""Text files, read strictly, and as bytes again.

Readable is what is surely text: UTF-8, or UTF-16 whose byte order mark says so; marks are taken off and remembered, newlines stay as they
are. What is not a regular file, too large, holds a NUL or does not decode is refused without blocking and left as it is. `encode` gives the
same bytes for an unchanged text, and refuses a text that the file's own encoding can't hold. Every failure is a `ToolError` that names the
file as the caller called it; a link that has been put in the way is a `RefusedError`.
What this module does not do: decide what may be touched (`sandbox.policy`), write (`files.transaction`), or guess an encoding.
"""

import codecs
import errno
import os
import stat
from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.errors import KimicodeError, RefusedError, ToolError
from kimicode.files import state
from kimicode.files.place import Place, look, open_file

MAX_BYTES: Final = 32 * 1024 * 1024
"""Larger files are refused: no one edits them by text, and holding them several times over is what memory is not for."""

Encoding: TypeAlias = Literal["utf-8", "utf-16-le", "utf-16-be"]
_MARKS: Final[Mapping[Encoding, bytes]] = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
}
_SHOWN: Final[Mapping[Encoding, str]] = {"utf-8": "UTF-8", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TextFile(msgspec.Struct, frozen=True):
    """A file's text, without the byte order mark that `bom` remembers; newlines exactly as on disk.

    `digest` names the bytes that were read (`files.state.digest`); it is empty for a text that comes from elsewhere.
    """

    text: str
    bom: bool = False
    encoding: Encoding = "utf-8"
    digest: str = ""

    def with_text(self, text: str) -> "TextFile":
        """Another text in the same encoding."""
        return TextFile(text, self.bom, self.encoding)


def read_text(place: Place, name: str, *, max_bytes: int = MAX_BYTES) -> TextFile:
    """The text at `place`, called `name` in messages. Raises `ToolError` for everything that is not a readable text file."""
    return decode(read_bytes(place, name, max_bytes=max_bytes), name)


def read_bytes(place: Place, name: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `max_bytes`. Never blocks on a FIFO or a device, nor on a file that grows."""
    try:
        # The kind is asked for first: opening some devices has effects of its own.
        found = look(place)
        if found is not None:
            require_regular(found, name)
        with open(open_file(place), "rb", buffering=0) as file:
            require_regular(os.fstat(file.fileno()), name)
            data = _at_most(file.fileno(), max_bytes + 1)
    except OSError as error:
        raise failed(name, "read", error) from error
    if len(data) > max_bytes:
        raise ToolError(f"{name} is larger than {max_bytes // 1024} KiB. Use grep, or the shell (head, tail, sed -n) for a part of it.")
    return data


def decode(data: bytes, name: str) -> TextFile:
    """The text that `data` surely is. Raises `ToolError`."""
    encoding, bom = _encoding(data)
    start = len(_MARKS[encoding]) if bom else 0
    if encoding == "utf-8" and b"\0" in data:
        raise ToolError(f"{name} is a binary file ({len(data)} bytes): it has a NUL byte at offset {data.index(0)}.")
    try:
        text = data[start:].decode(encoding)
    except UnicodeDecodeError as error:
        offset = error.start + start
        what = f"{_SHOWN[encoding]} text: byte 0x{data[offset]:02x} at offset {offset}"
        raise ToolError(f"{name} is not {what}. It was left as it is.") from error
    if encoding != "utf-8" and "\0" in text:
        raise ToolError(f"{name} is a binary file ({len(data)} bytes): it starts like UTF-16 but has a NUL.")
    return TextFile(text, bom, encoding, state.digest(data))


def encode(file: TextFile, name: str = "the file") -> bytes:
    """The bytes of `file`. Raises `ToolError` for what its encoding can't hold."""
    try:
        data = file.text.encode(file.encoding)
    except UnicodeEncodeError as error:
        shown, code = _SHOWN[file.encoding], ord(file.text[error.start])
        raise ToolError(f"{name}: the text has a lone surrogate (U+{code:04X}), which no {shown} file can hold.") from error
    return _MARKS[file.encoding] + data if file.bom else data


def failed(name: str, what: str, error: OSError) -> KimicodeError:
    """An operating system's error about the file `name` in words for the model; `what` is `read` or `write`."""
    if error.errno == errno.ELOOP:
        hint = "Look at what is there now, and use the real path."
        return RefusedError(f"{name}: a link was put in its way after it had been checked. Nothing was changed.", hint=hint)
    if error.errno in _NO_SPACE:
        return ToolError(f"{name}: no space left to write it ({error.strerror}). Nothing was changed; free some space and try again.")
    return ToolError(f"{name}: can't {what} it: {error.strerror or error}.")


def require_regular(found: os.stat_result, name: str) -> None:
    """`ToolError` for what is not a regular file; `RefusedError` for a link: a checked place had none."""
    if stat.S_ISLNK(found.st_mode):
        raise failed(name, "open", OSError(errno.ELOOP, os.strerror(errno.ELOOP)))
    if not stat.S_ISREG(found.st_mode):
        raise ToolError(f"{name} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'not a regular file')}, not a file with text.")


def _encoding(data: bytes) -> tuple[Encoding, bool]:
    for encoding, mark in _MARKS.items():
        if data.startswith(mark):
            return encoding, True
    return "utf-8", False


def _at_most(descriptor: int, count: int) -> bytes:
    pieces = []
    while count and (piece := os.read(descriptor, min(count, 1 << 20))):
        pieces.append(piece)
        count -= len(piece)
    return b"".join(pieces)
