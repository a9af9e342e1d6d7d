"""Kept contents that nobody can want any more go away: those that no session log speaks of, and those of old sessions.

Logs speak for their contents newest first, until an age or a size is reached. Nothing is taken while any session that keeps contents is
open, and what is to stay of a pack is written anew, and synced, before the pack goes. What this module does not do: delete a log.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import SessionError
from kimicode.events import FileChange, FilesChanged, Rewound, decode_event
from kimicode.session.pack import Found, PackWriter, read_index
from kimicode.session.preimages import lock, new_pack, packs
from kimicode.session.store import SessionStore

MAX_BYTES: Final = 2 << 30
MAX_AGE_S: Final = 30 * 86_400
EVERY_S: Final = 86_400
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPEAKING: Final = (b'"files_changed"', b'"rewound"')


def clean_if_due(store: SessionStore, *, now: float | None = None) -> bool:
    """`clean` where that was not done for a day; whether it was done. Costs one look at a file where it is not due."""
    moment = time.time() if now is None else now
    with contextlib.suppress(OSError):
        if moment - (store.preimages / "cleaned").stat().st_mtime < EVERY_S:
            return False
    return store.preimages.is_dir() and clean(store, now=moment)


def clean(store: SessionStore, *, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S, now: float | None = None) -> bool:
    """Take away what is not wanted; False where a session is open, so that nothing may be taken. Raises `SessionError`."""
    moment = time.time() if now is None else now
    try:
        descriptor = lock(store.preimages, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise _failure(store.preimages, error) from error
    try:
        found = {name: where for pack in packs(store.preimages) for name, where in read_index(pack)}
        _sweep(store.preimages, _wanted(store, found, max_bytes, moment - max_age_s))
        mark = store.preimages / "cleaned"
        mark.touch(mode=0o600)
        os.utime(mark, (moment, moment))
    except OSError as error:
        raise _failure(store.preimages, error) from error
    finally:
        os.close(descriptor)
    return True


def _failure(root: Path, error: OSError) -> SessionError:
    return SessionError(f"can't clean {root}: {error.strerror or error}", hint="Look at the permissions of what is in it.")


def _wanted(store: SessionStore, found: dict[str, Found], room: int, oldest: float) -> set[str]:
    # What an interrupted rewind has kept is spoken of by its intent alone.
    wanted = {name for intent in store.intent("").parent.glob("*.json") for name in _spoken_of(intent) if name in found}
    for path in sorted((store.path(name) for name in store.ids()), key=_changed_at, reverse=True):
        if _changed_at(path) < oldest:
            break
        fresh = {name for name in _spoken_of(path) if name in found} - wanted
        room -= sum(found[name].length for name in fresh)
        if room < 0:
            break
        wanted |= fresh
    return wanted


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _spoken_of(path: Path) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as lines:
        for line in lines:
            # Most lines are pieces of text; only few are worth decoding. A damaged log speaks of what can be read of it.
            if any(kind in line[:40] for kind in _SPEAKING):
                with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError):
                    event = decode_event(line)
                    if isinstance(event, FilesChanged | Rewound):
                        yield from _digests(event.changes)


def _digests(changes: Iterable[FileChange]) -> Iterator[str]:
    return (change.before.digest for change in changes if change.before.digest)


def _sweep(root: Path, wanted: set[str]) -> None:
    left = set(wanted)
    for pack in packs(root):
        held = dict(read_index(pack))
        stays = {name: where for name, where in held.items() if name in left}
        if len(stays) != len(held) or not held:
            _move(stays, pack, root)
            pack.with_suffix(".idx").unlink()
            pack.unlink()
        left -= stays.keys()
    for path in root.glob("*.pack"):
        if not path.with_suffix(".idx").exists():
            path.unlink()


def _move(stays: dict[str, Found], pack: Path, root: Path) -> None:
    if not stays:
        return
    writer = PackWriter(new_pack(root))
    try:
        descriptor = os.open(pack, _READ)
        try:
            for name, where in stays.items():
                writer.add(name, os.pread(descriptor, where.length, where.offset))
            writer.commit()
        finally:
            os.close(descriptor)
    finally:
        writer.close()
