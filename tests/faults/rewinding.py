"""A session to rewind, and its rewind as a process that can be killed. `rewinding.py HOME SESSION` goes back to before turn 1.

The work has one of everything: files changed, made and removed, other modes, a link, a binary, folders made and removed.
"""

import contextlib
import io
import os
import sys
from pathlib import Path

from kimicode.commands.rewind import Wanted, rewind
from kimicode.events import MessageAdded, RunFinished, SessionStarted
from kimicode.files.place import Place
from kimicode.files.state import state_of
from kimicode.messages import System, Usage, User
from kimicode.session.changes import Changes
from kimicode.session.preimages import PreImages
from kimicode.session.store import SessionStore


def build(home: Path, work: Path) -> str:
    """Make the session; its id."""
    work.mkdir()
    (work / "old").mkdir()
    for name, data in {"changed": b"before\n", "removed": b"\0\xff", "old/inside": b"deep\r\n", "mode": b"m"}.items():
        (work / name).write_bytes(data)
    (work / "link").symlink_to("changed")
    changes = Changes(home, work)
    session_id, log = SessionStore(home).create()
    with log:
        log.append(SessionStarted(session_id, str(work), "m", "e", "workspace", ()))
        log.append(MessageAdded(System("s")))
        log.append(MessageAdded(User("work")))
        changes.before_command()
        change(work)
        for event in changes.after_command("c0"):
            log.append(event)
        log.append(RunFinished("done", 0, "", 1, Usage(), 1.0))
    changes.close()
    return session_id


def change(work: Path) -> None:
    (work / "changed").write_bytes(b"after\n")
    (work / "removed").unlink()
    (work / "old" / "inside").unlink()
    (work / "old").rmdir()
    (work / "mode").chmod(0o755)
    (work / "link").unlink()
    (work / "link").symlink_to("mode")
    (work / "new" / "deep").mkdir(parents=True)
    (work / "new" / "deep" / "made").write_bytes(b"made\n")


def tree(work: Path) -> dict[str, object]:
    """All that is in a folder: states by name."""
    return {str(path.relative_to(work)): state_of(Place(work, path.relative_to(work).parts)) for path in sorted(work.rglob("*"))}


def main(home: Path, session_id: str) -> int:
    store = SessionStore(home)
    # What it says is not what is tested, and would be most of what it writes.
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), PreImages(store.preimages) as contents:
        return rewind(store, session_id, Wanted(1, files=True, conversation=True), contents, None)


if __name__ == "__main__":
    os.environ.clear()
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
