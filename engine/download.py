"""Files from a hub onto the disk: resumed where a run was killed, verified, and only then under their names.

What has come of a file lies in `.pull/` of the target folder, as `PATH.DIGEST.part`; it is renamed when its size and checksum are right,
and `.pull/PATH.json` then records size, time and checksum, so that the next run knows the file without reading it. A file under its own
name is always whole. What this module does not do: choose files (`engine.pull`), or know a hub (`engine.hub`).
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TypeVar

from engine.convert.conversion import Progress, Report
from engine.hub import Body, TransientError
from engine.plain import size_of
from engine.pull import HIDDEN, RemoteFile, TryAgainError, safe_path

ATTEMPTS: Final = 8
"""How often in a row a request may bring nothing before giving up: two minutes with the waits between."""

SEGMENT: Final = 8 << 30
"""Bytes asked for at a time: content networks send no more than 50 GB at once, and a link is valid for about an hour."""

_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
_CHUNK: Final = 1 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

T = TypeVar("T")
Wait = Callable[[float], None]
Open = Callable[[RemoteFile, int, int], AbstractContextManager[Body]]
"""The bytes of a file from one place to another, as `Hub.body` gives them."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def free_bytes(folder: Path) -> int:
    """What this user can still write into `folder`, which need not exist."""
    return shutil.disk_usage(next(place for place in (folder, *folder.parents) if place.exists())).free


def retried(attempt: Callable[[], T], wait: Wait, attempts: int = ATTEMPTS) -> T:
    """What `attempt` returns; after a `TransientError` it is made again, and after the last of them its final error raised."""
    for failures in range(1, attempts + 1):
        try:
            return attempt()
        except TransientError as error:
            if failures == attempts:
                raise error.final from None
            wait(_delay(failures, error))
    raise AssertionError("at least one attempt")


def _delay(failures: int, error: TransientError) -> float:
    return error.retry_after or min(_FIRST_WAIT * 2 ** (failures - 1), _LONGEST_WAIT)


