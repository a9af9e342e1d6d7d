"""The turns of a session, listed from its log, and what was changed since one of them.

A turn is one prompt of the user, or one rewind; `session.replay` says where it begins. What this module does not do: look at the disk.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from kimicode.events import Event, FileChange, FilesChanged, MessageAdded, Rewound, SessionStarted
from kimicode.messages import User
from kimicode.session.replay import Thread
from kimicode.session.title import user_words


class Turn(msgspec.Struct, frozen=True):
    """One turn. `rewound_to` is 0 but for a rewind; `live` is false where a rewind took it out of the conversation; `at` is ISO 8601
    or empty; `changed` are the files and folders that changed in it, as recorded."""

    number: int
    prompt: str = ""
    at: str = ""
    rewound_to: int = 0
    live: bool = True
    changed: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """A recorded change and the workspace that its path is relative to."""

    workspace: Path
    recorded: FileChange


def turns_of(events: Iterable[Event]) -> tuple[Turn, ...]:
    """All turns, oldest first. Raises `SessionError` where a rewind goes to a turn that there never was."""
    turns: list[Turn] = []
    live: list[frozenset[int]] = []
    now: frozenset[int] = frozenset()
    for number, event in _numbered(events):
        if number > len(turns):
            turns.append(Turn(number))
            live.append(now)
            now |= {number}
        if isinstance(event, Rewound) and event.conversation:
            now = live[event.to_turn - 1] | {number}
        if turns:
            turns[-1] = _with(turns[-1], event)
    return tuple(msgspec.structs.replace(turn, live=turn.number in now) for turn in turns)


def changes_since(events: Iterable[Event], turn: int) -> tuple[Change, ...]:
    """What was changed in `turn` and after it, in the order in which it happened; rewinds count."""
    workspace = Path("/")
    changes: list[Change] = []
    for number, event in _numbered(events):
        match event:
            case SessionStarted():
                workspace = Path(event.workspace)
            case FilesChanged(changes=made) | Rewound(changes=made) if number >= turn:
                changes += (Change(workspace, change) for change in made)
            case _:
                continue
    return tuple(changes)


def _numbered(events: Iterable[Event]) -> Iterator[tuple[int, Event]]:
    """Every event with the number of the turn that it belongs to; 0 before the first."""
    thread, number = Thread(), 0
    for event in events:
        number += thread.begins_turn(event)
        thread.grow(event)
        yield number, event


def _with(turn: Turn, event: Event) -> Turn:
    match event:
        case MessageAdded(message=User(content=content), at=at) if not turn.prompt:
            return msgspec.structs.replace(turn, prompt=user_words(content), at=turn.at or at)
        case Rewound(to_turn=to, at=at):
            turn = msgspec.structs.replace(turn, rewound_to=to, at=at)
        case _:
            pass
    if isinstance(event, FilesChanged | Rewound):
        paths = dict.fromkeys((*turn.changed, *(change.path for change in event.changes)))
        return msgspec.structs.replace(turn, changed=tuple(paths))
    return turn
