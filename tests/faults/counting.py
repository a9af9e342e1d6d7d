"""Many processes that edit the same files: `counting.py FOLDER PROCESSES EDITS`.

Each edit adds one to one of ten counters, every fourth to two of them, and a line to a list besides. Prints how many counts and lines were
made; other edits were refused.
"""

import json
import os
import sys
from pathlib import Path

from kimicode.errors import ToolError
from kimicode.sandbox.policy import Permission, Policy
from kimicode.tools.hands import Hands


def main(folder, processes, edits):
    tree = folder / "tree"
    tree.mkdir()
    for name in range(10):
        (tree / f"counter{name}").write_text("0")
    (tree / "list").touch()
    reader, writer = os.pipe()
    pids = []
    for number in range(processes):
        pid = os.fork()
        if pid == 0:
            made = [edited(folder, number, turn) for turn in range(edits)]
            os.write(writer, f"{sum(counts for counts, _ in made)} {sum(lines for _, lines in made)}\n".encode())
            os._exit(0)
        pids.append(pid)
    os.close(writer)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * processes
    with open(reader) as pipe:
        counts, lines = zip(*(map(int, line.split()) for line in pipe), strict=True)
    sys.stdout.write(json.dumps([sum(counts), sum(lines)]))


def edited(folder, number, turn):
    """One edit: how many counts and lines it made; none where it was refused, because others were in its way for too long."""
    hands = Hands(Policy(Permission.WORKSPACE, folder / "tree"), locks=folder / "locks", journal=folder / "journal", wait_s=60)
    names = [f"counter{(number + turn) % 10}"]
    if turn % 4 == 0:
        names += [f"counter{(number + turn + 1 + turn % 9) % 10}", "list"]

    def edit(files):
        return {
            name: file.with_text(f"{file.text}{number} {turn}\n" if name == "list" else str(int(file.text) + 1))
            for name, file in files.items()
        }

    try:
        hands.change(names, edit)
    except ToolError:
        return 0, 0
    return (2, 1) if "list" in names else (1, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
