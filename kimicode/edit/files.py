"""Text files, read strictly and written atomically.

Reading: UTF-8 or nothing; a byte order mark is taken off and remembered; newlines stay as they are; what is not a regular file, too
large, or holds a NUL is refused without blocking. Writing: a temporary file in the same folder, fsync, rename, so that a reader sees the
old file or the new one, and a full disk leaves the old one and nothing else. Mode, owner and a symbolic link's place are kept;
a hard link is not: the other names keep the old text. Every failure is a `ToolError` that names the file as the caller called it.
What this module does not do: decide what may be touched (`sandbox.policy`) or what the new text is (`edit.replace`).
"""

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError

MAX_BYTES: Final = 32 * 1024 * 1024
"""Larger files are refused: no one edits them by text, and holding them several times over is what memory is not for."""

_BOM: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_NO_SPACE: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class TextFile(msgspec.Struct, frozen=True):
    """A file's text, without the byte order mark that `bom` remembers; newlines exactly as on disk."""

    text: str
    bom: bool = False


def read_text(path: Path, name: str, *, max_bytes: int = MAX_BYTES) -> TextFile:
    """The text of `path`, called `name` in messages. Raises `ToolError` for everything that is not a readable UTF-8 text file."""
    data = read_bytes(path, name, max_bytes=max_bytes)
    bom = data.startswith(_BOM)
    if data.startswith(_UTF16_MARKS):
        raise ToolError(f"{name} is UTF-16, not UTF-8. Convert a copy with the shell (iconv -f UTF-16 -t UTF-8) to look at it.")
    if b"\0" in data:
        raise ToolError(f"{name} is a binary file ({len(data)} bytes): it has a NUL byte at offset {data.index(0)}.")
    try:
        return TextFile(data[len(_BOM) if bom else 0 :].decode("utf-8"), bom)
    except UnicodeDecodeError as error:
        offset = error.start + (len(_BOM) if bom else 0)
        raise ToolError(f"{name} is not UTF-8 text: byte 0x{data[offset]:02x} at offset {offset}. It was left as it is.") from error


def read_bytes(path: Path, name: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file of at most `max_bytes`. Never blocks on a FIFO or a device, nor on a file that grows."""
    try:
        # The kind is asked for first: opening some devices has effects of its own.
        _require_regular(path.stat(), name)
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            _require_regular(os.fstat(file.fileno()), name)
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise failed(name, "read", error) from error
    if len(data) > max_bytes:
        raise ToolError(f"{name} is larger than {max_bytes // 1024} KiB. Use grep, or the shell (head, tail, sed -n) for a part of it.")
    return data


def write_text(path: Path, name: str, file: TextFile) -> None:
    """Put `file` at `path`, whole or not at all. Raises `ToolError`; then the old file is untouched and no temporary one is left."""
    try:
        data = file.text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(file.text[error.start])
        raise ToolError(f"{name}: the text has a lone surrogate (U+{code:04X}), which no UTF-8 file can hold.") from error
    write_bytes(path, name, _BOM + data if file.bom else data)


def write_bytes(path: Path, name: str, data: bytes) -> None:
    """`write_text` for bytes. Missing parent folders are made; a symbolic link stays and its target is replaced."""
    try:
        target = Path(os.path.realpath(path))
        old = _old_file(target, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, old, data)
    except OSError as error:
        raise failed(name, "write", error) from error


def failed(name: str, what: str, error: OSError) -> ToolError:
    """An operating system's error about the file `name` in words for the model; `what` is `read` or `write`."""
    if error.errno in _NO_SPACE:
        return ToolError(f"{name}: no space left to write it ({error.strerror}). Nothing was changed; free some space and try again.")
    return ToolError(f"{name}: can't {what} it: {error.strerror or error}.")


def _old_file(target: Path, name: str) -> os.stat_result | None:
    try:
        old = target.stat()
    except FileNotFoundError:
        return None
    _require_regular(old, name)
    if not os.access(target, os.W_OK):
        raise ToolError(f"{name} is write-protected (mode {stat.S_IMODE(old.st_mode):o}). It was left as it is.")
    return old


def _replace(target: Path, old: os.stat_result | None, data: bytes) -> None:
    temporary = target.with_name(f".kimicode-{secrets.token_hex(8)}.tmp")
    # 0o666 lets the kernel apply the umask, as for any new file.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _keep_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode))


def _sync_folder(folder: Path) -> None:
    # Some file systems can't sync a folder; the rename is then as durable as they make it.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _require_regular(found: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ToolError(f"{name} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'not a regular file')}, not a file with text.")
