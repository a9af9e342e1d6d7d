"""`/diff`: what this session changed, or what git says is changed.

What this module does not do: draw a difference, or change anything.
"""

import asyncio
from typing import Final

from kimicode.errors import UsageError
from kimicode.files.state import FileState
from kimicode.interactive.commands.values import Command
from kimicode.interactive.desk import Desk
from kimicode.interactive.looking import counts
from kimicode.interactive.person import Code, Diff, Page, Part, Rows, Words
from kimicode.repo.git import Repository
from kimicode.repo.git_diff import split_diff
from kimicode.session.log import read_events
from kimicode.session.turns import changes_since

_WHAT: Final = ("session", "staged", "working")
_MOST_SHOWN: Final = 1 << 20


async def diff(desk: Desk, argument: str) -> None:
    """Against the beginning of the session, the last commit, or what is staged."""
    match argument or "session":
        case "session":
            await _session(desk)
        case "staged" | "working":
            page = await asyncio.to_thread(_git, desk, staged=argument == "staged")
            if page is None:
                desk.person.say("Nothing is staged." if argument == "staged" else "Nothing is changed beside what is staged.")
            else:
                await desk.person.show(page)
        case _:
            raise UsageError(f"/diff can't be {argument!r}", hint=f"Choose one of: {', '.join(_WHAT)}.")


async def _session(desk: Desk) -> None:
    first = await asyncio.to_thread(_before, desk) if desk.session_id else {}
    found = await desk.host.since(tuple(first.items()))
    files = tuple(text for _, text in found if text is not None)
    if not files:
        desk.person.say("This session has changed no file, or all of them are as they were.")
        return
    rows = []
    for file in files:
        added, removed = counts(file) or (None, None)
        rows.append((file.path, "" if added is None else f"+{added} -{removed}", file.note))
    await desk.person.show(Page("What this session changed", (Rows(tuple(rows)), Diff(files))))


def _before(desk: Desk) -> dict[str, FileState]:
    """What each file was before this session first changed it."""
    first: dict[str, FileState] = {}
    for change in changes_since(read_events(desk.host.store.path(desk.session_id)), 1):
        first.setdefault(change.recorded.path, change.recorded.before)
    return first


def _git(desk: Desk, *, staged: bool) -> Page | None:
    repository = Repository.find(desk.workspace, desk.environ)
    if repository is None:
        raise UsageError(f"{desk.workspace} is in no git repository", hint="/diff alone shows what this session changed.")
    found = repository.diff(staged=staged)
    new = () if staged else tuple(entry.path for entry in repository.status() if entry.unstaged == "?")
    if not found and not new:
        return None
    rows = [(file.path, f"+{file.added} -{file.removed}", ", ".join(file.notes)) for file in split_diff(found)]
    rows += [(path, "", "not known to git") for path in new]
    text = found[:_MOST_SHOWN].decode("utf-8", "replace")
    parts: tuple[Part, ...] = (Rows(tuple(rows)), Code(text, "diff"))
    if len(found) > _MOST_SHOWN:
        parts += (Words("The rest is not shown: it is too long."),)
    return Page("What is staged" if staged else "What is changed and not staged", parts)


COMMANDS: Final = (
    Command("diff", "What this session changed, or what git says", diff, "[session|staged|working]", complete=lambda _desk: _WHAT),
)
