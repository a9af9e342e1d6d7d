"""What a rewind would do, decided without doing it: pure functions over a log and a way to look at places.

Each place that the agent changed since a turn goes back to what it was before the first of these changes, unless somebody else changed it
since or in between (a conflict: left alone until the user says otherwise), or there is no way (the content was not kept, the place is
outside the workspace, its folder is something else now). A folder that the agent made goes when nothing stays in it.
What this module does not do: change anything (`perform` does).
"""

import errno
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec

from kimicode.errors import SessionError, UsageError
from kimicode.events import Event
from kimicode.files.place import Place
from kimicode.files.state import MISSING, FileState
from kimicode.session.names import place_in, states_of
from kimicode.session.replay import replay
from kimicode.session.turns import Change, changes_since

Look: TypeAlias = Callable[[Place], FileState]
"""The state of a place now. Raises `OSError`."""

List: TypeAlias = Callable[[Place], Collection[str]]
"""The names in a folder. Raises `OSError`."""

Action: TypeAlias = Literal["restore", "recreate", "remove", "nothing"]

_NOT_THERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})


class FileStep(msgspec.Struct, frozen=True):
    """One place: what it was (`target`), what the agent left, what it is now. `name` is its path as recorded.

    `conflict` says why it is left alone unless the user decides otherwise, `problem` why it is left alone in any case; a `stays` folder
    is not empty. With none of them the `action` will be carried out.
    """

    place: Place
    name: str
    target: FileState
    left: FileState
    current: FileState
    conflict: str = ""
    problem: str = ""
    stays: bool = False

    @property
    def action(self) -> Action:
        """What is to be done to it, if nothing is in the way."""
        if self.target == self.current:
            return "nothing"
        if self.target.kind == "missing":
            return "remove"
        return "recreate" if self.current.kind == "missing" else "restore"

    @property
    def ready(self) -> bool:
        """True when the action will be carried out."""
        return not (self.conflict or self.problem or self.stays) and self.action != "nothing"


class RewindPlan(msgspec.Struct, frozen=True):
    """A rewind to just before `turn`. `files` are the places in question, by path."""

    turn: int
    conversation: bool
    with_files: bool
    files: tuple[FileStep, ...] = ()

    @property
    def ready(self) -> tuple[FileStep, ...]:
        """What will be done."""
        return tuple(step for step in self.files if step.ready)

    @property
    def refused(self) -> tuple[FileStep, ...]:
        """What is left alone although it is not as it was."""
        return tuple(step for step in self.files if step.conflict or step.problem)


def plan_rewind(
    events: Iterable[Event],
    turn: int,
    *,
    conversation: bool,
    files: bool,
    current: Look,
    listing: List,
    overwrite: Callable[[FileStep], bool] = lambda step: False,  # noqa: ARG005
) -> RewindPlan:
    """What is to be done so that things are as they were just before `turn`.

    `overwrite` decides about each conflict. Raises `UsageError` where there is no such turn.
    """
    known = tuple(events)
    turns = len(replay(known).starts)
    if not 1 <= turn <= turns:
        there = f"they go from 1 to {turns}" if turns else "there is none yet"
        raise UsageError(f"there is no turn {turn}: {there}", hint="`kimicode sessions rewind ID` lists them.")
    if not files:
        return RewindPlan(turn, conversation, with_files=False)
    current = cache(current)
    steps = [_decided(step, overwrite) for step in _steps(changes_since(known, turn), current)]
    found = {step.place: step for step in steps if step.action != "nothing"}
    return RewindPlan(turn, conversation, True, tuple(sorted(_possible(found, current, listing).values(), key=lambda step: step.name)))


def with_contents(plan: RewindPlan, load: Callable[[str], bytes]) -> RewindPlan:
    """The plan with a problem for every file whose content `load` refuses (`SessionError`)."""
    return msgspec.structs.replace(plan, files=tuple(_loadable(step, load) for step in plan.files))


def same(left: FileState, right: FileState) -> bool:
    """True when two states are the same as far as both are known: a folder or a file may have a mode that was not known yet."""
    if left.kind != right.kind or left.digest != right.digest or left.target != right.target or left.size != right.size:
        return False
    return left.mode == right.mode or not left.mode or not right.mode


