"""Ending a process group: SIGTERM, some time, SIGKILL.

What left the group (`setsid`) is not reached; what holds such processes is a sandbox (`sandbox.caged`). What this module does not do:
start anything.
"""

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

TERM_GRACE_S: Final = 1.0
"""How long a group may take to end after SIGTERM."""

_POLL_S: Final = 0.02


async def end_group(group: int) -> None:
    """Ask the group to end, and end what has not after `TERM_GRACE_S`."""
    if signal_group(group, signal.SIGTERM):
        clock = asyncio.get_running_loop().time
        deadline = clock() + TERM_GRACE_S
        while clock() < deadline and _lives(group):  # noqa: ASYNC110 - nothing tells when a group is empty: it has to be asked
            await asyncio.sleep(_POLL_S)
    signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> bool:
    """False when there is no such group any more (or only what is not ours: macOS answers so for zombies)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _lives(group: int) -> bool:
    """True while the group has a process that is not a zombie. In a container whose first process collects none, zombies stay."""
    if not signal_group(group, 0):
        return False
    try:
        found = [entry for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return True
    return any(_runs_in(entry, group) for entry in found)


def _runs_in(pid: str, group: int) -> bool:
    try:
        # State, parent and group follow the name, which may itself hold spaces and brackets.
        state, _, pgrp = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
    except OSError:
        return False
    return int(pgrp) == group and state not in "ZX"
