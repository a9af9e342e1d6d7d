"""The session log: events as JSON Lines, appended and synced one by one, read back whatever happened to the writer.

Promises:
- `append` returns only when the event is on disk (one `write` of the line with its newline, then `fsync`); a process killed at any
  point loses at most the event it was writing;
- a line that could not be written whole (disk full) is cut away again, so the file stays valid and later appends may succeed;
- one writer at a time: the file is locked while it is open for appending;
- only `\\n` ends a line. A last line without one was torn by a crash: readers ignore it, and opening for append cuts it off.
  An earlier line that is no event is damage, and an error that names the line.

What this module does not do: decide where logs live (`store`) or what events mean (`replay`).
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from kimicode.errors import SessionError
from kimicode.events import Event, decode_event, encode_event
from kimicode.session.private import make_private, sync_folder

Write = Callable[[int, bytes], int]
"""`os.write`'s form: file descriptor and bytes in, how many were taken out."""

_CHUNK = 1 << 16


class SessionLog:
    """A log open for appending. Use as a context manager or call `close`. `write` replaces `os.write` where faults are injected."""

    def __init__(self, path: Path, *, create: bool = False, write: Write = os.write) -> None:
        """Open `path` and lock it; `create` demands that it is new.

        Raises `SessionError` where it can't be opened or another process has it, `FileExistsError` where `create` finds it.
        """
        self.path = path
        self._write = write
        self._fd = _open(path, create=create)
        try:
            _lock(self._fd, path)
            self._end = _valid_end(self._fd)
            self._torn = os.fstat(self._fd).st_size != self._end
            self._cut_torn_tail()
        except OSError as error:
            os.close(self._fd)
            raise _failure("open", path, error) from error
        except SessionError:
            os.close(self._fd)
            raise

    def append(self, event: Event) -> None:
        """Put `event` on disk. Raises `SessionError` where that is impossible; the log then holds what it held before."""
        line = encode_event(event) + b"\n"
        try:
            self._cut_torn_tail()
            self._torn = True
            rest = line
            while rest:
                rest = rest[self._write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError as error:
            self._try_to_cut()
            raise _failure("write", self.path, error) from error
        self._torn = False
        self._end += len(line)

    def close(self) -> None:
        """Release the file and its lock. A second call does nothing."""
        if self._fd >= 0:
            # A child that another thread is just starting has a copy of the descriptor until it execs, and the lock is of both.
            fcntl.flock(self._fd, fcntl.LOCK_UN)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> "SessionLog":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _cut_torn_tail(self) -> None:
        if self._torn:
            os.ftruncate(self._fd, self._end)
            os.fsync(self._fd)
            self._torn = False

    def _try_to_cut(self) -> None:
        # A disk that refuses even this keeps a torn last line, which every reader ignores; the next append tries again.
        try:
            self._cut_torn_tail()
        except OSError:
            return


def read_events(path: Path) -> Iterator[Event]:
    """The events in the log at `path`, in order; a torn last line is ignored.

    Raises `SessionError` where the file can't be read or a line before the last is no event.
    """
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return
                yield _decode(line, path, number)
    except OSError as error:
        raise _failure("read", path, error) from error


def _decode(line: bytes, path: Path, number: int) -> Event:
    try:
        return decode_event(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SessionError(
            f"{path}, line {number}: not a session event ({error})",
            hint=f"The log is damaged there. To go on with what came before: head -n {number - 1} {path} > COPY.jsonl",
        ) from error


def _open(path: Path, *, create: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_EXCL if create else 0)
    try:
        make_private(path.parent)
        fd = os.open(path, flags, 0o600)
        try:
            sync_folder(path.parent)
        except OSError:
            os.close(fd)
            raise
        return fd
    except FileExistsError:
        raise
    except OSError as error:
        raise _failure("open", path, error) from error


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise SessionError(f"{path}: another kimicode is using this session", hint="Close it first, or start a new session.") from error


def _valid_end(fd: int) -> int:
    """The offset just behind the last newline: where the last whole line ends."""
    start = os.fstat(fd).st_size
    while start > 0:
        size = min(_CHUNK, start)
        start -= size
        newline = os.pread(fd, size, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
    return 0


def _failure(doing: str, path: Path, error: OSError) -> SessionError:
    return SessionError(
        f"can't {doing} the session log {path}: {error.strerror or error}",
        hint="Free some space or set KIMICODE_HOME to a folder that can be written, then go on with --continue.",
    )
