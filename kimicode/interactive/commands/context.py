"""`/context`, `/cost`, `/status`: what fills the window, what it all cost, what is so at the moment.

What this module does not do: count (`context_use`), or ask a server.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from kimicode.events import Event, SessionStarted, StepFinished
from kimicode.interactive.commands.values import Command
from kimicode.interactive.context_use import Window, cache_hits, window
from kimicode.interactive.desk import Desk
from kimicode.interactive.person import Page, Part, Rows, Share, Words
from kimicode.interactive.wording import duration, money, percent
from kimicode.messages import ToolSpec, Usage
from kimicode.model.target import EMBEDDED_ROW
from kimicode.session.log import read_events
from kimicode.session.replay import add_cost, replay
from kimicode.settings import settings_path
from kimicode.tools.registry import default_tools


class _Bill(msgspec.Struct, frozen=True):
    """What one model took. `paid` is false for one that runs here."""

    usage: Usage = Usage()
    cost_usd: float | None = None
    steps: int = 0
    seconds: float = 0.0
    paid: bool = False


async def context(desk: Desk, _argument: str) -> None:
    """The window, part by part."""
    await desk.person.show(await asyncio.to_thread(_context_page, desk))


def _context_page(desk: Desk) -> Page:
    events = _events(desk)
    replayed = replay(events)
    names = replayed.started.tools if replayed.started else ()
    keep = desk.settings.thinking == "keep"
    status = desk.status
    found = window(replayed.conversation, _specs(names), context=status.context, used=status.context_used, keep_thoughts=keep)
    return Page("What fills the window", (_about(found), *_shares(found), *_hits(events)))


def _specs(names: Iterable[str]) -> tuple[ToolSpec, ...]:
    """The declarations that go with every request: those of the profile whose tools these are."""
    wanted = set(names)
    sets = [tuple(tool.spec for tool in default_tools(profile)) for profile in ("default", "lean")]
    best = max(sets, key=lambda specs: len(wanted & {spec.name for spec in specs}) - len({spec.name for spec in specs} - wanted))
    return tuple(spec for spec in best if spec.name in wanted)


def _about(found: Window) -> Part:
    of = f" of {found.context:,}" if found.context else ""
    share = f" ({percent(found.used / found.context)})" if found.context else ""
    how = (
        "The sum is the server's own count; the parts are ours, scaled to it."
        if found.measured
        else "Counted here, before the next request."
    )
    return Words(f"{found.used:,}{of} tokens{share}. {how}")


def _shares(found: Window) -> Iterable[Part]:
    total = found.context or found.used or 1
    for part in found.parts:
        if part.tokens:
            yield Share(part.label, part.tokens, total, "tokens")
    if found.context:
        yield Share("free", found.free, total, "tokens")


def _hits(events: Iterable[Event]) -> tuple[Part, ...]:
    last = cache_hits(events)
    if not last:
        return ()
    rows = tuple((f"{usage.prompt:,}", f"{usage.cached:,}", percent(usage.cached / usage.prompt)) for usage in last)
    return (Words("The last prompts: how much of each the server had already."), Rows(rows, ("tokens", "cached", "")))


async def cost(desk: Desk, _argument: str) -> None:
    """Tokens and money of this session, by model."""
    bills = await asyncio.to_thread(lambda: _bills(_events(desk)))
    if not bills:
        desk.person.say("Nothing was asked yet.")
        return
    rows = [(model, *_row(bill)) for model, bill in bills.items()]
    if len(rows) > 1:
        rows.append(("together", *_row(_sum(bills.values()))))
    header = ("model", "requests", "in", "cached", "out", "thinking", "time", "money")
    await desk.person.show(Page("What this session took", (Rows(tuple(rows), header),)))


def _row(bill: _Bill) -> tuple[str, ...]:
    usage = bill.usage
    counts = tuple(f"{number:,}" for number in (bill.steps, usage.prompt, usage.cached, usage.completion, usage.reasoning))
    return (*counts, duration(bill.seconds), money(bill.cost_usd) if bill.paid else "free: it runs here")


def _bills(events: Iterable[Event]) -> dict[str, _Bill]:
    model, paid = "", False
    bills: dict[str, _Bill] = {}
    for event in events:
        match event:
            case SessionStarted():
                model, paid = f"{event.model} at {event.endpoint}", event.endpoint != EMBEDDED_ROW
            case StepFinished(usage=usage, cost_usd=usd, seconds=seconds):
                bills[model] = _sum((bills.get(model, _Bill()), _Bill(usage, usd, 1, seconds, paid)))
            case _:
                continue
    return bills


def _sum(bills: Iterable[_Bill]) -> _Bill:
    total = _Bill()
    for bill in bills:
        total = _Bill(
            total.usage + bill.usage,
            add_cost(total.cost_usd, bill.cost_usd),
            total.steps + bill.steps,
            total.seconds + bill.seconds,
            total.paid or bill.paid,
        )
    return total


async def status(desk: Desk, _argument: str) -> None:
    """What is so at the moment."""
    now = desk.status
    rows = [
        ("session", now.session_id), ("title", now.title), ("folder", now.workspace), ("model", f"{now.model} at {now.endpoint}"),
        ("permission", now.permission), ("sandbox", now.sandbox), ("at work", now.phase),
        ("context", f"{now.context_used:,} of {now.context:,} tokens" if now.context else f"{now.context_used:,} tokens"),
        ("cost", money(now.cost_usd) if now.usage.total and now.endpoint != EMBEDDED_ROW else ""),
        ("speed", f"{now.speed:.0f} tokens/s" if now.speed else ""),
        ("waiting", str(now.waiting) if now.waiting else ""),
        ("changed", f"{len(now.touched)} files" if now.touched else ""),
        ("git", "" if now.git is None else f"{now.git.branch or 'no branch'}, {now.git.changed} changed"),
        ("engine", "" if now.engine is None else " · ".join(filter(None, (now.engine.state, now.engine.places, now.engine.experts)))),
        ("log", str(desk.host.store.path(now.session_id)) if now.session_id else ""),
        ("settings", _there(settings_path(desk.environ))),
    ]  # fmt: skip
    await desk.person.show(Page("Status", (Rows(tuple(row for row in rows if row[1])),)))


def _there(path: Path) -> str:
    return str(path) if path.exists() else f"{path} (not there yet)"


def _events(desk: Desk) -> tuple[Event, ...]:
    return tuple(read_events(desk.host.store.path(desk.session_id))) if desk.session_id else ()


COMMANDS: Final = (
    Command("context", "What fills the model's window, and what the server had cached", context),
    Command("cost", "Tokens, time and money of this session", cost, aliases=("usage",)),
    Command("status", "Session, model, permission, sandbox, git, engine", status),
)
