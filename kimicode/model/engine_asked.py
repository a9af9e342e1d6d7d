"""One question to the engine's planner, which is a command that answers in one line: kimicode never loads the engine into its own process.

What this module does not do: make sense of the answer.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

LIVES: Final = (sys.executable, "-P", "-m", "engine.lives")
FIT: Final = (sys.executable, "-P", "-m", "engine.fit")

_SECONDS: Final = 30.0


class Said(NamedTuple):
    """Whether the command succeeded; what it wrote, and where it failed the last line of its complaint."""

    ok: bool
    out: bytes = b""
    complaint: str = ""


async def asked(command: Sequence[str], environ: Mapping[str, str], *, seconds: float = _SECONDS) -> Said:
    """Run `command`, which reads nothing; it is ended where it takes too long or nobody waits any more."""
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=nowhere, stdout=pipe, stderr=pipe, env=dict(environ), cwd="/")
    except OSError as error:
        return Said(False, complaint=f"{command[0]} does not start: {error.strerror}")
    try:
        async with asyncio.timeout(seconds):
            out, wrong = await process.communicate()
    except TimeoutError:
        return Said(False, complaint=f"no answer in {seconds:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    lines = wrong.decode("utf-8", "replace").strip().split("\n")
    return Said(process.returncode == 0, out, lines[-1] if process.returncode else "")
