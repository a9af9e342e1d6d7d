"""`/rewind`: back to before a turn, with the files, without them, or the files alone.

What a rewind does is looked at before anything is asked; what somebody else changed since is asked about one by one. What this module does
not do: decide or do it (`session.rewind`, `session.perform`).
"""

import asyncio
from collections.abc import Collection
from typing import Final

import msgspec

from kimicode.errors import UsageError
from kimicode.events import Event, FileChange
from kimicode.files.place import Place
from kimicode.interactive.abilities import TakesDraft
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.looking import texts_of
from kimicode.interactive.person import Diff, Menu, Option, Page, Part, Rows, Words
from kimicode.interactive.wording import counted, one_line, time_of
from kimicode.session.log import read_events
from kimicode.session.perform import finish_interrupted, look_and_plan, perform
from kimicode.session.preimages import PreImages
from kimicode.session.preview import lines_of, named, workspace_of
from kimicode.session.rewind import FileStep, RewindPlan
from kimicode.session.store import SessionStore
from kimicode.session.turns import Turn, turns_of
from kimicode.wish import Wish


class _Wanted(msgspec.Struct, frozen=True):
    """Back to before turn `to`; which of the two; and the places that are overwritten although others changed them."""

    to: int
    conversation: bool = True
    files: bool = True
    overwrite: frozenset[Place] = frozenset()


async def rewind(desk: Desk, argument: str) -> None:
    """Choose the turn and what goes back, look, ask, and go back."""
    past = _Past(desk.host.store, desk.session_id)
    turns = await asyncio.to_thread(past.turns)
    if not turns:
        desk.person.say("There is nothing to go back to yet.")
        return
    turn = _number(argument, len(turns)) if argument else await _choose(desk, past, turns)
    wanted = None if turn is None else await _what(desk, _Wanted(turn))
    if wanted is None:
        return
    plan = await asyncio.to_thread(past.plan, wanted)
    chosen = frozenset([step.place for step in plan.files if _asks(step) and await _overwrite(desk, step)])
    if chosen:
        wanted = msgspec.structs.replace(wanted, overwrite=chosen)
        plan = await asyncio.to_thread(past.plan, wanted)
    if not (plan.ready or plan.conversation):
        desk.person.say("Nothing to rewind: everything is as it was then, or left as it is.")
        return
    if await desk.person.confirm(f"Go back to before turn {wanted.to}?", detail=_summary(plan)):
        await _go(desk, past, wanted)


async def _choose(desk: Desk, past: "_Past", turns: tuple[Turn, ...]) -> int | None:
    newest_first = turns[::-1]

    async def preview(index: int) -> Page:
        return await asyncio.to_thread(past.page, _Wanted(newest_first[index].number))

    chosen = await desk.person.choose(Menu("Go back to before which turn?", tuple(map(_option, newest_first)), preview))
    return None if chosen is None else newest_first[chosen].number


def _option(turn: Turn) -> Option:
    words = f"(went back to before turn {turn.rewound_to})" if turn.rewound_to else one_line(turn.prompt)
    gone = "" if turn.live else " · rewound"
    return Option(f"{turn.number}. {words}", f"{time_of(turn.at)} · {counted(len(turn.changed), 'file')}{gone}")


def _number(argument: str, most: int) -> int:
    if argument.isdecimal() and 1 <= int(argument) <= most:
        return int(argument)
    raise UsageError(f"there is no turn {argument}", hint=f"They go from 1 to {most}; /rewind alone lists them.")


async def _what(desk: Desk, wanted: _Wanted) -> _Wanted | None:
    options = (Option("Conversation and files", key="b"), Option("Files alone", key="f"), Option("Conversation alone", key="c"))
    chosen = await desk.person.choose(Menu("What goes back?", options))
    if chosen is None:
        return None
    return msgspec.structs.replace(wanted, conversation=chosen != 1, files=chosen != 2)


def _asks(step: FileStep) -> bool:
    return bool(step.conflict) and not step.problem and step.action != "nothing"


async def _overwrite(desk: Desk, step: FileStep) -> bool:
    return await desk.person.confirm(f"Overwrite {named(step)}, although {step.conflict}?", detail="Otherwise it stays as it is.")


def _summary(plan: RewindPlan) -> str:
    files = f"{counted(len(plan.ready), 'file')} changed back" if plan.with_files else "no files"
    left = f", {len(plan.refused)} left as they are" if plan.refused else ""
    return f"{'The conversation, and ' if plan.conversation else ''}{files}{left}. A rewind can be rewound."


async def _go(desk: Desk, past: "_Past", wanted: _Wanted) -> None:
    said = next((turn.prompt for turn in await asyncio.to_thread(past.turns) if turn.number == wanted.to), "")
    # The log is written here, so the session lets go of it meanwhile.
    await desk.host.shut()
    try:
        plan = await asyncio.to_thread(past.go, wanted)
    finally:
        await desk.open(Wish(resume=past.session_id))
    desk.person.say(f"Went back to before turn {plan.turn}. {_summary(plan)}")
    if plan.conversation and said and isinstance(desk.person, TakesDraft):
        desk.person.put_draft(said)


class _Past:
    """The session on the disk. Everything here blocks."""

    def __init__(self, store: SessionStore, session_id: str) -> None:
        self.session_id = session_id
        self._store = store

    def turns(self) -> tuple[Turn, ...]:
        """All turns, oldest first."""
        return turns_of(self._events())

    def plan(self, wanted: _Wanted) -> RewindPlan:
        """What going back would do now."""
        with PreImages(self._store.preimages) as contents:
            return self._plan(wanted, contents)

    def page(self, wanted: _Wanted) -> Page:
        """The same, to be looked at."""
        with PreImages(self._store.preimages) as contents:
            plan = self._plan(wanted, contents)
            rows = tuple((line.word, line.name, line.detail) for line in lines_of(plan, contents))
            changes = [FileChange(step.name, step.current, step.target) for step in plan.files if step.ready or _asks(step)]
            files = texts_of(changes, workspace_of(self._events()), contents)
        said = next((turn.prompt for turn in self.turns() if turn.number == wanted.to), "")
        parts: tuple[Part, ...] = (Words(said.strip()),) if said.strip() else ()
        parts += (Rows(rows), Diff(files)) if rows else (Words("No file would change."),)
        return Page(f"Back to before turn {wanted.to}", parts)

    def go(self, wanted: _Wanted) -> RewindPlan:
        """Go back. Raises `SessionError`."""
        with self._store.open(self.session_id) as log, PreImages(self._store.preimages) as contents:
            finish_interrupted(self._store, self.session_id, log.append)
            plan = self._plan(wanted, contents)
            perform(plan, self._store, self.session_id, log.append, contents=contents, workspace=workspace_of(self._events()))
        return plan

    def _plan(self, wanted: _Wanted, contents: PreImages) -> RewindPlan:
        return look_and_plan(
            self._events(),
            wanted.to,
            contents,
            conversation=wanted.conversation,
            files=wanted.files,
            overwrite=lambda step: _covers(wanted.overwrite, step),
        )

    def _events(self) -> tuple[Event, ...]:
        return tuple(read_events(self._store.path(self.session_id)))


def _covers(places: Collection[Place], step: FileStep) -> bool:
    return step.place in places


COMMANDS: Final = (
    Command("rewind", "Go back to before an earlier turn, with the files or without", rewind, "[TURN]", ("undo",), while_busy=False),
)
