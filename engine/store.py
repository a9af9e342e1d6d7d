"""Saved cells on disk: blocks of a fixed number of tokens, each named by everything before it, so that equal prefixes are one file.

A block's key is the hash of the model, of all tokens before the block and of its own; whoever has a prompt knows the keys, so there is
no index that could be wrong. A file appears whole (written aside, then renamed) and carries a checksum, so a process may die at any
time and several may share the folder. When the folder is over its limit, the blocks that were not used for longest go.
What this module does not do: know what is in a block (`engine.llama` does), or decide what to save (`engine.batch` does).
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from engine.places import make_private

BLOCK_TOKENS: Final = 128
"""Tokens of a full block: 9 MB of K2.6's cells at f16. The rest of a sequence is a shorter block."""

_MAGIC: Final = b"KV01"
_HEAD: Final = struct.Struct("<4sQ32s")
_SUFFIX: Final = ".kv"
_ROOM: Final = 0.9
_STALE_SECONDS: Final = 3600.0
_COUNT_AGAIN: Final = 4096
_READ_WHOLE: Final = 32 << 20
_SAMPLE_BYTES: Final = 4096
_SAMPLES: Final = 256
_PART: Final = re.compile(r"-\d{5}-of-\d{5}\.gguf$")

Key: TypeAlias = bytes


@dataclass(frozen=True)
class StoreState:
    """What a store has done in this process. `bytes` is the folder's size when it was last counted, plus what was written since."""

    bytes: int = 0
    saved: int = 0
    restored: int = 0
    damaged: int = 0
    refused: int = 0


class BlockStore:
    """The blocks of one model in `folder`, at most `limit` bytes of all models together.

    `identity` names everything that a block's bytes depend on. Raises `EngineError` where the folder can't be made or isn't this user's.
    """

    def __init__(self, folder: Path, limit: int, identity: bytes) -> None:
        make_private(folder)
        self._folder = folder
        self._limit = limit
        self.root: Key = hashlib.sha256(identity).digest()
        self._bytes = sum(size for _, size, _ in self._files())
        self._written = 0
        self._saved = self._restored = self._damaged = self._refused = 0

    @property
    def state(self) -> StoreState:
        """The counters."""
        return StoreState(self._bytes, self._saved, self._restored, self._damaged, self._refused)

    def has(self, key: Key) -> bool:
        """Whether there is a block under `key`; it may be gone, or damaged, when it is read."""
        return self._path(key).exists()

    def read(self, key: Key) -> bytes | None:
        """The block under `key`, or None where there is none. A damaged one is removed."""
        path = self._path(key)
        try:
            data = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        if len(data) >= _HEAD.size:
            magic, length, digest = _HEAD.unpack_from(data)
            body = data[_HEAD.size :]
            if magic == _MAGIC and length == len(body) and digest == hashlib.sha256(body).digest():
                self._restored += 1
                return body
        self._damaged += 1
        with contextlib.suppress(OSError):
            path.unlink()
        return None

    def write(self, key: Key, body: bytes) -> bool:
        """Keep `body` under `key`; False where the disk has no room for it."""
        path = self._path(key)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(_HEAD.pack(_MAGIC, len(body), hashlib.sha256(body).digest()))
                file.write(body)
            aside.rename(path)
        except OSError:
            self._refused += 1
            with contextlib.suppress(OSError):
                aside.unlink()
            return False
        self._saved += 1
        self._bytes += _HEAD.size + len(body)
        self._written += 1
        if self._bytes > self._limit or self._written % _COUNT_AGAIN == 0:
            self._shrink()
        return True

    def _path(self, key: Key) -> Path:
        name = key.hex()
        return self._folder / name[:2] / f"{name[2:]}{_SUFFIX}"

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When each file was last used, its size, and where it is."""
        for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
            with contextlib.suppress(OSError):
                for entry in os.scandir(folder):
                    with contextlib.suppress(OSError):
                        facts = entry.stat(follow_symlinks=False)
                        yield facts.st_mtime, facts.st_size, Path(entry.path)

    def _shrink(self) -> None:
        """Count again, and remove the oldest files where there are too many; one process at a time."""
        try:
            descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return  # no room for a lock: the next write tries again
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            files = sorted(self._files())
            self._bytes = sum(size for _, size, _ in files)
            wanted = self._bytes if self._bytes <= self._limit else int(self._limit * _ROOM)
            for used, size, path in files:
                # What a killed process left half written is never renamed by anybody.
                stale = path.suffix != _SUFFIX and time.time() - used > _STALE_SECONDS
                if stale or (self._bytes > wanted and path.suffix == _SUFFIX):
                    with contextlib.suppress(OSError):
                        path.unlink()
                    self._bytes -= size
        finally:
            os.close(descriptor)


def identity(path: Path, *facts: str) -> bytes:
    """What tells the model file at `path` from any other: its size and content, of a large file only samples; and `facts`.

    The other parts of a split model count by name and size. Raises `OSError`.
    """
    found = hashlib.sha256("\0".join(facts).encode())
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found.update(size.to_bytes(8, "little") + file.read(_READ_WHOLE))
        for place in range(_READ_WHOLE, size, max((size - _READ_WHOLE) // _SAMPLES, _SAMPLE_BYTES)):
            file.seek(min(place, size - _SAMPLE_BYTES))
            found.update(file.read(_SAMPLE_BYTES))
    if part := _PART.search(path.name):
        for other in sorted(path.parent.glob(f"{glob.escape(path.name[: part.start()])}-*-of-*.gguf")):
            found.update(f"{other.name}\0{other.stat().st_size}\0".encode())
    return found.digest()


def block_key(before: Key, tokens: Sequence[int]) -> Key:
    """The key of the block that holds `tokens` and follows the block `before`, or the store's `root`."""
    return hashlib.sha256(before + struct.pack(f"<{len(tokens)}i", *tokens)).digest()


def known_blocks(store: BlockStore, tokens: Sequence[int], skip: int) -> list[tuple[int, int, Key]]:
    """The blocks on disk that lengthen a prefix of `skip` tokens which is at hand: (start, end, key) of each, without a gap.

    The last one may be a shorter block than the full one: every length is tried, longest first.
    """
    found: list[tuple[int, int, Key]] = []
    before = store.root
    for start in range(0, len(tokens), BLOCK_TOKENS):
        block = tokens[start : start + BLOCK_TOKENS]
        key = block_key(before, block)
        if start + len(block) > skip:
            if len(block) < BLOCK_TOKENS or not store.has(key):
                least = max(skip - start, 0)
                tails = ((length, block_key(before, block[:length])) for length in range(len(block), least, -1))
                return [*found, *([(start, start + length, tail) for length, tail in tails if store.has(tail)][:1])]
            found.append((start, start + len(block), key))
        before = key
    return found
