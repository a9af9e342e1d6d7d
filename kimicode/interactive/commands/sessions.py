"""`/new`, `/resume`, `/title`, `/quit`: which session is open, and what it is called."""

import asyncio
from typing import Final

from kimicode.events import Titled
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.past import Past, last_exchanges, past_sessions
from kimicode.interactive.person import Field, Menu, Option, Page
from kimicode.interactive.switching import switch
from kimicode.interactive.wording import one_line
from kimicode.text import well_formed
from kimicode.wish import Wish

_MOST_TITLE: Final = 100


async def new(desk: Desk, _argument: str) -> None:
    """A new session."""
    await switch(desk, Wish())
    desk.person.say("A new session. /resume brings the earlier one back.")


async def resume(desk: Desk, argument: str) -> None:
    """One by its id, or one that is chosen."""
    store = desk.host.store
    if argument and argument != "all":
        await _open(desk, store.resolve(argument))
        return
    found = await asyncio.to_thread(past_sessions, store, desk.workspace, everywhere=argument == "all")
    if not found:
        where = "" if argument == "all" else " in this folder; `/resume all` shows those of all folders"
        desk.person.say(f"There are no earlier sessions{where}.")
        return

    async def preview(index: int) -> Page:
        return await asyncio.to_thread(last_exchanges, store, found[index])

    options = tuple(_option(past, desk.session_id, with_folder=argument == "all") for past in found)
    chosen = await desk.person.choose(Menu("Sessions", options, preview))
    if chosen is not None:
        await _enter(desk, found[chosen])


def _option(past: Past, current: str, *, with_folder: bool) -> Option:
    folder = f" · {past.summary.workspace}" if with_folder else ""
    return Option(past.label, f"{past.detail}{folder}", current=past.summary.id == current)


async def _enter(desk: Desk, past: Past) -> None:
    folder = past.summary.workspace
    if folder != well_formed(str(desk.workspace)):
        question = "That session was held in another folder. Go on with it in this one?"
        detail = f"It was held in {folder}; what it says about files is meant there. This folder is {desk.workspace}."
        if not await desk.person.confirm(question, detail=detail):
            return
    await _open(desk, past.summary.id)


async def _open(desk: Desk, session_id: str) -> None:
    if session_id == desk.session_id:
        desk.person.say("That session is open.")
        return
    await switch(desk, Wish(resume=session_id))


async def title(desk: Desk, argument: str) -> None:
    """A name for the session."""
    text: str | None = argument
    if not argument:
        text = await desk.person.word(Field("title", "Name of this session", value=desk.status.title))
    name = one_line(well_formed(text or ""), _MOST_TITLE)
    if name:
        await desk.record(Titled(name))


async def leave(desk: Desk, _argument: str) -> None:
    """Away."""
    desk.leave()


COMMANDS: Final = (
    Command("new", "Begin a new session", new, aliases=("clear",), while_busy=False),
    Command(
        "resume", "Go on with an earlier session of this folder, or of all", resume, "[ID|all]", ("sessions", "continue"), while_busy=False,
        complete=lambda desk: ("all", *desk.host.store.ids()[:20]),
    ),
    Command("title", "Name this session", title, "[TEXT]", ("rename",)),
)  # fmt: skip

QUIT: Final = Command("quit", "Leave; the session can be resumed", leave, aliases=("exit", ":q"))
