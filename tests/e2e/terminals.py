"""What tests of both user interfaces need besides a `Terminal`: users in front of one, answers that wait, files in a project.

What this module does not do: assert anything.
"""

import asyncio
import sys
from pathlib import Path

from kimicode.commands.demo import FILES
from tests.e2e.kimi import PYTHON, Endpoint, Kimi
from tests.e2e.terminal import Terminal
from tests.model.faultserver import DONE, SSE_HEAD, USAGE, Behaviour, Call, Peer, chunk

READY = "F1 help"
"""Stands at the bottom while the full screen waits for a prompt."""


def front(kimi: Kimi, *arguments: str, columns: int = 100, rows: int = 30, term: str = "tmux-256color", **environ: str) -> Terminal:
    """`kimicode ARGUMENTS` in a terminal of its own, in the user's project."""
    return Terminal([*PYTHON, *arguments], kimi.workspace, {**kimi.environ, **environ}, columns=columns, rows=rows, term=term)


def at(server: Endpoint) -> tuple[str, ...]:
    """The options that lead to a scripted endpoint."""
    return ("--endpoint", server.url, "--model", "m")


def broken_project(kimi: Kimi) -> None:
    """The small broken project of the demo, and the Python that has pytest."""
    for name, text in FILES.items():
        (kimi.workspace / name).write_text(text)
    kimi.environ["PATH"] = f"{Path(sys.executable).parent}:{kimi.environ['PATH']}"
    kimi.environ["PYTHONDONTWRITEBYTECODE"] = "1"


class Gate:
    """An answer in two halves: the second one comes when the gate is opened. It may be opened from any thread."""

    def __init__(self, before: str, after: str) -> None:
        self._before, self._after = before, after
        self._opened = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Let the second half come."""
        assert self._loop is not None, "nobody has asked yet"
        self._loop.call_soon_threadsafe(self._opened.set)

    @property
    def answer(self) -> Behaviour:
        """The answer, for a script."""

        async def behave(peer: Peer) -> None:
            self._loop = asyncio.get_running_loop()
            await peer.send(SSE_HEAD + chunk({"content": self._before}))
            await self._opened.wait()
            await peer.send(chunk({"content": self._after}) + chunk({}, "stop") + USAGE + DONE)

        return behave


def messages(call: Call) -> list[dict[str, object]]:
    """The messages of a request."""
    found: list[dict[str, object]] = call.json["messages"]  # type: ignore[assignment]
    return found


def process_of(kimi: Kimi) -> int:
    """The number of the user's kimicode, which runs in a terminal."""
    return min(int(process.name) for process in Path("/proc").glob("[0-9]*") if _belongs(process, kimi))


def _belongs(process: Path, kimi: Kimi) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
        return b"kimicode" in words and str(kimi.home).encode() in (process / "environ").read_bytes()
    except OSError:
        return False
