"""Kimicode's own command line as a child process: what takes long, or could take this process down with it, runs there.

    ended = await run_child(("doctor", "--json"), environ=desk.environ, folder=desk.workspace)

The child runs with `-P`, so that no file of the project is taken for a module, without a terminal and without stdin. Cancelling ends it
with all that it started. What this module does not do: show anything, or know a command.
"""

import asyncio
import codecs
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.interactive.person import Person, Step

MOST_BYTES: Final = 8 << 20
"""More of a child's output is read and thrown away."""

_PATIENCE_S: Final = 3.0
_CHUNK: Final = 1 << 16
_TOLD: Final = 200


class Ended(msgspec.Struct, frozen=True):
    """How a child ended: its exit code (negative: a signal) and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The last thing it said on stderr, without kimicode's name before it; or its exit code."""
        lines = [line.strip() for line in self.err.split("\n") if line.strip()]
        if not lines:
            return f"it ended with exit code {self.code}"
        start = next((at for at in range(len(lines) - 1, -1, -1) if lines[at].startswith("kimicode: ")), len(lines) - 1)
        return "\n".join(lines[start:]).removeprefix("kimicode: ")


def command(arguments: tuple[str, ...]) -> tuple[str, ...]:
    """The command line of a child."""
    return (sys.executable, "-P", "-m", "kimicode", *arguments)


async def run_child(
    arguments: tuple[str, ...],
    *,
    environ: Mapping[str, str],
    folder: Path,
    told: Callable[[str], None] = lambda _line: None,
    line: Callable[[tuple[str, ...]], tuple[str, ...]] = command,
) -> Ended:
    """Run it to its end. `told` gets each line of its stderr as it comes, `line` makes the command line of the arguments.

    Raises `KimicodeError` where it can't be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *line(arguments),
            cwd=folder,
            env={**environ, "NO_COLOR": "1", "PYTHONUTF8": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=os.name == "posix",
        )
    except OSError as error:
        raise KimicodeError(f"can't start kimicode {arguments[0]} in {folder}: {error.strerror}") from error
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        out, err, _ = await asyncio.gather(_read(process.stdout, lambda _text: None), _read(process.stderr, _lines(told)), process.wait())
    finally:
        if process.returncode is None:
            await _end(process)
    assert process.returncode is not None
    return Ended(process.returncode, out, err)


async def run_shown(person: Person, title: str, arguments: tuple[str, ...], *, environ: Mapping[str, str], folder: Path) -> Ended | None:
    """The same while the person sees how it goes on and may stop it; None where they did."""
    ended: list[Ended] = []

    async def job(step: Step) -> None:
        ended.append(await run_child(arguments, environ=environ, folder=folder, told=step.tell))

    return ended[0] if await person.work(title, job) and ended else None


async def _read(stream: asyncio.StreamReader, told: Callable[[str], None]) -> str:
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    pieces: list[str] = []
    size = 0
    while data := await stream.read(_CHUNK):
        size += len(data)
        text = decode(data)
        told(text)
        if size <= MOST_BYTES:
            pieces.append(text)
    return "".join(pieces) + decode(b"", final=True)


def _lines(told: Callable[[str], None]) -> Callable[[str], None]:
    rest = ""

    def take(text: str) -> None:
        nonlocal rest
        *whole, rest = (rest + text).split("\n")
        rest = rest[-_TOLD:]
        for line in whole:
            if line.strip():
                told(line.strip()[:_TOLD])

    return take


async def _end(process: asyncio.subprocess.Process) -> None:
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.wait()
    except TimeoutError:
        pass
    finally:
        # Whatever it started and left behind goes as well.
        _signal(process, signal.SIGKILL)
        await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
