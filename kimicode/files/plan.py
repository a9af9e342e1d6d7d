"""From changes to steps: in an order that works, with missing folders made, and with what undoing needs.

Order: files and links go, then folders, deepest first; then folders come, then content, then modes. What is staged or kept lies in the
deepest folder on the way that exists and stays, so on the same file system, and never in a folder that goes.
What this module does not do: change anything.
"""

import errno
import os
import stat
from collections.abc import Mapping, Sequence
from typing import assert_never

from kimicode.files.atomic import temporary_name
from kimicode.files.changes import Change, MakeFolder, PutFile, PutLink, Remove, SetMode
from kimicode.files.place import Place, about, look
from kimicode.files.state import MISSING, FileState, Stale, digest, state_of
from kimicode.files.steps import Make, Mode, Put, Step, Take, TakeFolder


def plan(changes: Sequence[Change], expected: Mapping[Place, FileState]) -> tuple[Step, ...]:
    """The steps; none where all is as it should be. Raises `Stale` where a place is not as `expected`, or `OSError`."""
    for place, state in expected.items():
        with about(place):
            if state_of(place) != state:
                raise Stale(place)
    planned = _Planner({change.place for change in changes if isinstance(change, Remove)}, expected)
    for change in changes:
        with about(change.place):
            planned.add(change)
    steps = planned.steps()
    return steps if len(steps) > 1 else tuple(_alone(step) for step in steps)


class _Planner:
    def __init__(self, removed: set[Place], expected: Mapping[Place, FileState]) -> None:
        self._removed = removed
        self._known = dict(expected)
        self._folders: dict[Place, bool] = {}
        self._taken: list[Take] = []
        self._folders_taken: list[TakeFolder] = []
        self._made: dict[Place, Make] = {}
        self._puts: dict[Place, Put] = {}
        self._modes: list[Mode] = []

    def steps(self) -> tuple[Step, ...]:
        for place in self._puts.keys() & self._made.keys():
            raise _error(errno.EISDIR, place)
        deepest_first = sorted(self._folders_taken, key=lambda step: -_depth(step.place))
        modes = sorted(self._modes, key=lambda step: -_depth(step.place))
        made = sorted(self._made.values(), key=lambda step: _depth(step.place))
        return (*self._taken, *deepest_first, *made, *self._puts.values(), *modes)

    def add(self, change: Change) -> None:
        match change:
            case PutFile() | PutLink():
                self._put(change)
            case MakeFolder():
                self._make(change)
            case Remove():
                self._take(change.place)
            case SetMode():
                self._mode(change.place, change.mode)
            case _:
                assert_never(change)

    def _put(self, change: PutFile | PutLink) -> None:
        place = change.place
        assert place not in self._puts, f"two contents for {place.path}"
        old = MISSING if place in self._removed else self._state(place)
        if old.kind == "folder":
            raise _error(errno.EISDIR, place)
        if old.kind == "other":
            raise _error(errno.EEXIST, place)
        new = FileState("link", target=change.target) if isinstance(change, PutLink) else _file(change, old)
        if old == new:
            return
        self._make_missing(place)
        kept = self._beside(place) if old.kind != "missing" else None
        self._puts[place] = Put(place, self._beside(place), kept, old, new)

    def _make(self, change: MakeFolder) -> None:
        kind = "missing" if change.place in self._removed else self._state(change.place).kind
        if kind == "folder":
            return
        if kind != "missing":
            raise _error(errno.EEXIST, change.place)
        self._make_missing(change.place)
        self._made[change.place] = Make(change.place)
        self._modes.append(Mode(change.place, None, change.mode))

    def _take(self, place: Place) -> None:
        old = self._state(place)
        if old.kind == "folder":
            found = look(place)
            owner = (found.st_uid, found.st_gid) if found is not None else (-1, -1)
            self._folders_taken.append(TakeFolder(place, old.mode, owner))
        elif old.kind != "missing":
            self._taken.append(Take(place, self._beside(place), old))

    def _mode(self, place: Place, mode: int) -> None:
        old = self._state(place)
        if place in self._removed or old.kind not in ("file", "folder"):
            self._modes.append(Mode(place, None, mode))
        elif old.mode != mode:
            self._modes.append(Mode(place, old.mode, mode))

    def _state(self, place: Place) -> FileState:
        if place not in self._known:
            self._known[place] = state_of(place)
        return self._known[place]

    def _make_missing(self, place: Place) -> None:
        for depth in range(1, len(place.parts)):
            folder = Place(place.root, place.parts[:depth])
            if folder not in self._made and (folder in self._removed or not self._is_folder(folder)):
                self._made[folder] = Make(folder)

    def _beside(self, place: Place) -> Place:
        folder = place.parent
        while folder.parts and (folder in self._removed or not self._is_folder(folder)):
            folder = folder.parent
        return folder.child(temporary_name())

    def _is_folder(self, place: Place) -> bool:
        """False where nothing is; what is no folder is an `OSError`."""
        if place not in self._folders:
            found = look(place)
            if found is not None and not stat.S_ISDIR(found.st_mode):
                raise _error(errno.ELOOP if stat.S_ISLNK(found.st_mode) else errno.ENOTDIR, place)
            self._folders[place] = found is not None
        return self._folders[place]


def _alone(step: Step) -> Step:
    """The same step where it is the only one: it happens or not, so nothing is kept for undoing."""
    match step:
        case Put(place, staged, _, old, new):
            return Put(place, staged, None, old, new)
        case Take(place, _, old):
            return Take(place, None, old)
        case _:
            return step


def _file(change: PutFile, old: FileState) -> FileState:
    """`mode` is only true where the old file's is kept or one is given; it counts only there."""
    mode = change.mode if change.mode is not None else old.mode
    return FileState("file", mode, digest(change.data), size=len(change.data))


def _depth(place: Place) -> int:
    return len(place.path.parts)


def _error(number: int, place: Place) -> OSError:
    return OSError(number, os.strerror(number), str(place.path))
