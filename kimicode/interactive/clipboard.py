"""Text into the clipboard, and which way it went.

A program of the desktop is tried first, where its display is there; it can say whether it worked. Else the terminal is asked by OSC 52,
which no terminal answers: then the sentence says so. What this module does not do: read the clipboard, or write to a terminal (`write_osc`
does).
"""

import asyncio
import base64
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final

import msgspec

from kimicode.interactive.sequences import BEL, ESC, over_ssh, wrapped

MOST_OSC_BYTES: Final = 74_994
"""So much text at most goes into one OSC 52: xterm takes 100,000 bytes of base64, and many take no more."""

DEADLINE_S: Final = 3.0

Run = Callable[[tuple[str, ...], bytes], Awaitable[bool]]
"""Runs a program with these bytes on its stdin; True where it said in time that it worked."""

WriteOsc = Callable[[str], None]
"""Writes a control sequence to the terminal."""


class Way(msgspec.Struct, frozen=True):
    """A program that may fill the clipboard, by the name people know."""

    argv: tuple[str, ...]
    name: str


async def copy(
    text: str,
    environ: Mapping[str, str],
    run: Run,
    write_osc: WriteOsc | None,
    *,
    which: Callable[[str], str | None] = shutil.which,
    platform: str = sys.platform,
) -> str:
    """Copy `text`; a sentence for the user that claims no more than is known."""
    data = text.encode("utf-8", "replace")
    failed: list[str] = []
    for way in ways(environ, which, platform):
        if await run(way.argv, data):
            return f"Copied {_size(data)} with {way.name}."
        failed.append(way.name)
    tried = f"{' and '.join(failed)} did not work. " if failed else ""
    if write_osc is None or environ.get("TERM") == "dumb":
        return f"{tried}Not copied: no clipboard program can be used here, and the terminal can't be asked. /export writes a file."
    if len(data) > MOST_OSC_BYTES:
        return f"{tried}Not copied: {_size(data)} is too much to go through the terminal (OSC 52). /export writes a file."
    write_osc(osc52(data, environ))
    return f"{tried}Sent {_size(data)} to the terminal for its clipboard (OSC 52). Whether it took it can't be known."


def ways(environ: Mapping[str, str], which: Callable[[str], str | None], platform: str) -> Iterator[Way]:
    """The programs worth a try, best first. Over ssh a display may be forwarded, but this machine's own clipboard is the wrong one."""
    if environ.get("WAYLAND_DISPLAY") and (program := which("wl-copy")):
        yield Way((program,), "wl-copy")
    if environ.get("DISPLAY"):
        if program := which("xclip"):
            yield Way((program, "-selection", "clipboard"), "xclip")
        if program := which("xsel"):
            yield Way((program, "--clipboard", "--input"), "xsel")
    if over_ssh(environ):
        return
    if platform == "darwin" and (program := which("pbcopy")):
        yield Way((program,), "pbcopy")
    if (platform == "win32" or environ.get("WSL_DISTRO_NAME")) and (program := which("clip.exe")):
        yield Way((program,), "clip.exe")


def osc52(data: bytes, environ: Mapping[str, str]) -> str:
    """The sequence that puts `data` into the terminal's clipboard."""
    return wrapped(f"{ESC}]52;c;{base64.b64encode(data).decode('ascii')}{BEL}", environ)


async def run_program(argv: tuple[str, ...], data: bytes) -> bool:
    """A `Run` on this machine. Programs that stay behind to serve the clipboard keep no pipe of ours open."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=os.name == "posix",
        )
    except OSError:
        return False
    try:
        async with asyncio.timeout(DEADLINE_S):
            await process.communicate(data)
    except (TimeoutError, OSError):
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode == 0


def _size(data: bytes) -> str:
    count = len(data)
    return f"{count} byte{'' if count == 1 else 's'}" if count < 10_000 else f"{count / 1000:,.0f} kB"
