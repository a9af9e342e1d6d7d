"""Changes to many files that happen all together or not at all, whatever ends the process.

`apply` looks whether all is as expected, writes down its steps in a journal, stages every new content beside its target, and decides by
renaming the journal's file. A failure or a kill before that leaves every target as it was; after it, every step is carried out, and
`recover` does so for a process that was killed. Where a step fails, or finds that somebody else has been there, all that was done is
taken back, from the old files that were kept under other names, so that an error always means: nothing was changed. A single step needs no
decision, for it happens or not by itself: the journal then only remembers what to tidy up.

Rules for callers: hold the `exclusive` of all places, from before reading what `expected` says until `apply` returns. Places of one call
have their folders in one spelling (the same `root` for the same tree). Extended attributes and access lists of replaced files are lost.
What this module does not do: word errors for people; it raises `OSError` with the place's path, `Stale`, or `LockTimeout`.
"""

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec

from kimicode.files.changes import Change, MakeFolder, PutFile, PutLink, Remove, SetMode
from kimicode.files.journal import Entry, Stage, claim, create, listed, peek
from kimicode.files.locks import LockTimeout, locked
from kimicode.files.place import Place, about
from kimicode.files.plan import plan
from kimicode.files.state import FileState, Stale
from kimicode.files.steps import Put, Step, remove, sync

__all__ = [
    "Change",
    "LockTimeout",
    "MakeFolder",
    "PutFile",
    "PutLink",
    "Remove",
    "SetMode",
    "Stale",
    "apply",
    "exclusive",
    "recover",
]

_NOTHING: Final[Mapping[Place, FileState]] = MappingProxyType({})
_PATIENCE_S: Final = 10.0
"""How long another process may take to end or to recover what stands in our way; it is at work on that and nothing else."""

_MANY: Final = 32
_THREADS: Final = 8


@contextmanager
def exclusive(places: Iterable[Place], *, locks: Path, journal: Path, timeout_s: float) -> Iterator[None]:
    """Hold the locks of `places`, with nothing left there that an interrupted transaction would still change.

    Raises `LockTimeout` and `OSError`.
    """
    chosen = tuple(places)
    with locked(chosen, folder=locks, timeout_s=timeout_s):
        recover(journal, holding=chosen)
        yield


def apply(changes: Sequence[Change], *, journal: Path, expected: Mapping[Place, FileState] = _NOTHING) -> None:
    """Make all `changes`, at most one content for a place, in whatever order works. Missing folders are made.

    Raises `Stale` where a place is not as `expected` or changes underway, and `OSError`; nothing is changed then.
    """
    contents = {change.place: change for change in changes if isinstance(change, PutFile | PutLink)}
    steps = plan(changes, expected)
    if not steps:
        return
    with create(journal, _encode(steps)) as entry:
        try:
            _stage(steps, contents)
            if len(steps) > 1:
                sync({place.parent for step in steps for place in step.leftovers})
                entry.advance(Stage.REDO)
            _do(steps)
        except BaseException as error:
            _take_back(entry, steps, error)
            raise
        # All is done. What is left over, should this fail, the next `recover` tidies up.
        with suppress(OSError):
            _tidy(entry, steps)


def recover(journal: Path, *, holding: Iterable[Place] = ()) -> tuple[str, ...]:
    """Finish, take back or tidy up after transactions that were interrupted; a line for each that had been decided, for people.

    What a living process works on is left alone, except that this waits for it where it concerns `holding`, whose locks the caller has.
    Raises `LockTimeout` if that takes too long, or `OSError` where the journal can't be read.
    """
    ours = {place.path for place in holding}
    told: list[str] = []
    stems = {path.stem for path in listed(journal)}
    looked_at: set[Path] = set()
    # Again until there is nothing new of those: one that goes on meanwhile comes back under its next name.
    while waiting := [path for path in listed(journal) if path.stem in stems and path not in looked_at]:
        for path in waiting:
            looked_at.add(path)
            entry = claim(path) or _wait_for(path, ours)
            if entry is not None:
                stems.discard(path.stem)
                with entry:
                    told += _settle(entry)
    return tuple(told)


