"""Making sure that the engine's daemon for one model file is up: one daemon a file, shared by every kimicode process of the user.

`ensure` asks the socket; if nobody answers it takes a lock, so that of many processes only one starts the daemon, starts it detached,
and waits for `/health`. Every wait has a deadline and every way to fail is an error of the tree. kimicode knows the engine only as
this command and this socket. What this module does not do: send prompts, or stop a daemon (it stops itself when idle).
"""

import asyncio
import contextlib
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from kimicode.errors import UnavailableError, UsageError
from kimicode.model.engine_http import NoAnswerError, NobodyListensError, ask
from kimicode.model.progress import Meter, OnProgress, nobody
from kimicode.model.rundir import RunPaths, run_paths

# `-P`: the working directory is the user's project, and a folder «engine» in it must never be run in place of ours.
ENGINE_COMMAND = (sys.executable, "-P", "-m", "engine", "serve")
_BAD_MODEL_FILE = 2
_LOG_TAIL = 4_096
_SECRET_ENDINGS = ("_API_KEY", "_TOKEN", "_SECRET", "_PASSWORD")


class Health(Enum):
    """What the socket says. `SILENT`: somebody listens but does not answer."""

    OK = "ok"
    LOADING = "loading"
    SILENT = "silent"
    DOWN = "down"


class Look(NamedTuple):
    """One answer of the socket. While it loads, `done` of `total` bytes are read; `total` is 0 until it is known."""

    health: Health
    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Deadlines:
    """All in seconds. `start`: until the daemon first answers. `load`: until the model is loaded, however large. `probe`: one question.
    `poll`: between questions. `idle_exit`: how long an unused daemon stays."""

    start: float = 60.0
    load: float = 3_600.0
    probe: float = 5.0
    poll: float = 0.05
    idle_exit: float = 900.0


def _ignore(_text: str) -> None:
    return


