"""A rewind carried out, so that it happens wholly or not at all whenever the process ends.

Order: what the files hold now is kept (so a rewind can be rewound); the intent, which is the very event to come, is written down; the
files change in one transaction; the event is appended to the log; the intent goes. `finish_interrupted` looks at an intent that is still
there: where the transaction happened the event is appended, where it did not the intent is dropped.
What this module does not do: decide what a rewind does (`rewind`) or ask.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import SessionError
from kimicode.events import Event, FileChange, Rewound, SessionStarted, decode_event, encode_event
from kimicode.files.place import Place, open_file, open_folder
from kimicode.files.state import Stale, state_of
from kimicode.files.transaction import Change, LockTimeout, MakeFolder, PutFile, PutLink, Remove, SetMode, apply, exclusive, recover
from kimicode.session.log import read_events
from kimicode.session.names import change_of, place_in, states_of
from kimicode.session.preimages import PreImages
from kimicode.session.private import write_private
from kimicode.session.rewind import FileStep, RewindPlan, plan_rewind, with_contents
from kimicode.session.store import SessionStore

LOCK_TIMEOUT_S: Final = 10.0
_AGAIN: Final = "Look at the preview again: what was begun is then finished or undone."


def look_and_plan(
    events: Iterable[Event],
    turn: int,
    contents: PreImages,
    *,
    conversation: bool,
    files: bool,
    overwrite: Callable[[FileStep], bool] = lambda step: False,  # noqa: ARG005
) -> RewindPlan:
    """`plan_rewind` for the disk as it is, with problems for contents that are gone. Raises `UsageError`."""
    real = tuple(map(_really, events))
    plan = plan_rewind(real, turn, conversation=conversation, files=files, current=state_of, listing=names_in, overwrite=overwrite)
    return with_contents(plan, contents.load)


def perform(
    plan: RewindPlan,
    store: SessionStore,
    session_id: str,
    append: Callable[[Event], None],
    *,
    contents: PreImages,
    workspace: Path,
    at: str = "",
) -> Rewound:
    """Do what is ready in `plan`, and append the event, which is returned. The caller has the session's log open for appending.

    `workspace` is that of the session, absolute and real. Raises `SessionError`; then nothing was changed, except where `append` raised
    it: then the files are changed. What is left over then `finish_interrupted` brings to its end; this calls it first.
    """
    finish_interrupted(store, session_id, append)
    steps = plan.ready
    changes = tuple(change_of(step.place, step.current, step.target, workspace=workspace) for step in steps)
    event = Rewound(plan.turn, plan.conversation, plan.with_files, changes, at or datetime.now(UTC).isoformat(timespec="seconds"))
    intent = store.intent(session_id)
    if steps:
        try:
            with exclusive((step.place for step in steps), locks=store.locks, journal=store.journal, timeout_s=LOCK_TIMEOUT_S):
                _keep_current(steps, contents)
                write_private(intent, encode_event(event))
                _apply(steps, store, contents)
        except Stale as error:
            raise SessionError(f"{error.place.path} was changed just now", hint=_AGAIN) from error
        except (OSError, LockTimeout) as error:
            raise SessionError(f"can't rewind: {error}", hint=_AGAIN) from error
    append(event)
    intent.unlink(missing_ok=True)
    return event


def finish_interrupted(store: SessionStore, session_id: str, append: Callable[[Event], None]) -> tuple[str, ...]:
    """Bring to their end changes to files, of any session, and a rewind of this one that were interrupted; a line for people about each.

    To be called before the session's log is read for going on. `append` is that of the log, which the caller has open. Doing it again
    changes nothing. Raises `SessionError`.
    """
    intent = store.intent(session_id)
    try:
        told = recover(store.journal)
        written = intent.read_bytes()
    except FileNotFoundError:
        return told
    except (OSError, LockTimeout) as error:
        raise SessionError(f"can't finish what was interrupted: {error}", hint=f"See {store.journal} and {intent}.") from error
    try:
        told += (_settle(decode_event(written), store.path(session_id), append),)
        intent.unlink(missing_ok=True)
    except (OSError, msgspec.MsgspecError) as error:
        raise SessionError(f"can't finish the rewind in {intent}: {error}", hint="Try again; without the file it is given up.") from error
    return told


def names_in(place: Place) -> Collection[str]:
    """The names in a folder. Raises `OSError`."""
    with open_folder(place) as folder:
        return os.listdir(folder)


def _really(event: Event) -> Event:
    """Places have one spelling of their folder: the one without links, which is also what locks go by."""
    if isinstance(event, SessionStarted):
        return msgspec.structs.replace(event, workspace=str(Path(event.workspace).resolve()))
    return event


def _settle(event: Event, log: Path, append: Callable[[Event], None]) -> str:
    assert isinstance(event, Rewound)
    workspace = Path("/")
    for past in read_events(log):
        if past == event:
            return f"A rewind to before turn {event.to_turn} had ended in time."
        if isinstance(past, SessionStarted):
            workspace = Path(past.workspace).resolve()
    if any(_happened(workspace, change) for change in event.changes):
        append(event)
        return f"An interrupted rewind to before turn {event.to_turn} was finished."
    return f"An interrupted rewind to before turn {event.to_turn} had changed nothing yet and was dropped."


def _happened(workspace: Path, change: FileChange) -> bool:
    """Files change all together, so one that is as the rewind leaves it speaks for all; the others may have been changed since."""
    before, after = states_of(change)
    try:
        found = state_of(place_in(workspace, change))
    except OSError:
        return False
    return found == after and found != before


def _keep_current(steps: Iterable[FileStep], contents: PreImages) -> None:
    with contents.batch() as add:
        for step in steps:
            if step.current.kind == "file" and add(_content(step.place)) != step.current.digest:
                raise Stale(step.place)


def _content(place: Place) -> bytes:
    try:
        with open(open_file(place), "rb") as file:
            return file.read()
    except OSError as error:
        # It was read for the preview.
        raise Stale(place) from error


def _apply(steps: tuple[FileStep, ...], store: SessionStore, contents: PreImages) -> None:
    # Where this fails the intent stays: a full disk may keep even the taking back for later.
    changes = [change for step in steps for change in _changes(step, contents)]
    apply(changes, journal=store.journal, expected={step.place: step.current for step in steps})


def _changes(step: FileStep, contents: PreImages) -> Iterator[Change]:
    place, target, current = step.place, step.target, step.current
    if current.kind not in ("missing", target.kind) or target.kind == "missing":
        yield Remove(place)
    match target.kind:
        case "file" if (current.kind, current.digest) == ("file", target.digest):
            yield SetMode(place, target.mode)
        case "file":
            yield PutFile(place, contents.load(target.digest), target.mode)
        case "link":
            yield PutLink(place, target.target)
        case "folder" if current.kind == "folder":
            yield SetMode(place, target.mode)
        case "folder":
            yield MakeFolder(place, target.mode)
        case _:
            return
