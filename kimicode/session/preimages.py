"""What files held before the agent changed them, named by SHA-256, each content once, below `HOME/preimages/`.

`keep` returns only when the contents are on disk. Everything is private to the user (folders 0700, files 0600). While a store has been
used and not closed it holds a shared lock, and `prune` wants it alone: so nothing that a running session relies on goes away.
What this module does not do: know which place a content came from (the session log does) or decide what is worth keeping.
"""

import contextlib
import fcntl
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from kimicode.errors import SessionError
from kimicode.files.state import digest
from kimicode.session.pack import Found, PackWriter, read_index
from kimicode.session.private import make_private

_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
Keep = Callable[[bytes], str]
"""Takes a content in and returns its digest."""


class PreImages:
    """A store of contents. Nothing is made or read before it is needed. Methods may be called from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, Found] | None = None
        self._writer: PackWriter | None = None
        self._open: dict[Path, int] = {}
        self._lock_fd = -1
        self._mutex = threading.RLock()

    def keep(self, *contents: bytes) -> None:
        """Put `contents` on disk. Raises `SessionError` where that is impossible; then none of them may be relied on."""
        with self.batch() as add:
            for data in contents:
                add(data)

    @contextlib.contextmanager
    def batch(self) -> Iterator[Keep]:
        """A function that takes contents in; all are on disk when the block ends without an exception. Raises `SessionError`."""
        with self._mutex:
            fresh: dict[str, Found] = {}
            try:
                known = self._all()
                yield lambda data: self._add(data, known, fresh)
                if self._writer is not None:
                    self._writer.commit()
            except OSError as error:
                self._give_up()
                raise self._unkept(error) from error
            except BaseException:
                self._give_up()
                raise
            known.update(fresh)

    def load(self, name: str) -> bytes:
        """The content with the digest `name`. Raises `SessionError` where it is missing or no longer what it was."""
        with self._mutex:
            try:
                found = self._all().get(name)
                data = None if found is None else self._read(found)
            except OSError as error:
                raise self._failure("read a kept content", error) from error
        if data is None or digest(data) != name:
            what = "was not kept or has been cleaned away" if data is None else "is damaged"
            raise SessionError(f"the content {name[:12]}… {what} ({self.root})", hint="This file can't be brought back; others can.")
        return data

    def __contains__(self, name: str) -> bool:
        with self._mutex, contextlib.suppress(OSError):
            return name in self._all()
        return False

    def close(self) -> None:
        """Close all files and give up the lock. The store can be used again afterwards."""
        with self._mutex:
            if self._writer is not None:
                self._writer.close()
            for descriptor in (*self._open.values(), self._lock_fd):
                if descriptor >= 0:
                    os.close(descriptor)
            self._open.clear()
            self._writer, self._known, self._lock_fd = None, None, -1

    def __enter__(self) -> "PreImages":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _all(self) -> dict[str, Found]:
        if self._known is None:
            self._lock_fd = lock(self.root, fcntl.LOCK_SH)
            self._known = {name: found for pack in packs(self.root) for name, found in read_index(pack)}
        return self._known

    def _add(self, data: bytes, known: dict[str, Found], fresh: dict[str, Found]) -> str:
        name = digest(data)
        if name not in known and name not in fresh:
            # Told apart from the caller's own errors with files, which it may live with.
            try:
                if self._writer is None:
                    self._writer = PackWriter(new_pack(self.root))
                fresh[name] = self._writer.add(name, data)
            except OSError as error:
                raise self._unkept(error) from error
        return name

    def _give_up(self) -> None:
        if self._writer is not None:
            self._writer.give_up()
            self._writer = None

    def _read(self, found: Found) -> bytes:
        if found.pack not in self._open:
            self._open[found.pack] = os.open(found.pack, _READ)
        return os.pread(self._open[found.pack], found.length, found.offset)

    def _unkept(self, error: OSError) -> SessionError:
        return self._failure("keep what files hold before a change", error)

    def _failure(self, doing: str, error: OSError) -> SessionError:
        return SessionError(
            f"can't {doing} in {self.root}: {error.strerror or error}",
            hint="Free some space, or set KIMICODE_HOME to a folder that can be written.",
        )


def packs(root: Path) -> list[Path]:
    """The packs of the store at `root`, oldest first. Raises `OSError`."""
    return sorted(path for path in root.glob("*.pack") if path.with_suffix(".idx").exists())


def new_pack(root: Path) -> Path:
    """A name for a new pack that no other writer chooses."""
    return root / f"{time.time_ns():020d}-{secrets.token_hex(4)}.pack"


def lock(root: Path, how: int) -> int:
    """Lock the store at `root`: `LOCK_SH` to rely on what is in it, `LOCK_EX` to take things away. Closing the descriptor unlocks."""
    make_private(root)
    descriptor = os.open(root / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
