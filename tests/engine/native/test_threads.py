"""Teams: every member works, what one throws reaches the caller, and llama.cpp has no more threads with our attention than without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.native.library import Library
from tests.engine.native.nano import MODEL, ROOT
from tests.engine.native.programs import compiled, output

COUNT = """
import os, sys
from pathlib import Path
from engine.llama import Entry, Llama, Options
from engine.native.plugin import Attention

def threads():
    return len(os.listdir("/proc/self/task"))

with Llama(Path(sys.argv[1]), Options(cells=2048, batch=1024, threads=2, attention=Attention(sys.argv[2]))) as model:
    before = threads()
    # Enough for every thread, then a single token, and a number of threads that changes.
    model.decode([Entry(5, position, 0, position == 1023) for position in range(1024)])
    model.decode([Entry(5, 1024, 0, True)])
    print(threads() - before, model.attention.name)
"""


# After teams of 2 and 3 one of 2: our own pool keeps the third thread asleep, OpenMP ends it.
@pytest.mark.parametrize(("flags", "more"), [((), "1"), (("-fopenmp",), "0")], ids=["own", "openmp"])
def test_a_team_is_whole_and_survives_what_its_members_throw(flags: tuple[str, ...], more: str, tmp_path: Path) -> None:
    said = output(compiled(tmp_path, "try_team", ("team",), *flags))
    found = dict(line.split() for line in said.splitlines())
    assert (found["complete"], found["caught"], found["resized"], found["together"], found["more"]) == ("1", "1", "1", "2", more)


def test_llama_has_no_more_threads_with_our_attention(library: Library) -> None:
    assert library.kernels()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    more = {}
    for attention in ("stock", "precise"):
        command = [sys.executable, "-c", COUNT, str(MODEL), attention]
        said = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        more[said[1]] = int(said[0])
    assert len(more) == 2, f"our attention was not used: {more}"
    assert set(more.values()) == {1}, f"threads beside the calling one: {more}"
