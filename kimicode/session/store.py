"""Where sessions live and how one is found again: `ROOT/sessions/ID.jsonl`, large tool results in `ROOT/scratch/ID/`.

What rewinds need is beside them: `preimages/`, `rewinds/`, and the `journal/` and `locks/` of changes to files.

An id is the time of its making in UTC and four more characters (`20261124-101530-ab12`), two for the 1,024th of the second and two
random ones: ids sort by age, and a prefix, or the last four characters, is enough to name one. Listing reads only the head and the
tail of each log: back to the last step, before which a session's title is said again by whoever writes the log (`app`).
What this module does not do: choose `ROOT` (the composition root does) or delete anything.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from kimicode.errors import SessionError, UsageError
from kimicode.events import Event, MessageAdded, RunFinished, SessionStarted, StepStarted, Titled, decode_event
from kimicode.messages import User
from kimicode.session.log import SessionLog, read_events
from kimicode.session.title import user_words

_ID = re.compile(r"\d{8}-\d{6}-[0-9a-z]{4}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_HEAD_LINES = 32
_TAIL = 1 << 14


class Summary(msgspec.Struct, frozen=True):
    """One line of a list of sessions. `status` is a run's status, `unfinished` (running or killed) or `damaged`. `title` is what the user
    called it, or empty."""

    id: str
    started: str
    workspace: str = ""
    model: str = ""
    prompt: str = ""
    steps: int = 0
    status: str = "unfinished"
    title: str = ""


def _now() -> datetime:
    return datetime.now(UTC)


class SessionStore:
    """All sessions under one root folder; nothing is created before it is needed."""

    def __init__(self, root: Path, *, now: Callable[[], datetime] = _now) -> None:
        self.root = root
        self._now = now

    def path(self, session_id: str) -> Path:
        """The log of a session."""
        return self.root / "sessions" / f"{session_id}.jsonl"

    def scratch(self, session_id: str) -> Path:
        """The folder for large tool results of a session; not created here."""
        return self.root / "scratch" / session_id

    def intent(self, session_id: str) -> Path:
        """The file that says what a rewind of a session is about to do, while it does."""
        return self.root / "rewinds" / f"{session_id}.json"

    @property
    def preimages(self) -> Path:
        """The folder of what files held before they were changed."""
        return self.root / "preimages"

    @property
    def journal(self) -> Path:
        """The folder of the transactions over files that are under way."""
        return self.root / "journal"

    @property
    def locks(self) -> Path:
        """The folder of the locks of files that are being changed."""
        return self.root / "locks"

    def create(self) -> tuple[str, SessionLog]:
        """A new session: its id and its empty log. Raises `SessionError`."""
        while True:
            now = self._now()
            high, low = divmod(now.microsecond * 1024 // 1_000_000, len(_ALPHABET))
            tail = _ALPHABET[high] + _ALPHABET[low] + secrets.choice(_ALPHABET) + secrets.choice(_ALPHABET)
            session_id = f"{now:%Y%m%d-%H%M%S}-{tail}"
            try:
                return session_id, SessionLog(self.path(session_id), create=True)
            except FileExistsError:
                continue

    def open(self, session_id: str) -> SessionLog:
        """The log of an existing session, for going on. Raises `SessionError` where it is in use or can't be opened."""
        return SessionLog(self.path(session_id))

    def ids(self) -> list[str]:
        """All session ids, newest first."""
        folder = self.root / "sessions"
        if not folder.is_dir():
            return []
        return sorted((entry.stem for entry in folder.iterdir() if entry.suffix == ".jsonl" and _ID.fullmatch(entry.stem)), reverse=True)

    def resolve(self, name: str) -> str:
        """The one id that starts or ends with `name`. Raises `UsageError` where there is none or more than one."""
        found = [known for known in self.ids() if name and (known.startswith(name) or known.endswith(name))]
        match found:
            case [only]:
                return only
            case []:
                raise UsageError(f"no session {name!r} under {self.root}", hint="`kimicode sessions list` shows them all.")
            case [*several]:
                shown = ", ".join(several[:5])
                raise UsageError(f"{name!r} names {len(several)} sessions: {shown}", hint="Type more of the id.")

    def latest(self, workspace: Path) -> str:
        """The newest session of `workspace`. Raises `UsageError` where it has none."""
        for session_id in self.ids():
            first = next(iter(_readable(self.path(session_id))), None)
            if isinstance(first, SessionStarted) and first.workspace == str(workspace):
                return session_id
        raise UsageError(f"no earlier session in {workspace}", hint="Start one without --continue, or name one with --resume ID.")

    def summaries(self) -> Iterator[Summary]:
        """A summary of every session, newest first. A log that can't be read is listed as damaged."""
        return (_summary(session_id, self.path(session_id)) for session_id in self.ids())


def _readable(path: Path) -> Iterator[Event]:
    """The events at the head of a log, up to the first thing wrong with it."""
    try:
        yield from read_events(path)
    except SessionError:
        return


def _summary(session_id: str, path: Path) -> Summary:
    started = datetime.strptime(session_id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).isoformat()
    summary = Summary(session_id, started)
    for _, event in zip(range(_HEAD_LINES), _readable(path), strict=False):
        match event:
            case SessionStarted(workspace=workspace, model=model, started_at=at):
                summary = msgspec.structs.replace(summary, workspace=workspace, model=model, started=at or started)
            case MessageAdded(message=User(content=content)):
                summary = msgspec.structs.replace(summary, prompt=user_words(content))
                break
            case Titled(title=title):
                summary = msgspec.structs.replace(summary, title=title)
            case _:
                continue
    return _with_end(summary, path)


def _with_end(summary: Summary, path: Path) -> Summary:
    """Add how the last run ended, how many steps there were, and the title, reading backwards only to just before the last step."""
    status: str | None = None
    title: str | None = None
    steps = 0
    try:
        for line in _lines_backwards(path):
            event = decode_event(line)
            if isinstance(event, Titled) and title is None:
                title = event.title
            if steps:
                break
            match event:
                case RunFinished(status=ended):
                    status = status or ended
                case StepStarted(step=step):
                    steps = step
                case MessageAdded():
                    status = status or "unfinished"
                case _:
                    continue
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.structs.replace(summary, status="damaged")
    return msgspec.structs.replace(summary, steps=steps, status=status or "unfinished", title=summary.title if title is None else title)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, last first; what follows the last newline is ignored."""
    with path.open("rb") as file:
        start = file.seek(0, 2)
        size = _TAIL
        rest = b""
        torn = True
        while start > 0:
            size = min(size, start)
            start -= size
            file.seek(start)
            rest, *whole = (file.read(size) + rest).split(b"\n")
            if torn and whole:
                torn = False
                whole.pop()
            yield from reversed(whole)
            size *= 2
        if not torn:
            yield rest
