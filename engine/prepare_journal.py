"""Which experts of a side file are safely on the disk, kept beside it so that a run goes on after any kind of end.

JSON lines: the first names the job, each other one the checksums of experts from some number on, which replace those that were told
before. A line is written after its experts are durable; one that a crash tore is ignored. Holding the journal open locks the side file.
What this module does not do: look at the side file.
"""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import msgspec

from engine.convert.disk import reported, sync_folder
from engine.errors import EngineError
from engine.side_file import DIGEST


@dataclass(frozen=True)
class _Job:
    job: str


@dataclass(frozen=True)
class _Done:
    first: int
    digests: str


class Journal:
    """The journal at `path` of the job of this name. `digests` are of the experts that are on the disk, from the first on; `other` says
    that it was another job's, which is forgotten. A context manager. Raises `EngineError` while another process holds it, and `OSError`
    where it can't be made.
    """

    def __init__(self, path: Path, job: str) -> None:
        self.path = path
        self.digests: list[bytes] = []
        self.other = False
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._load(job)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        os.close(self._file)

    def note(self, first: int, digests: Sequence[bytes]) -> None:
        """The experts from number `first` on are on the disk, those before it still; none after them. Raises `StoppedError`."""
        self.digests[first:] = digests
        self._append(_Done(first, b"".join(digests).hex()))

    def remove(self) -> None:
        """Nothing is left to remember."""
        self.path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(self._file).st_ino == self.path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise EngineError(f"{self.path}: another process prepares this model here: wait for it, or give another folder with --to")

    def _load(self, job: str) -> None:
        with open(self.path, "rb") as file:
            first, *lines = file.read().split(b"\n")
        if first == msgspec.json.encode(_Job(job)) and lines:
            whole = len(first) + 1
            for line in lines[:-1]:
                if not self._take(line):
                    break
                whole += len(line) + 1
            os.ftruncate(self._file, whole)
            os.lseek(self._file, 0, os.SEEK_END)
            return
        self.other = bool(lines)
        with reported(self.path):
            os.ftruncate(self._file, 0)
            self._append(_Job(job))
            sync_folder(self.path.parent)

    def _take(self, line: bytes) -> bool:
        with contextlib.suppress(msgspec.DecodeError, ValueError):
            done = msgspec.json.decode(line, type=_Done)
            data = bytes.fromhex(done.digests)
            if 0 <= done.first <= len(self.digests) and len(data) % DIGEST == 0:
                self.digests[done.first :] = [data[at : at + DIGEST] for at in range(0, len(data), DIGEST)]
                return True
        return False

    def _append(self, record: _Job | _Done) -> None:
        line = memoryview(msgspec.json.encode(record) + b"\n")
        with reported(self.path):
            while line:
                line = line[os.write(self._file, line) :]
            os.fsync(self._file)
