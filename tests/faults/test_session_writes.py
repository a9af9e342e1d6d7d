"""A session that is killed, or meets a full disk, at every call that writes: its log is whole, and what it speaks of has been kept."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import kimicode
from kimicode.events import Event, FilesChanged, MessageAdded
from kimicode.messages import User
from kimicode.session.log import SessionLog, read_events
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore
from tests.faults.keeping import ROUNDS

CHILD = Path(__file__).with_name("keeping.py")
MAKING = "write|fsync|rename|renameat|mkdir|mkdirat"
WHOLE = 2 + ROUNDS
WRITING = MAKING + "|unlink|ftruncate"


def child(home: Path, *options: str) -> int:
    environment = {"PYTHONPATH": str(Path(kimicode.__file__).parents[1])}
    command = ["strace", "-f", *options, sys.executable, "-B", str(CHILD), str(home), "/work"]
    return subprocess.run(command, capture_output=True, env=environment, check=False).returncode


def calls(root: Path, kinds: str) -> list[tuple[str, int]]:
    log = root / "calls"
    assert child(root / "whole", "-o", str(log), "-e", f"trace=/^({kinds})$") == 0
    found = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
    assert found["write"] >= 2 + 3 * ROUNDS
    return [(name, number) for name, count in found.items() for number in range(1, count + 1)]


def checked(home: Path) -> tuple[Event, ...]:
    """The events in the log, after looking that all is as promised and that it can be gone on with."""
    store = SessionStore(home)
    if not store.ids():
        return ()
    (session_id,) = store.ids()
    path = store.path(session_id)
    before = tuple(read_events(path))
    with SessionLog(path) as log:
        log.append(MessageAdded(User("go on")))
    assert tuple(read_events(path)) == (*before, MessageAdded(User("go on")))
    with PreImages(store.preimages) as contents:
        for event in before:
            if isinstance(event, FilesChanged):
                number = event.changes[0].path.removeprefix("/work/file").removeprefix("file")
                assert contents.load(event.changes[0].before.digest) == f"content {number}".encode()
        contents.keep(b"more")
    return before


def test_killed_at_every_call_that_writes(tmp_path: Path) -> None:
    lengths = []
    for name, number in calls(tmp_path, WRITING):
        home = tmp_path / f"{name}{number}"
        assert child(home, "-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}") == -9
        lengths.append(len(checked(home)))
    # A line that was written and not yet synced is there, too: it is the machine that did not stop.
    assert set(lengths) == set(range(WHOLE + 1))


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_no_space_at_every_call_that_needs_some(tmp_path: Path, lasting: bool) -> None:
    lengths = []
    for name, number in calls(tmp_path, MAKING):
        home = tmp_path / f"{name}{number}"
        end = f"{number}+" if lasting else f"{number}"
        assert child(home, "-e", f"trace={name}", "-e", f"inject={name}:error=ENOSPC:when={end}") == 1
        lengths.append(len(checked(home)))
    if lasting:
        assert set(lengths) == set(range(WHOLE))
    else:
        # No log, or one content that was not kept and so not changed; events are tried again.
        assert set(lengths) == {0, WHOLE - 1, WHOLE}
