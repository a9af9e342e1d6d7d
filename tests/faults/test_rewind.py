"""A rewind that is killed, or meets a full disk, at every call that writes: all files end on one side, and the log agrees with them."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import kimicode
from kimicode.commands.rewind import Wanted, rewind
from kimicode.events import Rewound
from kimicode.session.log import read_events
from kimicode.session.perform import finish_interrupted
from kimicode.session.preimages import PreImages
from kimicode.session.replay import replay
from kimicode.session.store import SessionStore
from tests.faults.rewinding import build, change, tree

CHILD = Path(__file__).with_name("rewinding.py")
MAKING = "write|fsync|rename|renameat|renameat2|mkdir|mkdirat|link|linkat|symlink|symlinkat"
WRITING = MAKING + "|unlink|unlinkat|rmdir|chmod|fchmod|fchmodat|ftruncate"


class Stage:
    """A session with changed files, put back as it was for every try."""

    def __init__(self, root: Path) -> None:
        self.now, self.template = root / "now", root / "template"
        self.now.mkdir()
        self.work, self.home = self.now / "work", self.now / "home"
        self.session_id = build(self.home, self.work)
        self.store = SessionStore(self.home)
        self.changed = tree(self.work)
        shutil.copytree(self.now, self.template, symlinks=True)
        assert self.rewound() == 0
        self.original = tree(self.work)
        assert self.original != self.changed
        change(self.work)
        assert tree(self.work) == self.changed

    def reset(self) -> None:
        shutil.rmtree(self.now)
        shutil.copytree(self.template, self.now, symlinks=True)

    def rewound(self) -> int:
        with PreImages(self.store.preimages) as contents:
            return rewind(self.store, self.session_id, Wanted(1, True, True), contents, None)

    def child(self, *options: str) -> subprocess.CompletedProcess[str]:
        environment = {"PYTHONPATH": str(Path(kimicode.__file__).parents[1])}
        command = ["strace", "-f", *options, sys.executable, "-B", str(CHILD), str(self.home), self.session_id]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    def calls(self, kinds: str) -> list[tuple[str, int]]:
        """Every call of these kinds in a rewind that nothing happens to, as (name, how manieth)."""
        self.reset()
        log = self.now / "calls"
        assert self.child("-o", str(log), "-e", f"trace=/^({kinds})$").returncode == 0
        found = Counter(re.findall(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE))
        assert found["write"] > 5
        assert found["fsync"] > 10
        return [(name, number) for name, count in found.items() for number in range(1, count + 1)]

    def settled(self) -> bool:
        """Finish what was interrupted; whether the rewind has happened, on which files and log agree."""
        with self.store.open(self.session_id) as log:
            finish_interrupted(self.store, self.session_id, log.append)
            assert finish_interrupted(self.store, self.session_id, log.append) == ()
        events = tuple(read_events(self.store.path(self.session_id)))
        rewinds = [event for event in events if isinstance(event, Rewound)]
        assert len(rewinds) <= 1
        assert tree(self.work) == (self.original if rewinds else self.changed)
        assert len(replay(events).conversation) == (0 if rewinds else 2)
        assert list(self.store.journal.glob("*")) == []
        return bool(rewinds)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return Stage(tmp_path_factory.mktemp("rewind"))


def test_killed_at_every_call_that_writes(stage: Stage) -> None:
    happened = Counter[bool]()
    for name, number in stage.calls(WRITING):
        stage.reset()
        done = stage.child("-e", f"trace={name}", "-e", f"inject={name}:signal=KILL:when={number}")
        assert done.returncode == -9, (name, number, done.stderr)
        happened[stage.settled()] += 1
        stage.rewound()
        assert tree(stage.work) == stage.original, (name, number)
    assert min(happened[True], happened[False]) > 5


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
def test_no_space_at_every_call_that_needs_some(stage: Stage, lasting: bool) -> None:
    happened = Counter[bool]()
    for name, number in stage.calls(MAKING):
        stage.reset()
        end = f"{number}+" if lasting else f"{number}"
        done = stage.child("-e", f"trace={name}", "-e", f"inject={name}:error=ENOSPC:when={end}")
        # 120: Python could not even say on stderr what went wrong.
        assert done.returncode in (0, 1, 120), (name, number, done.stderr)
        happened[stage.settled()] += 1
        stage.rewound()
        assert tree(stage.work) == stage.original, (name, number)
    assert min(happened[True], happened[False]) > 5
