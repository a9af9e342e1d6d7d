"""Past sessions, for choosing one: what it was about, and how it ended.

What this module does not do: open a session, or read a whole log for a list.
"""

import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import SessionError
from kimicode.events import Titled, decode_event
from kimicode.interactive.person import Page, Part, Rows, Words
from kimicode.interactive.view.blocks import Answered, Called, Ended, Prompted
from kimicode.interactive.view.transcript import Transcript
from kimicode.interactive.wording import counted, one_line, time_of
from kimicode.session.log import read_events
from kimicode.session.store import SessionStore, Summary
from kimicode.text import well_formed

MOST_LISTED: Final = 200
_MOST_WORDS: Final = 1_500
_EXCHANGES: Final = 3
_TITLED: Final = b'{"v":1,"type":"titled",'


class Past(msgspec.Struct, frozen=True):
    """A session with its name, if it has one."""

    summary: Summary
    title: str = ""

    @property
    def label(self) -> str:
        """Its name, or the first words."""
        return one_line(self.title or self.summary.prompt or "(nothing was said)")

    @property
    def detail(self) -> str:
        """When, how long, how it ended."""
        known = self.summary
        ended = "" if known.status == "done" else f" · {known.status}"
        return f"{time_of(known.started)} · {counted(known.steps, 'step')}{ended} · {known.id[-4:]}"


def past_sessions(store: SessionStore, workspace: Path, *, everywhere: bool = False) -> tuple[Past, ...]:
    """Sessions in which something was said, of this folder or of all, newest first. Blocks while it reads heads and tails of logs."""
    here = well_formed(str(workspace))
    found: list[Past] = []
    for summary in store.summaries():
        if summary.prompt and (everywhere or summary.workspace == here):
            found.append(Past(summary, title_of(store.path(summary.id))))
            if len(found) == MOST_LISTED:
                break
    return tuple(found)


def title_of(log: Path) -> str:
    """The last name that the user gave the session; empty where there is none. Blocks."""
    try:
        with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            # Within a text quotes are escaped, so this can only be the beginning of such an event.
            at = data.rfind(_TITLED)
            end = data.find(b"\n", at)
            event = decode_event(data[at:end]) if 0 <= at < end else None
    except (OSError, ValueError, msgspec.MsgspecError):
        return ""
    return event.title if isinstance(event, Titled) else ""


def last_exchanges(store: SessionStore, past: Past) -> Page:
    """The last things that were said. Blocks while it reads the log."""
    facts = Rows((("folder", past.summary.workspace), ("model", past.summary.model), ("id", past.summary.id)))
    try:
        blocks = Transcript(read_events(store.path(past.summary.id))).blocks
    except SessionError as error:
        return Page(past.label, (facts, Words(str(error))))
    starts = [at for at, block in enumerate(blocks) if isinstance(block, Prompted)]
    first = starts[-_EXCHANGES] if len(starts) >= _EXCHANGES else 0
    return Page(past.label, (facts, *_told(blocks[first:])))


def _told(blocks: Iterable[object]) -> list[Part]:
    parts: list[Part] = []
    for block in blocks:
        match block:
            case Prompted(text=text):
                parts.append(Words(f"You: {_cut(text)}"))
            case Answered(text=text) if text.strip():
                parts.append(Words(_cut(text)))
            case Called(call=call, state=state):
                parts.append(Words(f"[{call.name}{'' if state == 'done' else f', {state}'}]"))
            case Ended(event=event) if event.status != "done":
                parts.append(Words(f"[{event.status}: {one_line(event.error, 200)}]"))
            case _:
                continue
    return parts


def _cut(text: str) -> str:
    text = text.strip()
    return text if len(text) <= _MOST_WORDS else f"{text[:_MOST_WORDS]}…"