class EngineDaemon:
    """The daemon for one model file. `on_status` gets sentences for the user while it starts, `on_progress` how far loading is."""

    def __init__(
        self,
        model_file: str,
        environ: Mapping[str, str],
        *,
        command: Sequence[str] = ENGINE_COMMAND,
        deadlines: Deadlines | None = None,
        on_status: Callable[[str], None] = _ignore,
        on_progress: OnProgress = nobody,
    ) -> None:
        self._model_file = model_file
        self._environ = environ
        self._command = command
        self._deadlines = deadlines or Deadlines()
        self._on_status = on_status
        self._meter = Meter("load", on_progress)
        self._paths: RunPaths | None = None
        self._pid: int | None = None

    @property
    def paths(self) -> RunPaths:
        """Socket, lock and log. The first use makes their folder."""
        if self._paths is None:
            self._paths = run_paths(self._model_file, self._environ)
        return self._paths

    async def ensure(self) -> None:
        """Return when the daemon serves. Raises `UsageError` for a bad model file, `UnavailableError` where it can't be brought up."""
        if await self.health() is Health.OK:
            return
        try:
            async with self._locked():
                state = await self.health()
                if state is Health.DOWN:
                    self._start()
                await self._wait()
        finally:
            self._meter.end()

    async def health(self) -> Health:
        """Ask once; an answer within the probe's deadline or none."""
        return (await self.look()).health

    async def look(self) -> Look:
        """The same, and how far loading is."""
        try:
            answer = await self._get("/health")
        except NobodyListensError:
            return Look(Health.DOWN)
        except NoAnswerError:
            return Look(Health.SILENT)
        match answer:
            case {"status": "ok"}:
                return Look(Health.OK)
            case {"status": "loading", "done": int(done), "total": int(total)}:
                return Look(Health.LOADING, done, total)
            case {"status": "loading"}:
                return Look(Health.LOADING)
            case _:
                return Look(Health.SILENT)

    async def served_context(self) -> int | None:
        """The context in tokens that the daemon serves, from `/v1/models`; None where it does not say."""
        try:
            answer = await self._get("/v1/models")
        except (NobodyListensError, NoAnswerError):
            return None
        match answer:
            case {"data": [{"context": int(context)}, *_]} if context > 0:
                return context
            case _:
                return None

    async def _get(self, path: str) -> object:
        return await ask(self.paths.socket, path, self._deadlines.probe)

    def log_tail(self) -> str:
        """The last lines the daemon wrote, for a message."""
        try:
            data = self.paths.log.read_bytes()[-_LOG_TAIL:]
        except OSError:
            return ""
        return "\n".join(data.decode("utf-8", "replace").strip().split("\n")[-5:])

    @contextlib.asynccontextmanager
    async def _locked(self) -> AsyncIterator[None]:
        """Hold the start lock; whoever waits here usually finds the daemon up afterwards."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._deadlines.load
        descriptor = os.open(self.paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            told = False
            while not _try_lock(descriptor):
                if not told:
                    self._on_status("Another kimicode is starting the engine.")
                    told = True
                if loop.time() > deadline:
                    raise UnavailableError(
                        f"another process has been starting the engine for {self._deadlines.load:.0f} s", hint=self._advice()
                    )
                seen = await self.look()
                self._meter.see(seen.done, seen.total)
                await asyncio.sleep(self._deadlines.poll)
            yield
        finally:
            os.close(descriptor)

    def _start(self) -> None:
        """Start the daemon, detached; the caller holds the lock and knows that nobody listens."""
        self._exit_code()
        self.paths.socket.unlink(missing_ok=True)
        self._on_status(f"Starting the engine for {Path(self._model_file).name}.")
        arguments = ["--model", self._model_file, "--socket", str(self.paths.socket), "--idle-timeout", f"{self._deadlines.idle_exit:g}"]
        log_flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        # Not subprocess: its object would have to outlive this process's interest in a child that is meant to stay.
        try:
            self._pid = os.posix_spawn(
                self._command[0],
                [*self._command, *arguments],
                self._daemon_environ(),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, os.fspath(self.paths.log), log_flags, 0o600),
                    (os.POSIX_SPAWN_DUP2, 1, 2),
                ],
                setsid=True,
            )
        except OSError as error:
            raise UnavailableError(
                f"can't start the engine ({self._command[0]}): {error.strerror}", hint="Install kimicode again."
            ) from None

    def _daemon_environ(self) -> dict[str, str]:
        """The environment without keys, which the engine has no use for, and with the place our engine package is in."""
        environ = {name: value for name, value in self._environ.items() if not name.endswith(_SECRET_ENDINGS)}
        spec = find_spec("engine")
        places = [str(Path(place).parent) for place in (spec.submodule_search_locations or ())] if spec else []
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, [*places, environ.get("PYTHONPATH", "")]))
        return environ

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        begun = answered = loop.time()
        told = False
        while (seen := await self.look()).health is not Health.OK:
            self._check_alive()
            now = loop.time()
            if seen.health is Health.LOADING:
                answered = now
                self._meter.see(seen.done, seen.total)
                if not told:
                    self._on_status(f"The engine is loading {Path(self._model_file).name}.")
                    told = True
            if now - answered > self._deadlines.start or now - begun > self._deadlines.load:
                raise UnavailableError(f"the engine does not answer on {self.paths.socket} after {now - begun:.0f} s", hint=self._advice())
            await asyncio.sleep(self._deadlines.poll)

    def _check_alive(self) -> None:
        """Raise the error that says why the daemon we started is gone, if it is."""
        code = self._exit_code()
        if code is None:
            return
        if code == _BAD_MODEL_FILE:
            raise UsageError(self.log_tail() or f"the engine can't use the model file {self._model_file}")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        raise UnavailableError(f"the engine stopped while starting ({how}):\n{self.log_tail()}", hint=f"Its log is {self.paths.log}.")

    def _exit_code(self) -> int | None:
        """How the daemon we started ended; None while it runs or where we started none. Leaves no zombie."""
        if self._pid is None:
            return None
        try:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
        except ChildProcessError:
            # Someone in this process waits for all children; how ours ended is not known any more.
            self._pid = None
            return 1
        if pid == 0:
            return None
        self._pid = None
        return os.waitstatus_to_exitcode(status)

    def _advice(self) -> str:
        return f"Stop it with `kimicode engine stop` and try again. Its log is {self.paths.log}."


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
