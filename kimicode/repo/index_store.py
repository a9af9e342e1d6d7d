"""Where an index is, and what becomes of it when the disk does not play along.

A file that is damaged, foreign or of another version is removed and begun again, by one process at a time and only as long as it is still
the same file. What can't be written goes to an index in memory, beside what can be read. The name of the file has the version of its form
and of what is extracted, so programs of two versions don't fight over it. What this module does not do: know what is asked or stored.
"""

import fcntl
import hashlib
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import tree_sitter

from kimicode.files.locks import take
from kimicode.repo.index_file import SCHEMA, IndexFile
from kimicode.repo.private import is_own, make_private

_T = TypeVar("_T")
_FAILURES: Final = (sqlite3.Error, zlib.error, msgspec.DecodeError, OSError)
_ELSEWHERE: Final = frozenset(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    )
)
"""What the file is not to blame for."""

_LOCK_S: Final = 20.0
_OLD_S: Final = 14 * 86_400


class IndexStore:
    """The index in `folder`, and beside it, where that is needed, one in memory. Not to be used by two threads at once."""

    def __init__(self, folder: Path) -> None:
        self.notice = ""
        self._folder = folder
        self._disk: IndexFile | None = None
        self._inode: int | None = None
        self._memory: IndexFile | None = None
        self._readable = True
        self._writable = True

    def read(self, ask: Callable[[IndexFile], _T]) -> list[_T]:
        """The answers of what there is: of the file, of the memory."""
        answers: list[_T] = []
        if self._readable:
            try:
                answers.append(self._on_disk(ask))
            except _FAILURES as error:
                self._fall_back(error, reading=True)
        if self._memory is not None:
            answers.append(ask(self._memory))
        return answers

    def write(self, change: Callable[[IndexFile], None]) -> None:
        """Make a change: in the file, or else in memory."""
        if self._readable and self._writable:
            try:
                self._on_disk(change)
                return
            except _FAILURES as error:
                self._fall_back(error, reading=False)
        assert self._memory is not None
        change(self._memory)

    def close(self) -> None:
        """Close what is open."""
        for each in (self._disk, self._memory):
            if each is not None:
                each.close()
        self._disk = self._memory = None
        self._readable = self._writable = True

    def _on_disk(self, work: Callable[[IndexFile], _T]) -> _T:
        """Do it with the file; once more with a new one where that is to blame."""
        broken: int | None = None
        for again in (False, True):
            try:
                if self._disk is None:
                    self._disk = self._open(broken)
                return work(self._disk)
            except _FAILURES as error:
                gone = self._disk is not None and _inode(self._path) != self._inode
                if again or not (gone or _is_damage(error)):
                    raise
                self._let_go()
                broken = None if gone else _inode(self._path)
        raise AssertionError("the second time returns or raises")

    def _open(self, broken: int | None) -> IndexFile:
        """Open the file, under a lock, so that nobody removes it meanwhile; the one with the inode `broken` is removed before."""
        make_private(self._folder)
        if not is_own(self._folder):
            raise PermissionError(f"{self._folder} belongs to somebody else, or others may write there")
        with self._locked():
            found = _inode(self._path)
            if found is None:
                self._tidy()
            elif found == broken:
                _remove(self._path)
            opened = IndexFile(str(self._path))
            self._inode = _inode(self._path)
            return opened

    @property
    def _path(self) -> Path:
        return self._folder / f"symbols-{SCHEMA}-{extractor()}.sqlite"

    def _let_go(self) -> None:
        if self._disk is not None:
            with suppress(sqlite3.Error):
                self._disk.close()
            self._disk = None

    def _fall_back(self, error: Exception, *, reading: bool) -> None:
        self._writable = False
        if reading:
            self._readable = False
            self._let_go()
        if self._memory is None:
            self._memory = IndexFile(":memory:")
        self.notice = (
            f"the symbol index in {self._folder} can't be {'used' if reading else 'written'} ({error}); new symbols stay in memory"
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            if not take(descriptor, fcntl.LOCK_EX, time.monotonic() + _LOCK_S):
                raise TimeoutError(f"another process has held {self._folder / 'lock'} for {_LOCK_S:g} s")
            yield
        finally:
            os.close(descriptor)

    def _tidy(self) -> None:
        """Remove indexes of other versions that nobody has used for long."""
        for each in self._folder.glob("symbols-*.sqlite"):
            with suppress(OSError):
                if each != self._path and time.time() - max(_changed(each), _changed(Path(f"{each}-wal"))) > _OLD_S:
                    _remove(each)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
        return code == sqlite3.SQLITE_IOERR_SHORT_READ or code & 0xFF not in _ELSEWHERE
    return not isinstance(error, OSError)


@cache
def extractor() -> str:
    """What stands for everything that decides which symbols a content gives: another one when any of it changes."""
    digest = hashlib.sha256()
    package = resources.files("kimicode.repo.extract")
    for each in _all_below(package):
        digest.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    digest.update(resources.files("kimicode").joinpath("languages.py").read_bytes())
    grammars = Path(tree_sitter.__file__).parents[1].glob("tree_sitter*.dist-info")
    digest.update("\0".join(sorted(each.name for each in grammars)).encode())
    return digest.hexdigest()[:12]


def _all_below(folder: Traversable) -> Iterator[Traversable]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            if each.name != "__pycache__":
                yield from _all_below(each)
        elif each.is_file():
            yield each


def _remove(path: Path) -> None:
    for ending in ("-wal", "-shm", ""):
        Path(f"{path}{ending}").unlink(missing_ok=True)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
