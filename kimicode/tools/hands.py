"""The one way in which tools read and change text files.

`change` asks the policy, takes the files' locks, looks whether the model knows what it is about to change, lets a pure function make the
new texts, has the old contents kept, and changes all files or none. What the model knows are the digests of what it has read or written:
a file that is not as it last saw it is an error that says so. Every failure is a `ToolError` or a `RefusedError`, and means that nothing
was changed. Hands `for_look` only plan, and what a person allowed by such a plan is all that hands `for_call` will do.
What this module does not do: match or parse (`edit`), or remember beyond the process.
"""

import errno
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kimicode.edit.files import TextFile, decode, encode, failed, read_bytes, read_text, require_regular
from kimicode.errors import KimicodeError, ToolError
from kimicode.files.place import Place, look, open_parent
from kimicode.files.state import MISSING, FileState, Stale, digest
from kimicode.files.transaction import Change, LockTimeout, PutFile, Remove, apply, exclusive
from kimicode.sandbox.policy import Policy


class Moved(msgspec.Struct, frozen=True):
    """A text whose file had the name `source` until now, and whose mode it keeps."""

    file: TextFile
    source: str


Texts: TypeAlias = Mapping[str, TextFile | None]
"""Files by the names the model uses for them; None where nothing is."""

Edit: TypeAlias = Callable[[Texts], Mapping[str, TextFile | Moved | None]]
"""Old texts in, the new ones of those that change out; None deletes. Pure; it may raise `ToolError`."""

Keep: TypeAlias = Callable[[Mapping[Place, tuple[FileState, bytes]]], None]
"""Takes what the places hold that are about to change. Where it raises, nothing is changed."""

Announce: TypeAlias = Callable[[Mapping[Place, tuple[FileState, FileState]]], None]
"""Takes the states before and after a change that is about to happen; a new file's mode is 0, for it is not known yet."""

States: TypeAlias = Mapping[Path, tuple[FileState, FileState]]
"""Files with their states before and after."""

WAIT_S: Final = 10.0
"""How long a change waits for other processes: they hold a file's lock for milliseconds, so this is not load but a fault."""


class Changed(msgspec.Struct, frozen=True):
    """What was done: the states before and after, and what the model should be told besides."""

    states: Mapping[Place, tuple[FileState, FileState]]
    notes: tuple[str, ...] = ()