def _loadable(step: FileStep, load: Callable[[str], bytes]) -> FileStep:
    if not step.ready or step.target.kind != "file" or step.target.digest == step.current.digest:
        return step
    try:
        load(step.target.digest)
    except SessionError as error:
        return msgspec.structs.replace(step, problem=error.message)
    return step


def _steps(changes: Iterable[Change], current: Look) -> list[FileStep]:
    by_place: dict[Place, list[Change]] = {}
    for change in changes:
        try:
            place = place_in(change.workspace, change.recorded)
        except ValueError:
            continue
        by_place.setdefault(place, []).append(change)
    return [_step(place, found, current) for place, found in by_place.items()]


def _step(place: Place, changes: list[Change], current: Look) -> FileStep:
    states = [states_of(change.recorded) for change in changes]
    target, left = states[0][0], states[-1][1]
    step = FileStep(place, changes[0].recorded.path, target, left, MISSING)
    if place.root == Path("/"):
        return msgspec.structs.replace(step, current=left, problem="it is outside the workspace")
    try:
        now = _now(place, current)
    except OSError as error:
        return msgspec.structs.replace(step, current=left, problem=f"it can't be looked at: {error.strerror}")
    problem = _impossible(step, now, kept=changes[0].recorded.kept)
    return msgspec.structs.replace(step, current=now, problem=problem, conflict=_conflict(states, now))


def _now(place: Place, current: Look) -> FileState:
    try:
        return current(place)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return MISSING
        raise


def _impossible(step: FileStep, now: FileState, *, kept: bool) -> str:
    if "other" in (step.target.kind, now.kind):
        return "it is or was neither file, folder nor link"
    if step.target.kind == "file" and not (kept and step.target.digest):
        return "its content was too large to be kept"
    return ""


def _conflict(states: list[tuple[FileState, FileState]], now: FileState) -> str:
    """Why somebody else may have changed it. A change is recorded before it is made, so each of them may not have happened."""
    before, left = states[-1]
    if left.kind == "file" and not left.digest:
        return "it is too large to tell whether it was changed since"
    if not same(left, now) and not same(before, now):
        return "it was changed since" if now.kind != "missing" else "it was removed since"
    if any(not same(old[1], new[0]) and not same(old[0], new[0]) for old, new in pairwise(states)):
        return "it was changed by others in between"
    return ""


def _decided(step: FileStep, overwrite: Callable[[FileStep], bool]) -> FileStep:
    if step.conflict and not step.problem and step.action != "nothing" and overwrite(step):
        return msgspec.structs.replace(step, conflict="")
    return step


def _possible(steps: Mapping[Place, FileStep], current: Look, listing: List) -> dict[Place, FileStep]:
    """Take out what can't be done because of what is left alone, until nothing more has to be."""
    known = dict(steps)
    while True:
        fallen = {place: found for place, step in known.items() if step.ready and (found := _hindered(step, known, current, listing))}
        if not fallen:
            return known
        known.update(fallen)


def _hindered(step: FileStep, steps: Mapping[Place, FileStep], current: Look, listing: List) -> FileStep | None:
    if step.current.kind == "folder" and step.target.kind != "folder" and not _will_be_empty(step.place, steps, listing):
        if step.target.kind == "missing":
            return msgspec.structs.replace(step, stays=True)
        return msgspec.structs.replace(step, problem="a folder that is not empty is in its place")
    if step.target.kind != "missing":
        for depth in range(1, len(step.place.parts)):
            folder = Place(step.place.root, step.place.parts[:depth])
            if _will_be(folder, steps, current) not in ("folder", "missing"):
                return msgspec.structs.replace(step, problem=f"{'/'.join(folder.parts)} is no folder any more")
    return None


def _will_be_empty(folder: Place, steps: Mapping[Place, FileStep], listing: List) -> bool:
    try:
        names = listing(folder)
    except OSError:
        return False
    below = (steps.get(folder.child(name)) for name in names)
    return all(step is not None and step.ready and step.target.kind == "missing" for step in below)


def _will_be(folder: Place, steps: Mapping[Place, FileStep], current: Look) -> str:
    step = steps.get(folder)
    if step is not None:
        return (step.target if step.ready else step.current).kind
    try:
        return _now(folder, current).kind
    except OSError:
        return "other"