def _wait_for(path: Path, ours: set[Path]) -> Entry | None:
    if not ours or path.suffix[1:] not in (Stage.REDO.value, Stage.UNDO.value):
        return None
    data = peek(path)
    steps = _decode(data) if data is not None else None
    if steps is None or not any(step.place.path in ours for step in steps):
        return None
    entry = claim(path, time.monotonic() + _PATIENCE_S)
    if entry is None and path.exists():
        raise LockTimeout(f"{path}: another kimicode process has been finishing this change for more than {_PATIENCE_S:g} s")
    return entry


def _settle(entry: Entry) -> list[str]:
    """Bring an orphan to its end."""
    steps = _decode(entry.read())
    if steps is None:
        if entry.stage is not Stage.PLAN:
            return [f"{entry.path} is damaged: what it was to finish is unknown. Remove it when you have looked."]
        # Killed while it wrote down its plan: nothing had begun.
        entry.remove()
        return []
    names = ", ".join(str(step.place.path) for step in steps)
    try:
        return [f"{how}: {names}" for how in _end(entry, steps)]
    except OSError as error:
        return [f"could not finish or take back an interrupted change, and will try again: {names} ({error})"]


def _end(entry: Entry, steps: Sequence[Step]) -> Iterator[str]:
    if entry.stage is Stage.REDO:
        try:
            _do(steps)
        except (OSError, Stale):
            entry.advance(Stage.UNDO)
        else:
            yield "finished an interrupted change"
    if entry.stage is Stage.UNDO:
        _undo(steps)
        yield "took back an interrupted change"
    _tidy(entry, steps)


def _stage(steps: Sequence[Step], contents: Mapping[Place, PutFile | PutLink]) -> None:
    puts = [step for step in steps if isinstance(step, Put)]

    def one(step: Put) -> None:
        with about(step.place):
            step.stage(contents[step.place])

    if len(puts) < _MANY:
        for step in puts:
            one(step)
    else:
        # A disk that is asked for many files at once writes its own journal once for several.
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(one, puts))


def _do(steps: Sequence[Step]) -> None:
    for step in steps:
        with about(step.place):
            step.do()
    # The changes are there, whatever the disk says now; a folder may have gone with a later step.
    for folder in {step.place.parent for step in steps}:
        with suppress(OSError):
            sync({folder})


def _take_back(entry: Entry, steps: Sequence[Step], why: BaseException) -> None:
    try:
        if entry.stage is Stage.REDO:
            entry.advance(Stage.UNDO)
            _undo(steps)
        _tidy(entry, steps)
    except OSError as error:
        why.add_note(f"taking back what was done failed too ({error}); {entry.path} remembers it and it will be tried again")


def _undo(steps: Sequence[Step]) -> None:
    first: OSError | None = None
    for step in reversed(steps):
        try:
            with about(step.place):
                step.undo()
        except OSError as error:
            first = first or error
    if first is not None:
        raise first


def _tidy(entry: Entry, steps: Sequence[Step]) -> None:
    # From here on nothing is done or undone: without what was kept, both would go wrong.
    if entry.stage in (Stage.REDO, Stage.UNDO):
        entry.advance(Stage.DONE)
    remove(*(place for step in steps for place in step.leftovers))
    entry.remove()


def _encode(steps: tuple[Step, ...]) -> bytes:
    # The standard library's JSON: it carries names that are no UTF-8 (lone surrogates) there and back.
    return json.dumps(msgspec.to_builtins(steps, enc_hook=str)).encode()


def _decode(data: bytes) -> tuple[Step, ...] | None:
    try:
        return msgspec.convert(json.loads(data), tuple[Step, ...], dec_hook=lambda kind, value: kind(value))
    except (ValueError, msgspec.ValidationError):
        return None
