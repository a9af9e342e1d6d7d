"""A session that keeps contents and then says so, as a process that can be killed. `keeping.py HOME WORK`; prints nothing."""

import sys
from pathlib import Path

from kimicode.errors import SessionError
from kimicode.events import MessageAdded, SessionStarted
from kimicode.files.place import Place
from kimicode.files.state import FileState, digest
from kimicode.messages import User
from kimicode.session.changes import Changes
from kimicode.session.store import SessionStore

ROUNDS = 4


def main(home: Path, work: Path) -> int:
    """Exit code 1 where something could not be written at first; every event is tried twice, as the agent's recorder does."""
    changes = Changes(home, work)
    failures = 0
    try:
        session_id, log = SessionStore(home).create()
    except SessionError:
        return 1
    with log:
        events = [SessionStarted(session_id, str(work), "m", "e", "workspace", ()), MessageAdded(User("prompt"))]
        for event in events:
            failures += _twice(lambda event=event: log.append(event))
        for number in range(ROUNDS):
            data = b"content %d" % number
            place = Place(work, (f"file{number}",))
            before, after = FileState("file", 0o644, digest(data), size=len(data)), FileState("file", 0o644, digest(b""))
            # What could not be kept is not changed, and not said to be.
            try:
                changes.keep({place: (before, data)})
            except SessionError:
                failures += 1
                continue
            failures += _twice(lambda: log.append(changes.edited("c", {place: (before, after)})))  # noqa: B023
    changes.close()
    return 1 if failures else 0


def _twice(write) -> int:
    try:
        write()
    except SessionError:
        try:
            write()
        except SessionError:
            return 2
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
