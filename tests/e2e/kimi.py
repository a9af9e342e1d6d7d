"""The real command line as a process of its own, with its own home, settings and workspace, and scripted endpoints to talk to.

`Kimi.run` waits for the end, `Kimi.start` leaves the process to the test. What this module does not do: assert anything.
"""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kimicode.events import Event, RunFinished, decode_event
from kimicode.session.log import read_events
from tests.model.faultserver import DONE, USAGE, Behaviour, Call, FaultServer, call_delta, chunk, stream

ROOT = Path(__file__).parents[2]
DEADLINE = 120.0
"""Generous: on a machine that is busy with other things a process takes many times as long as it should."""

PYTHON = (sys.executable, "-m", "kimicode")


def say(text: str) -> Behaviour:
    """A whole answer without calls."""
    return stream(chunk({"reasoning_content": "hm"}), chunk({"content": text}), chunk({}, "stop"), USAGE, DONE)


def do(*calls: tuple[str, dict[str, object]], first: int = 0) -> Behaviour:
    """A whole answer of tool calls. `first` counts the calls of the conversation so far."""
    parts = [
        chunk(call_delta(json.dumps(arguments), index=n, call_id=f"functions.{name}:{first + n}", name=name))
        for n, (name, arguments) in enumerate(calls)
    ]
    return stream(*parts, chunk({}, "tool_calls"), USAGE, DONE)


class Endpoint:
    """A `FaultServer` in a thread. `calls` are the requests so far."""

    def __init__(self, script: Sequence[Behaviour]) -> None:
        self._server = FaultServer(script)
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def calls(self) -> list[Call]:
        return self._server.calls

    def __enter__(self) -> "Endpoint":
        self._thread.start()
        assert self._ready.wait(DEADLINE)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with self._server:
            self._ready.set()
            await self._over.wait()


class Ended:
    """A process that has ended."""

    def __init__(self, code: int, stdout: bytes, stderr: bytes) -> None:
        self.code, self.stdout, self.err = code, stdout, stderr.decode()
        assert "Traceback" not in self.err, self.err

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def events(self) -> list[Event]:
        """stdout as stream-json: every line an event of version 1."""
        lines = self.stdout.splitlines()
        assert all(json.loads(line)["v"] == 1 for line in lines)
        return [decode_event(line) for line in lines]

    @property
    def finished(self) -> RunFinished:
        last = self.events[-1]
        assert isinstance(last, RunFinished)
        return last


class Kimi:
    """One user: a home, a settings file that does not exist, a workspace, and an environment with nothing else in it.

    `runtime` is a folder with a short path for the engine's sockets: where a path is too long, engines of all tests meet in one place.
    """

    def __init__(self, root: Path, runtime: str) -> None:
        self.home, self.config, self.workspace = root / "home", root / "settings.toml", root / "project"
        self.workspace.mkdir()
        self.mark = f"600.{secrets.randbelow(10**9)}"
        """A time to sleep that no other test has, so that what sleeps can be found."""
        self.environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(root),
            "KIMICODE_HOME": str(self.home),
            "XDG_RUNTIME_DIR": runtime,
            "KIMICODE_CONFIG": str(self.config),
            "KIMICODE_NO_KEYRING": "1",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
        }

    def start(
        self,
        *arguments: str,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        stderr: int | IO[bytes] = subprocess.PIPE,
        cwd: Path | None = None,
        through: Sequence[str] = (),
        session: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start `kimicode ARGUMENTS`; `through` is a command that runs the command it is given, `session` a new session for a terminal."""
        command = [*through, *PYTHON, *arguments]
        return subprocess.Popen(
            command, stdin=stdin, stdout=stdout, stderr=stderr, cwd=cwd or self.workspace, env=self.environ, start_new_session=session
        )

    def run(self, *arguments: str, given: bytes | None = None, cwd: Path | None = None, through: Sequence[str] = ()) -> Ended:
        """Run `kimicode ARGUMENTS` with `given` on stdin to its end."""
        stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
        with self.start(*arguments, stdin=stdin, cwd=cwd, through=through) as process:
            return end(process, given)

    def headless(self, endpoint: Endpoint, prompt: str, *options: str) -> Ended:
        """One headless run against `endpoint`."""
        return self.run("--headless", prompt, "--endpoint", endpoint.url, "--model", "m", *options)

    @contextmanager
    def running(self, *arguments: str, stderr: int | IO[bytes] = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
        """Start a process, and kill it afterwards if it still runs."""
        process = self.start(*arguments, stderr=stderr)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def log(self, at: int = -1) -> Path:
        """The log of a session, by age."""
        return sorted((self.home / "sessions").iterdir())[at]

    def logged(self, at: int = -1) -> list[Event]:
        """Its events."""
        return list(read_events(self.log(at)))


def end(process: subprocess.Popen[bytes], given: bytes | None = None) -> Ended:
    """Wait for the end of a process."""
    try:
        stdout, stderr = process.communicate(given, timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Ended(process.returncode, stdout or b"", stderr or b"")


def runs(mark: str) -> bool:
    """Whether a process runs that has `mark` in its command line. Its number would say nothing: a sandbox has numbers of its own."""
    return any(mark.encode() in _command_line(process) for process in Path("/proc").glob("[0-9]*"))


def _command_line(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("what the test waits for did not happen")
        time.sleep(0.02)


def read_until(pipe: IO[bytes] | None, words: bytes) -> bytes:
    """Read lines up to the first one with `words`, and return all of them."""
    assert pipe is not None
    seen = b""
    for line in pipe:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"no {words!r} in {seen!r}")
