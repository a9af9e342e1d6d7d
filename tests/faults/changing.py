"""Changes that are killed, or meet a full disk, at their n-th system call of one kind: run this under strace.

Reads a JSON object from stdin: `when`, for each kind of call the one that strace injects something into, and `jobs`. Each job is a
`scenario` in a `folder`, in a process of its own, which first wastes so many calls of the kind `call` that the injection meets its `at`-th
real one; strace counts for each process anew. With `again`, a call and a number, another process recovers afterwards and meets the
injection too. Prints a line of JSON for each job: the process, how it ended, and what it said.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), *json.loads(sys.argv[1])]

from kimicode.edit.files import TextFile  # noqa: E402
from kimicode.errors import KimicodeError  # noqa: E402
from kimicode.files.place import Place  # noqa: E402
from kimicode.files.transaction import MakeFolder, PutFile, PutLink, Remove, SetMode, apply, recover  # noqa: E402
from kimicode.sandbox.policy import Permission, Policy  # noqa: E402
from kimicode.tools.hands import Hands, Moved  # noqa: E402

NOWHERE = 99_999
WASTED = {
    "write": lambda: os.write(NOWHERE, b""),
    "fsync": lambda: os.fsync(NOWHERE),
    "ftruncate": lambda: os.ftruncate(NOWHERE, 0),
    "fchmod": lambda: os.fchmod(NOWHERE, 0),
    "fchown": lambda: os.fchown(NOWHERE, 0, 0),
    "fchownat": lambda: os.chown("x", 0, 0, dir_fd=NOWHERE),
    "chmod": lambda: os.chmod("", 0),
    "fchmodat": lambda: os.chmod("x", 0, dir_fd=NOWHERE),
    "rename": lambda: os.rename("", ""),
    "renameat": lambda: os.rename("x", "y", src_dir_fd=NOWHERE, dst_dir_fd=NOWHERE),
    "unlink": lambda: os.unlink(""),
    "unlinkat": lambda: os.unlink("x", dir_fd=NOWHERE),
    "mkdir": lambda: os.mkdir(""),
    "mkdirat": lambda: os.mkdir("x", dir_fd=NOWHERE),
    "linkat": lambda: os.link("x", "y", src_dir_fd=NOWHERE, dst_dir_fd=NOWHERE),
    "symlinkat": lambda: os.symlink("x", "y", dir_fd=NOWHERE),
    "openat": lambda: os.open("x", os.O_RDONLY, dir_fd=NOWHERE),
}


def hands(folder):
    return Hands(Policy(Permission.WORKSPACE, folder / "tree"), locks=folder / "locks", journal=folder / "journal")


def one(folder):
    """An edit of one file."""
    hands(folder).change(["edit"], lambda files: {"edit": files["edit"].with_text("new edit\n")})


def fresh(folder):
    """A new file in new folders."""
    hands(folder).change(["new/deep/fresh"], lambda files: {"new/deep/fresh": TextFile("fresh\n")})


def several(folder):
    """What a patch does: edits, a new file, a deletion and a move."""

    def edit(files):
        return {
            "edit": files["edit"].with_text("new edit\n"),
            "also": files["also"].with_text("new also\n"),
            "new/deep/fresh": TextFile("fresh\n"),
            "gone": None,
            "from": None,
            "to": Moved(files["from"], "from"),
        }

    hands(folder).change(["edit", "also", "new/deep/fresh", "gone", "from", "to"], edit)


def everything(folder):
    """What a rewind does: all kinds of changes."""
    tree = folder / "tree"
    changes = [
        Remove(Place(tree, ("away",))),
        Remove(Place(tree, ("away", "deep"))),
        Remove(Place(tree, ("away", "deep", "f"))),
        Remove(Place(tree, ("file",))),
        PutFile(Place(tree, ("file", "below")), b"below\n"),
        PutFile(Place(tree, ("edit",)), b"new edit\n", 0o600),
        PutLink(Place(tree, ("link",)), "also"),
        MakeFolder(Place(tree, ("made",)), 0o700),
        SetMode(Place(tree, ("mode",)), 0o400),
    ]
    apply(changes, journal=folder / "journal")


SCENARIOS = {each.__name__: each for each in (one, fresh, several, everything)}


def said(work, *arguments):
    """The exit code and the words."""
    try:
        told = work(*arguments)
    except KimicodeError as error:
        return 3, error.message
    except OSError as error:
        return 4, str(error)
    return 0, "\n".join(told or ())


def process(call, wasted, work, *arguments):
    """Its number, its end, and its words."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _ in range(wasted):
            with contextlib.suppress(OSError):
                WASTED[call]()
        code, words = said(work, *arguments)
        os.write(writer, words.encode())
        os._exit(code)
    os.close(writer)
    with open(reader, "rb") as pipe:
        words = pipe.read().decode()
    return pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), words


def main():
    told = json.load(sys.stdin)
    # What is imported late is imported now, not in the middle of a count.
    for job in told["warm"]:
        SCENARIOS[job["scenario"]](Path(job["folder"]))
    for job in told["jobs"]:
        folder = Path(job["folder"])
        ended = process(job["call"], told["when"][job["call"]] - job["at"], SCENARIOS[job["scenario"]], folder)
        if job["again"]:
            call, at = job["again"]
            ended = process(call, told["when"][call] - at, recover, folder / "journal")
        os.write(1, json.dumps(ended).encode() + b"\n")


if __name__ == "__main__":
    main()
