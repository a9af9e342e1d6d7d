"""What a conversion has finished, kept beside its output so that the next run can go on after any kind of end.

JSON lines, each made durable after what it tells of; a line torn by a crash is ignored. The first says which job this is, so that
output with other options is never continued; each tensor has the state of the files that it is made from, so that a file downloaded
again costs only what came from it and after. Holding the journal open locks the target. What this module does
not do: trust the data it tells of (`engine.convert.write` checks every tensor's checksum again).
"""

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from engine.convert.disk import reported, sync_folder
from engine.convert.encode import Kind
from engine.errors import EngineError, ModelFileError


class Journal:
    """The journal at `path` for the job with this fingerprint; `resumed` says whether there was one. A context manager.

    Raises `EngineError` while another process holds it, and `ModelFileError` where it is another job's.
    """

    def __init__(self, path: Path, job: str) -> None:
        self.path = path
        with reported(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._kinds: tuple[str, dict[str, Kind]] | None = None
        self._checksums: dict[tuple[int, int], tuple[str, int]] = {}
        self._sealed: dict[int, str] = {}
        try:
            self._lock()
            self.resumed = self._load(job)
            if not self.resumed:
                self._start(job)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        os.close(self._file)

    def kinds(self, origin: str) -> Mapping[str, Kind] | None:
        """The types of INT4 tensors, once they are known for the checkpoint in this state."""
        return self._kinds[1] if self._kinds and self._kinds[0] == origin else None

    def checksum(self, part: int, tensor: int, origin: str) -> int | None:
        """The CRC-32 of a finished tensor with its padding, if it was made from files in this state."""
        found = self._checksums.get((part, tensor))
        return found[1] if found and found[0] == origin else None

    def sealed(self, part: int, origins: Sequence[str]) -> str | None:
        """The SHA-256 of a finished part, if all its tensors were made from files in these states."""
        current = all(self.checksum(part, tensor, origin) is not None for tensor, origin in enumerate(origins))
        return self._sealed.get(part) if current else None

    def settle(self, kinds: Mapping[str, Kind], origin: str) -> None:
        """Remember the types of INT4 tensors."""
        self._append({"kinds": {name: int(kind) for name, kind in kinds.items()}, "origin": origin})

    def finish(self, part: int, tensor: int, checksum: int, origin: str) -> None:
        """Remember a tensor that is on the disk."""
        self._checksums[part, tensor] = origin, checksum
        self._append({"part": part, "tensor": tensor, "crc32": checksum, "origin": origin})

    def seal(self, part: int, digest: str) -> None:
        """Remember a part that is complete."""
        self._sealed[part] = digest
        self._append({"part": part, "sha256": digest})

    def remove(self) -> None:
        """The conversion is done: nothing is left to remember."""
        self.path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(self._file).st_ino == self.path.stat().st_ino
        except (BlockingIOError, FileNotFoundError):
            mine = False
        if not mine:
            raise EngineError(f"{self.path}: another process is writing this model: wait for it, or choose another name")

    def _load(self, job: str) -> bool:
        data = _read(self._file)
        whole = 0
        for line in data.split(b"\n")[:-1]:
            if not self._apply(line, job, first=whole == 0, worth=b'"crc32"' in data):
                break
            whole += len(line) + 1
        os.ftruncate(self._file, whole)
        os.lseek(self._file, 0, os.SEEK_END)
        return whole > 0

    def _apply(self, line: bytes, job: str, *, first: bool, worth: bool) -> bool:
        """Take in one line; False where it is damaged, or another job's that has done nothing `worth` keeping."""
        try:
            record = json.loads(line)
        except ValueError:
            return False
        match record:
            case {"job": str(given)} if first:
                if given != job and worth:
                    raise ModelFileError(
                        f"{self.path}: a conversion of another checkpoint or with other options stopped here: "
                        "repeat that command to finish it, or remove this file to start over"
                    )
                return given == job
            case _ if first:
                return False
            case {"kinds": dict(kinds), "origin": str(origin)}:
                self._kinds = origin, {name: Kind(number) for name, number in kinds.items()}
            case {"part": int(part), "tensor": int(tensor), "crc32": int(checksum), "origin": str(origin)}:
                self._checksums[part, tensor] = origin, checksum
            case {"part": int(part), "sha256": str(digest)}:
                self._sealed[part] = digest
            case _:
                return False
        return True

    def _start(self, job: str) -> None:
        self._append({"job": job})
        sync_folder(self.path.parent)

    def _append(self, record: Mapping[str, object]) -> None:
        line = memoryview(json.dumps(record).encode() + b"\n")
        with reported(self.path):
            while line:
                line = line[os.write(self._file, line) :]
            os.fdatasync(self._file)


def _read(file: int) -> bytes:
    pieces = []
    while piece := os.read(file, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)
