"""The training corpus: a JSON Lines file of conversations, grown in parallel, one generated project a line.

Line i holds the conversation of seed i, or nothing where a seed's bug does not show (about none). The file is appended to in order,
so an interrupted run goes on where it stopped, and a reader may use what is there. What this module does not do: tokenize.
"""

import json
import multiprocessing
import os
from collections.abc import Iterator
from pathlib import Path

from engine.nano.projects import make_project
from engine.nano.trajectories import BrokenProject, Message, trajectory


def grow(path: Path, count: int, workers: int) -> None:
    """Append conversations to `path` until it holds `count` lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = len(path.read_bytes().split(b"\n")) - 1 if path.exists() else 0
    with multiprocessing.Pool(workers, initializer=_warm_up) as pool, path.open("ab") as file:
        for line in pool.imap(_line, range(done, count), chunksize=16):
            file.write(line)
            file.flush()


def read(path: Path) -> Iterator[list[Message]]:
    """The conversations in `path`, in order; an unfinished last line is left out."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") and len(line) > 1:
                yield json.loads(line)


def _line(seed: int) -> bytes:
    try:
        return json.dumps(trajectory(make_project(seed)), ensure_ascii=False).encode() + b"\n"
    except BrokenProject:
        return b"\n"


def _warm_up() -> None:
    """Import all of pytest in the worker, so that its forked children start with it."""
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    import pytest  # see trajectories.run_pytest

    folder = Path("/nonexistent-kimicode")
    devnull = os.open(os.devnull, os.O_WRONLY)
    saved = os.dup(1), os.dup(2)
    os.dup2(devnull, 1), os.dup2(devnull, 2)
    pytest.main(["-q", "--tb=no", "-p", "no:cacheprovider", str(folder)])
    os.dup2(saved[0], 1), os.dup2(saved[1], 2)
    for descriptor in (devnull, *saved):
        os.close(descriptor)
