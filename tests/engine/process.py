"""Engine processes for tests: started as a user's would be, asked over their socket, and always ended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from engine.control import health

ROOT = Path(__file__).parents[2]
DEADLINE = 60.0


@contextmanager
def engine(model: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`python -m engine serve` for `model`; killed afterwards if it still runs. Nothing is saved on disk unless `options` say so."""
    command = [sys.executable, "-m", "engine", "serve", "--model", str(model), *options]
    command += [] if "--disk-cache" in options else ["--disk-cache", "0"]
    pipe = subprocess.PIPE
    # One thread: OpenMP threads that wait for each other on a busy machine are slower than one that works.
    process = subprocess.Popen([*command, "--threads", "1"], cwd=ROOT, stdout=pipe, stderr=pipe, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def client(socket: Path) -> httpx.Client:
    """A client of the engine at `socket`."""
    return httpx.Client(transport=httpx.HTTPTransport(uds=os.fspath(socket)), base_url="http://engine", timeout=DEADLINE)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("what the test waits for did not happen")
        time.sleep(0.02)


def is_up(socket: Path) -> bool:
    """Whether an engine at `socket` has loaded its model."""
    return health(socket).get("status") == "ok"
