"""`kimicode sessions replay`: a recorded session as it came, as plain text or in the full-screen UI.

What this module does not do: run anything, or parse the command line.
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from kimicode.commands.interactive import cannot_show
from kimicode.commands.sessions import replay_events
from kimicode.errors import UsageError
from kimicode.events import Event
from kimicode.home import kimicode_home
from kimicode.session.log import read_events
from kimicode.session.store import SessionStore
from kimicode.settings import Settings, load_settings
from kimicode.tui.frames import paint_soon


class _Play(Protocol):
    def __call__(self, events: Sequence[Event], speed: float, settings: Settings, environ: Mapping[str, str]) -> int: ...


def replay(name: str, speed: float, screen: bool) -> int:
    """Show the events of a session, or of a log file, `speed` times as fast as they came; 0 does not wait. The exit code.

    Raises `UsageError`, `SessionError`.
    """
    if not 0 <= speed < float("inf"):
        raise UsageError(f"--speed {speed:g} is not possible", hint="1 is the real pace, 10 ten times as fast, 0 all at once.")
    store = SessionStore(kimicode_home(os.environ))
    path = Path(name) if name.endswith(".jsonl") else store.path(store.resolve(name))
    events = tuple(read_events(path))
    if not screen:
        replay_events(events, speed)
        return 0
    if why := cannot_show(os.environ, sys.stdin, sys.stdout, sys.platform):
        raise UsageError(f"the full-screen UI can't be shown: {why}", hint="Leave --screen out.")
    paint_soon()
    play = cast("_Play", importlib.import_module("kimicode.tui.player").play)
    return play(events, speed, load_settings(os.environ, {}), os.environ)