class Downloader:
    """Fetches files into `folder`. Nothing else may write there meanwhile; a second downloader is refused."""

    def __init__(
        self,
        folder: Path,
        source: Open,
        report: Report,
        wait: Wait = time.sleep,
        free: Callable[[Path], int] = free_bytes,
        segment: int = SEGMENT,
    ) -> None:
        self._folder = folder
        self._source = source
        self._report = report
        self._wait = wait
        self._free = free
        self._segment = segment
        self._done = self._total = 0

    def pull(self, files: Sequence[RemoteFile]) -> tuple[Path, ...]:
        """Fetch what is not there yet, in order; the files' places. Raises `PullError` and, for the target folder's faults, `OSError`."""
        self._total, self._done = sum(file.size for file in files), 0
        with self._locked():
            wanted = [file for file in files if not self._is_there(file)]
            self._check_space(wanted)
            self._done = sum(file.size for file in files if file not in wanted)
            for file in wanted:
                self._fetch(file)
                self._done += file.size
        return tuple(self._place(file) for file in files)

    def _place(self, file: RemoteFile) -> Path:
        return self._folder / safe_path(file.path)

    def _hidden(self, file: RemoteFile, end: str) -> Path:
        path = self._folder / HIDDEN / safe_path(file.path)
        return path.with_name(path.name + end)

    def _part(self, file: RemoteFile) -> Path:
        return self._hidden(file, f".{file.digest[:16]}.part")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        folder = self._folder / HIDDEN
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TryAgainError(f"another pull writes into {self._folder}: wait until it has ended") from None
            yield
        finally:
            os.close(descriptor)

    def _is_there(self, file: RemoteFile) -> bool:
        """Whether the file lies under its name, by the record of an earlier run or else by its checksum."""
        place, marker = self._place(file), self._hidden(file, ".json")
        if not place.is_file() or place.stat().st_size != file.size:
            return False
        if _read(marker) == _record(place, file):
            return True
        with place.open("rb", buffering=0) as stream:
            right = self._hash(file, stream, file.size).hexdigest() == file.digest
        if right:
            self._remember(file)
        return right

    def _check_space(self, wanted: Sequence[RemoteFile]) -> None:
        needed = sum(max(file.size - _size(self._part(file)), 0) for file in wanted)
        free = self._free(self._folder)
        if needed > free:
            raise TryAgainError(
                f"{self._folder}: {size_of(needed)} are still to come, but only {size_of(free)} are free: "
                f"make {size_of(needed - free)} more free, or choose another folder with --to"
            )

    def _fetch(self, file: RemoteFile) -> None:
        part, place = self._part(file), self._place(file)
        part.parent.mkdir(parents=True, exist_ok=True)
        self._forget_others(file)
        with open(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644), "r+b", buffering=0) as stream:
            transfer = self._resumed(file, stream)
            try:
                self._fill(transfer)
                os.fsync(stream.fileno())
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                raise TryAgainError(
                    f"{self._folder}: the disk is full; {size_of(file.size - transfer.at)} of {file.path} are still to come: "
                    "make room and run the same command again, it goes on from there"
                ) from None
        if transfer.hash.hexdigest() != file.digest:
            part.unlink()
            raise TryAgainError(f"{file.path} came with a wrong checksum and was removed: run the same command again to fetch it anew")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(part, place)
        _sync(place.parent)
        self._remember(file)

    def _forget_others(self, file: RemoteFile) -> None:
        """Remove what had come of other versions of this file."""
        keep = self._part(file)
        for other in keep.parent.iterdir():
            if other.name.startswith(f"{Path(file.path).name}.") and other.suffix == ".part" and other != keep:
                other.unlink()

    def _resumed(self, file: RemoteFile, stream: BinaryIO) -> "_Transfer":
        there = os.fstat(stream.fileno()).st_size
        if there > file.size:
            os.ftruncate(stream.fileno(), 0)
            there = 0
        return _Transfer(file, stream, there, self._hash(file, stream, there))

    def _hash(self, file: RemoteFile, stream: BinaryIO, length: int) -> _Hash:
        """The checksum so far, of the first `length` bytes."""
        found, at = _new_hash(file), 0
        while at < length:
            data = stream.read(min(_CHUNK, length - at))
            if not data:
                break
            found.update(data)
            at += len(data)
            self._report(Progress(f"checking {file.path}:", at, length))
        return found

    def _fill(self, transfer: "_Transfer") -> None:
        file, failures, furthest = transfer.file, 0, transfer.at
        while transfer.at < file.size:
            try:
                self._receive(transfer)
            except TransientError as error:
                # A server that ignores ranges starts anew each time; only what goes further than ever before is an advance.
                failures = 1 if transfer.at > furthest else failures + 1
                if failures >= ATTEMPTS:
                    raise error.final from None
                furthest = max(furthest, transfer.at)
                self._wait(_delay(failures, error))

    def _receive(self, transfer: "_Transfer") -> None:
        """Everything that one request brings. Raises `TransientError` if that is less than was asked for."""
        file, end = transfer.file, min(transfer.at + self._segment, transfer.file.size)
        with self._source(file, transfer.at, end) as body:
            if body.start != transfer.at:
                transfer.restart()
            for chunk in body.chunks:
                transfer.write(chunk[: file.size - transfer.at])
                self._report(Progress("downloading", self._done + transfer.at, self._total))
                if transfer.at == file.size:
                    break
        if transfer.at < end:
            raise TransientError(TryAgainError(f"{file.path} ended after {transfer.at:,} of {file.size:,} bytes: run the command again"))

    def _remember(self, file: RemoteFile) -> None:
        marker = self._hidden(file, ".json")
        marker.parent.mkdir(parents=True, exist_ok=True)
        fresh = marker.with_name(marker.name + ".new")
        fresh.write_text(json.dumps(_record(self._place(file), file)), "utf-8")
        os.replace(fresh, marker)


class _Transfer:
    """A file on its way: `at` bytes are on the disk, and `hash` is of them."""

    def __init__(self, file: RemoteFile, stream: BinaryIO, at: int, found: _Hash) -> None:
        self.file = file
        self.at = at
        self.hash = found
        self._stream = stream

    def restart(self) -> None:
        """Throw away what has come."""
        self._stream.seek(0)
        self._stream.truncate()
        self.at, self.hash = 0, _new_hash(self.file)

    def write(self, chunk: bytes) -> None:
        """Append; on a full disk `at` counts what still went in."""
        rest = memoryview(chunk)
        while rest:
            written = self._stream.write(rest)
            self.hash.update(bytes(rest[:written]))
            self.at += written
            rest = rest[written:]


def _new_hash(file: RemoteFile) -> _Hash:
    if len(file.digest) == 64:
        return hashlib.sha256()
    # Git's name of a file's content: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def _record(place: Path, file: RemoteFile) -> dict[str, object]:
    state = place.stat()
    return {"size": state.st_size, "mtime_ns": state.st_mtime_ns, "digest": file.digest}


def _read(marker: Path) -> object:
    try:
        return json.loads(marker.read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _sync(folder: Path) -> None:
    """Make a rename last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
