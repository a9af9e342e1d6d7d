"""ripgrep as a subprocess: found, started without the user's configuration, read line by line, and stopped when enough is known.

Ignore files count (`.gitignore`, `.ignore`) whether or not the folder is a repository; hidden files are looked at, `.git` is not;
symbolic links are not followed. What this module does not do: decide what may be searched, or word a result.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import sysconfig
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError

TIMEOUT_S: Final = 60
_COMMON: Final = ("--no-config", "--hidden", "--glob=!.git", "--no-require-git", "--color=never")
_MAX_ERROR_BYTES: Final = 2000
_READ_BYTES: Final = 4096


class Found(msgspec.Struct, frozen=True):
    """The lines that were kept. `cut` says that there are more; `error` is what ripgrep complained about, if it did."""

    lines: tuple[str, ...]
    cut: bool = False
    error: str = ""


def locate(folders: Sequence[Path], path: str | None) -> Path:
    """The `rg` of the first of `folders` that has one, else that of the search path `path`. Raises `ToolError`."""
    for folder in folders:
        if os.access(folder / "rg", os.X_OK):
            return folder / "rg"
    if on_path := shutil.which("rg", path=path):
        return Path(on_path)
    raise ToolError("ripgrep (rg) is not installed: neither beside Python nor on PATH. Install the package `ripgrep`, or use the shell.")


async def ripgrep(arguments: Sequence[str], cwd: Path, limit: int, keep: Callable[[str], str | None], *, in_order: bool = True) -> Found:
    """Run `rg` in `cwd`; `keep` turns a line of its output into one to return, or None. Stops after `limit` kept lines and one more.

    `in_order`: by path. Without it files come as they are done, which uses every core; one file's lines stay together.
    Raises `ToolError` where there is no `rg` or it takes too long. Cancelling ends the process.
    """
    rg = locate((Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))), os.environ.get("PATH"))
    process = await asyncio.create_subprocess_exec(
        rg,
        *_COMMON,
        *(("--sort=path",) if in_order else ()),
        *arguments,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            # Both pipes are read at once: a full one would stop rg.
            lines, errors = await asyncio.gather(_take(process, limit, keep), _complaint(process))
    except TimeoutError as error:
        raise ToolError(f"the search took longer than {TIMEOUT_S} s and was stopped. Name a smaller folder.") from error
    finally:
        _stop(process)
        await process.wait()
    return Found(tuple(lines[:limit]), len(lines) > limit, errors)


async def _take(process: asyncio.subprocess.Process, limit: int, keep: Callable[[str], str | None]) -> list[str]:
    assert process.stdout is not None
    taken: list[str] = []
    async for raw in process.stdout:
        line = keep(raw.decode("utf-8", "replace").rstrip("\r\n"))
        if line is not None:
            taken.append(line)
        if len(taken) > limit:
            _stop(process)
            break
    return taken


def _stop(process: asyncio.subprocess.Process) -> None:
    # Not process.kill(): it polls first, and so takes the exit status away from asyncio's own waiting thread.
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


async def _complaint(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = b""
    while piece := await process.stderr.read(_READ_BYTES):
        said = (said + piece)[:_MAX_ERROR_BYTES]
    return said.decode("utf-8", "replace").strip()