class Hands:
    """The hands of one session. `strict`: a file that exists must have been read before it is changed.

    `locks` and `journal` are folders, the same ones for all sessions of a user; they are made when they are needed.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        locks: Path,
        journal: Path,
        keep: Keep = lambda _: None,
        announce: Announce = lambda _: None,
        strict: bool = False,
        wait_s: float = WAIT_S,
        promised: States | None = None,
        only_plan: bool = False,
    ) -> None:
        self.seen: dict[Path, str] = {}
        self._policy = policy
        self._locks = locks
        self._journal = journal
        self._keep = keep
        self._announce = announce
        self._strict = strict
        self._wait_s = wait_s
        self._promised = promised
        self._only_plan = only_plan

    def for_call(self, policy: Policy, announce: Announce, promised: States | None = None) -> "Hands":
        """The same hands, with the same memory, for one call: by its policy, and with its changes announced as its own.

        Where something is `promised`, a change is that or none.
        """
        hands = Hands(
            policy,
            locks=self._locks,
            journal=self._journal,
            keep=self._keep,
            announce=announce,
            strict=self._strict,
            wait_s=self._wait_s,
            promised=promised,
        )
        hands.seen = self.seen
        return hands

    def for_look(self, policy: Policy) -> "Hands":
        """The same hands, which only look: their `change` raises `Planned` instead of changing anything, and takes no lock."""
        hands = Hands(policy, locks=self._locks, journal=self._journal, strict=self._strict, only_plan=True)
        hands.seen = self.seen
        return hands

    def read(self, name: str) -> TextFile:
        """The text of a file that the model now knows. Raises `ToolError`, `RefusedError`."""
        place = self._policy.readable(name)
        file = read_text(place, name)
        self.seen[place.path] = file.digest
        return file

    def change(self, names: Sequence[str], edit: Edit) -> Changed:
        """Change some of the files `names`, all of what `edit` says or nothing. Raises `ToolError`, `RefusedError`."""
        places = {name: self._policy.writable(name) for name in names}
        _refuse_twins(places)
        try:
            if self._only_plan:
                raise Planned(self._plan(places, edit))
            with exclusive(places.values(), locks=self._locks, journal=self._journal, timeout_s=self._wait_s):
                return self._change(places, edit)
        except LockTimeout as error:
            raise ToolError(f"{error}. Nothing was changed; try again.") from error
        except Stale as error:
            raise ToolError(f"{_name(error.place.path, places)} was changed by somebody else just now. Read it again.") from error
        except OSError as error:
            raise _in_words(error, places) from error

    def _change(self, places: Mapping[str, Place], edit: Edit) -> Changed:
        plan = self._plan(places, edit)
        if not plan.steps:
            return Changed({})
        self._require_promised(plan, places)
        self._keep({step.place: (step.before, step.data) for step in plan.steps})
        states = {step.place: (step.before, step.after) for step in plan.steps}
        self._announce(states)
        # Everything that was read is looked at again: an edit may rest on a file that it does not change.
        apply([step.change for step in plan.steps], journal=self._journal, expected=plan.expected)
        self._note(states)
        return Changed(states, tuple(step.note for step in plan.steps if step.note))

    def _plan(self, places: Mapping[str, Place], edit: Edit) -> "Plan":
        old = {name: self._old(place, name) for name, place in places.items()}
        new = edit({name: each.file if each else None for name, each in old.items()})
        steps = tuple(step for name, file in new.items() if (step := _planned(name, places[name], file, old)))
        expected = {places[name]: each.state if each else MISSING for name, each in old.items()}
        return Plan(steps, expected, {name: each.file.text if each else None for name, each in old.items()})

    def _require_promised(self, plan: "Plan", places: Mapping[str, Place]) -> None:
        if self._promised is None:
            return
        other = dict(plan.states.items() ^ self._promised.items())
        if other:
            what = ", ".join(dict.fromkeys(_name(path, places) for path in other))
            raise ToolError(f"{what}: this is no longer the change that the user allowed; the file changed meanwhile. Nothing was changed.")

    def _old(self, place: Place, name: str) -> "_Old | None":
        found = _regular(place, name)
        if found is None:
            return None
        data = read_bytes(place, name)
        file = decode(data, name)
        self._require_known(place, name, file.digest)
        return _Old(file, data, FileState("file", stat.S_IMODE(found.st_mode), file.digest, size=len(data)), found.st_nlink)

    def _require_known(self, place: Place, name: str, now: str) -> None:
        seen = self.seen.get(place.path)
        if seen is None and self._strict:
            raise ToolError(f"{name} exists and was not read yet in this session. Read it first. Nothing was changed.")
        if seen is not None and seen != now:
            raise ToolError(f"{name} was changed since you last read it, by the user or a command. Read it again. Nothing was changed.")

    def _note(self, states: Mapping[Place, tuple[FileState, FileState]]) -> None:
        for place, (_, after) in states.items():
            if after.kind == "file":
                self.seen[place.path] = after.digest
            else:
                self.seen.pop(place.path, None)


class _Old(msgspec.Struct, frozen=True):
    file: TextFile
    data: bytes
    state: FileState
    names: int


class Step(msgspec.Struct, frozen=True):
    """One change: `data` is what was there, in the state `before`; `text` is what will be, None for nothing; `source` where it is now."""

    name: str
    place: Place
    change: Change
    before: FileState
    data: bytes
    after: FileState
    text: str | None = None
    source: str | None = None
    note: str = ""


class Plan(msgspec.Struct, frozen=True):
    """What a change would do: its steps, the states that all files it looked at must be in, and their texts by name."""

    steps: tuple[Step, ...]
    expected: Mapping[Place, FileState]
    texts: Mapping[str, str | None]

    @property
    def states(self) -> States:
        """The states before and after of what changes."""
        return {step.place.path: (step.before, step.after) for step in self.steps}


class Planned(Exception):
    """The end of a call that was only to be looked at."""

    def __init__(self, plan: Plan) -> None:
        super().__init__("a call was looked at, not made")
        self.plan = plan


def _planned(name: str, place: Place, new: TextFile | Moved | None, old: Mapping[str, _Old | None]) -> Step | None:
    """The change that makes `new` of what is at `place`; None where it is so already."""
    was = old[name]
    before, held = (was.state, was.data) if was else (MISSING, b"")
    note = f"{name} has other names (hard links): they keep the old text." if was and was.names > 1 else ""
    if new is None:
        return Step(name, place, Remove(place), before, held, MISSING) if was else None
    source = old[new.source] if isinstance(new, Moved) else None
    file = new.file if isinstance(new, Moved) else new
    data = encode(file, name)
    mode = source.state.mode if source else None
    after = FileState("file", before.mode if mode is None else mode, digest(data), size=len(data))
    if after == before:
        return None
    return Step(
        name, place, PutFile(place, data, mode), before, held, after, file.text, new.source if isinstance(new, Moved) else None, note
    )


def _regular(place: Place, name: str) -> os.stat_result | None:
    """What is at `place` if it may be replaced, None where nothing is. Raises `ToolError`, `RefusedError`, `OSError`."""
    found = look(place)
    if found is None:
        return None
    require_regular(found, name)
    with open_parent(place) as folder:
        if not os.access(place.name, os.W_OK, dir_fd=folder, follow_symlinks=False):
            raise ToolError(f"{name} is write-protected (mode {stat.S_IMODE(found.st_mode):o}). It was left as it is.")
    return found


def _refuse_twins(places: Mapping[str, Place]) -> None:
    names: dict[Path, str] = {}
    for name, place in places.items():
        if (other := names.setdefault(place.path, name)) != name:
            raise ToolError(f"{other} and {name} are the same file. Use one name for it. Nothing was changed.")


def _name(path: Path, places: Mapping[str, Place]) -> str:
    """What the model calls the file; a folder is called after the first file that needs it."""
    for name, place in places.items():
        if place.path == path or path in place.path.parents:
            return name
    return ", ".join(places)


def _in_words(error: OSError, places: Mapping[str, Place]) -> KimicodeError:
    path = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else Path()
    name = _name(path, places)
    if error.errno == errno.EISDIR:
        return ToolError(f"{name} is a folder, not a file with text. Nothing was changed.")
    return failed(name, "write", error)
