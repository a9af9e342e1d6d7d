"""Commits that wait to be reviewed in the background, and the one process of a repository that does it.

A commit waits as an empty file with its name, in a folder of the user's cache; the files survive a killed process and a restart. Whoever
adds one tries to become the worker; the lock decides. The worker looks again after it gave the lock back, so that nothing is left that
was added while somebody else was told that it holds it. What this module does not do: review, or start a process.
"""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kimicode.files.locks import take

MAX_WAITING: Final = 20
"""Older ones than this many are given up: after a rebase of a hundred commits nobody waits for a hundred reviews."""
MAX_TRIES: Final = 2
"""A commit whose review ended its process this often is given up."""
LOG_BYTES: Final = 1 << 20

_OID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class Desk:
    """The waiting commits of one repository. `folder` belongs to it alone and need not exist."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, cache: Path, common_dir: Path) -> "Desk":
        """The desk of a repository, by the folder that all its worktrees share; `cache` is the user's."""
        name = hashlib.sha256(os.fsencode(common_dir)).hexdigest()[:16]
        return cls(cache / "review" / "background" / name)

    @property
    def log(self) -> Path:
        """Where a worker writes what it would say."""
        return self._folder / "log"

    def add(self, commit: str) -> None:
        """Let `commit`, a full name, wait. Raises `OSError`."""
        assert _OID.fullmatch(commit), commit
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / commit).write_text("")

    def waiting(self) -> tuple[str, ...]:
        """The commits that wait, the newest first."""
        try:
            found = [(entry.stat().st_mtime_ns, entry.name) for entry in os.scandir(self._folder) if _OID.fullmatch(entry.name)]
        except FileNotFoundError:
            return ()
        return tuple(name for _, name in sorted(found, reverse=True))

    def busy(self) -> bool:
        """True while a worker is at it."""
        with self._lock() as mine:
            return not mine

    def drain(self, review: Callable[[str], None], give_up: Callable[[str, str], None]) -> int:
        """Become the worker where there is none: `review` each commit until none waits. How many were reviewed.

        `give_up` gets a commit that will not be reviewed, and why. What `review` raises ends the work; the commit gets one more try.
        """
        done = 0
        while self.waiting():
            with self._lock() as mine:
                if not mine:
                    return done
                while waiting := self.waiting():
                    for old in waiting[MAX_WAITING:]:
                        give_up(old, f"more than {MAX_WAITING} commits waited")
                        self._forget(old)
                    done += self._one(waiting[0], review, give_up)
        return done

    def _one(self, commit: str, review: Callable[[str], None], give_up: Callable[[str, str], None]) -> int:
        entry = self._folder / commit
        tries = entry.stat().st_size
        if tries >= MAX_TRIES:
            give_up(commit, f"its review ended {tries} times before it was finished")
        else:
            before = entry.stat()
            with entry.open("ab") as file:
                file.write(b".")
            # A second try must not make it the newest.
            os.utime(entry, ns=(before.st_atime_ns, before.st_mtime_ns))
            review(commit)
        self._forget(commit)
        return tries < MAX_TRIES

    def _forget(self, commit: str) -> None:
        with suppress(FileNotFoundError):
            (self._folder / commit).unlink()

    @contextmanager
    def _lock(self) -> Iterator[bool]:
        if not self._folder.is_dir():
            yield True
            return
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            yield take(descriptor, fcntl.LOCK_EX, time.monotonic())
        finally:
            os.close(descriptor)
