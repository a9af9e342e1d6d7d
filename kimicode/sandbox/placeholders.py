"""Empty folders that stand where a protected path is missing, for as long as a sandbox needs a mount point there.

A path that is not there can't be mounted over, so the folder is made on the host and removed afterwards, when no other sandbox holds
it. Each has an entry in a registry folder, locked while in use: whoever comes next removes what a killed process left behind. A folder
that got something in it meanwhile is somebody's, and stays. What this module does not do: mount anything.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def held(paths: Sequence[Path], registry: Path) -> Iterator[tuple[Path, ...]]:
    """Make an empty folder at each of `paths` that is missing, and hand out those that are there now; they go at the end.

    A path in a folder that can't be written gets none: no command can make it either. Raises `OSError` where `registry` is unusable.
    """
    if paths:
        registry.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.ExitStack() as stack:
        yield tuple([path for path in paths if stack.enter_context(_held(path, registry))])


def sweep(registry: Path) -> frozenset[Path]:
    """Remove the folders of processes that did not come to it, and return those that are in use. Raises nothing."""
    used: list[Path] = []
    with contextlib.suppress(OSError):
        for name in os.listdir(registry):
            with contextlib.suppress(OSError):
                used += _swept(registry / name)
    return frozenset(used)


def _swept(entry: Path) -> list[Path]:
    descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        _remove_if_last(descriptor, entry)
    except BlockingIOError:
        return [Path(os.fsdecode(path))] if (path := _path_in(descriptor)) else []
    finally:
        os.close(descriptor)
    return []


@contextlib.contextmanager
def _held(path: Path, registry: Path) -> Iterator[bool]:
    entry = registry / hashlib.sha256(bytes(path)).hexdigest()[:32]
    descriptor = _locked_entry(entry, bytes(path))
    try:
        yield _make(path)
    finally:
        with contextlib.suppress(OSError):
            _remove_if_last(descriptor, entry)
        os.close(descriptor)


def _locked_entry(entry: Path, path: bytes) -> int:
    """The entry's file, locked against removal; written before the folder is made, so that a kill leaves no folder unknown."""
    while True:
        descriptor = os.open(entry, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
            if _is_at(descriptor, entry):
                os.pwrite(descriptor, path, 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        # Whoever had it last removed it while we waited.
        os.close(descriptor)


def _is_at(descriptor: int, entry: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(entry))
    except FileNotFoundError:
        return False


def _make(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return True
    except OSError:
        return False
    return True


def _remove_if_last(descriptor: int, entry: Path) -> None:
    """Remove folder and entry unless another sandbox holds them. Raises `BlockingIOError` where it does."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if _is_at(descriptor, entry):
        if path := _path_in(descriptor):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        os.unlink(entry)


def _path_in(descriptor: int) -> bytes:
    return os.pread(descriptor, 1 << 16, 0)
