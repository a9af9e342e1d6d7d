"""Starting, finding and ending the engine processes of this user, by the files in their run folder.

`start` holds the lock that every starter holds, so that of several only one starts an engine. Every wait has a deadline.
What this module does not do: run in the engine's own process.
"""

import fcntl
import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import EngineError, ModelFileError
from engine.gguf import inspect
from engine.listen import is_claimed
from engine.places import Places, of_model, run_folder

START_SECONDS: Final = 3600.0
"""How long a model may take to load: hundreds of gigabytes from a slow disk."""

STOP_SECONDS: Final = 10.0
"""How long an engine may take to end before it is killed: it finishes the step that is running."""

PROBE_SECONDS: Final = 5.0
"""How long an engine may take to say how it is."""

_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Running:
    """A living engine. `status` is `ok`, `loading`, or `silent` where it does not answer; `counters` are those of `/health`."""

    places: Places
    pid: int
    model: Path
    status: str
    counters: Mapping[str, object]


def running(environ: Mapping[str, str], *, patience: float = PROBE_SECONDS) -> list[Running]:
    """Every living engine in the run folder, by name; one has `patience` seconds to answer."""
    files = sorted(run_folder(environ).glob("*.pid"))
    return [found for pid in files if (found := _look(Places(pid.with_suffix(".sock")), patience)) is not None]


@dataclass(frozen=True)
class StartOptions:
    """What a new engine is told, in words of its command line; None is its own choice. `idle_timeout` in seconds, `context` in tokens,
    `expert_memory` in GiB; `experts_also` are folders."""

    idle_timeout: float | None = None
    context: int | None = None
    attention: str | None = None
    experts: str | None = None
    expert_memory: float | None = None
    experts_also: tuple[Path, ...] = ()

    def arguments(self) -> list[str]:
        """As the command `serve` takes them."""
        given = (
            ("--idle-timeout", None if self.idle_timeout is None else f"{self.idle_timeout:g}"),
            ("--context", None if self.context is None else str(self.context)),
            ("--attention", self.attention),
            ("--experts", self.experts),
            ("--expert-memory", None if self.expert_memory is None else repr(self.expert_memory)),
            *(("--experts-also", os.fspath(folder.absolute())) for folder in self.experts_also),
        )
        return [word for name, value in given if value is not None for word in (name, value)]


def start(model: Path, environ: Mapping[str, str], options: StartOptions) -> Running:
    """The engine for `model`, started with these options if it is not up, once it has loaded.

    Raises `ModelFileError` for a file it can't use and `EngineError` where it does not come up.
    """
    inspect(model)
    places = of_model(model, environ)
    deadline = time.monotonic() + START_SECONDS
    with _starting(places, deadline):
        child = None if is_claimed(places.pid) else _spawn(places, model, options)
        while (found := _look(places)) is None or found.status != "ok":
            if child is not None and (code := _exit_code(child)) is not None:
                kind = ModelFileError if code == ModelFileError.exit_code else EngineError
                raise kind(f"{_last_line(places.log) or 'the engine said nothing'} (it ended with {code}; its log is {places.log})")
            if time.monotonic() > deadline:
                raise EngineError(f"the engine does not answer on {places.socket}; its log is {places.log}")
            time.sleep(_POLL_SECONDS)
    return found


def stop(engine: Running, *, patience: float = STOP_SECONDS) -> None:
    """End `engine`: politely, and after `patience` seconds not. Raises `EngineError` where it can't be ended."""
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.kill(engine.pid, number)
        except ProcessLookupError:
            return
        except PermissionError:
            raise EngineError(f"process {engine.pid} belongs to someone else") from None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_claimed(engine.places.pid):
                return
            time.sleep(_POLL_SECONDS)
    raise EngineError(f"process {engine.pid} does not end")


def _look(places: Places, patience: float = PROBE_SECONDS) -> Running | None:
    try:
        lines = places.pid.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 2 or not lines[0].isdigit() or not is_claimed(places.pid):
        return None
    answer = health(places.socket, patience=patience)
    return Running(places, int(lines[0]), Path(lines[1]), str(answer.pop("status", "silent")), answer)


def health(path: Path, *, patience: float = PROBE_SECONDS) -> dict[str, object]:
    """What the engine on the socket `path` says of itself; nothing where it does not answer within `patience` seconds."""
    connection = _UnixConnection(path, patience)
    try:
        connection.request("GET", "/health")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return answer if isinstance(answer, dict) else {}


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, patience: float) -> None:
        super().__init__("engine", timeout=patience)
        self._path = os.fspath(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _spawn(places: Places, model: Path, options: StartOptions) -> int:
    """The process id of a new engine in a session of its own, so that it outlives the terminal."""
    command = [sys.executable, "-P", "-m", "engine", "serve", "--model", os.fspath(model.absolute()), "--socket", os.fspath(places.socket)]
    command += options.arguments()
    package = os.fspath(Path(__file__).parents[1])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))}
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    # Not subprocess, whose objects complain when a child outlives them.
    return os.posix_spawn(
        sys.executable,
        command,
        environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.fspath(places.log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _exit_code(child: int) -> int | None:
    """How our child ended, or None while it runs."""
    pid, status = os.waitpid(child, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if pid else None


@contextmanager
def _starting(places: Places, deadline: float) -> Iterator[None]:
    descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EngineError(f"another process has been starting the engine for too long; its lock is {places.lock}") from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _last_line(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
