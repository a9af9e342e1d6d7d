"""Sockets for the engine to listen on, and the claim that makes it the only one there.

A Unix socket belongs to whoever holds the lock on the `.pid` file beside it, so a socket file that a killed engine left behind is
recognised without asking it. What this module does not do: accept connections.
"""

import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.errors import AlreadyServedError, EngineError
from engine.places import Places

CLAIM_SECONDS: Final = 5.0
"""How long to wait for an engine that is just ending."""

_BACKLOG: Final = 128
_POLL_SECONDS: Final = 0.05


@contextmanager
def unix_listener(places: Places, model: Path, *, patience: float = CLAIM_SECONDS) -> Iterator[socket.socket]:
    """A listening Unix socket, readable and writable for this user alone; its files are removed afterwards.

    Raises `AlreadyServedError` where another engine keeps it for `patience` seconds and `EngineError` where it can't be made.
    """
    try:
        places.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        claim = _claim(places.pid, patience)
        try:
            os.truncate(claim, 0)
            os.write(claim, f"{os.getpid()}\n{model}\n".encode())
            _remove_stale(places.socket)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                _bind_private(listener, places.socket)
                try:
                    yield listener
                finally:
                    places.socket.unlink(missing_ok=True)
        finally:
            places.pid.unlink(missing_ok=True)
            os.close(claim)
    except OSError as error:
        raise EngineError(f"can't listen on {places.socket}: {error.strerror or error}; give another --socket") from None


@contextmanager
def tcp_listener(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A listening TCP socket; `port` 0 takes any free one, `host` is an address or a name of this machine. Raises `EngineError`."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError) as error:
        raise EngineError(f"{host} is no address of this machine ({error}); give another --host") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise EngineError(f"can't listen on {host} port {port}: {error.strerror}; give another --port or --host") from None
        yield listener


def is_claimed(pid_file: Path) -> bool:
    """Whether a living engine holds `pid_file`."""
    try:
        descriptor = os.open(pid_file, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        return not _lock(descriptor)
    finally:
        os.close(descriptor)


def _claim(pid_file: Path, patience: float) -> int:
    """A descriptor that holds the lock on `pid_file`."""
    deadline = time.monotonic() + patience
    while True:
        descriptor = os.open(pid_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if _lock(descriptor):
            if _is_at(descriptor, pid_file):
                return descriptor
            os.close(descriptor)  # its owner removed it between our opening and locking it
            continue
        owner = os.pread(descriptor, 32, 0).split(b"\n")[0].decode("ascii", "replace")
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise AlreadyServedError(f"{pid_file.with_suffix('.sock')} is served by another engine, process {owner}; stop it first")
        time.sleep(_POLL_SECONDS)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise EngineError(f"{path} exists and is not a socket; give another --socket")
    path.unlink()


def _bind_private(listener: socket.socket, path: Path) -> None:
    # The mode must be right from the first moment, so the mask and not a chmod afterwards.
    mask = os.umask(0o177)
    try:
        listener.bind(os.fspath(path))
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
