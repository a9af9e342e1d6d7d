"""One shell command: its own session and process group, merged output, a time limit, and an end that always comes.

When the shell exits, times out or is cancelled, the whole group is ended (SIGTERM, then SIGKILL), so background processes end with their
command. A process that left the group keeps running until the OS sandbox exists, but can't hold up the call: the pipe is ours and is
closed. What this module does not do: decide whether a command may run (`sandbox.policy`) or contain it.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import ToolError
from kimicode.sandbox.capture import Capture, Captured
from kimicode.sandbox.environment import child_environment

TERM_GRACE_S: Final = 1.0
"""How long a group may take to end after SIGTERM."""

_EOF_GRACE_S: Final = 0.25
"""How long output may still come after the shell exited: `> >(tee log)` ends a moment later than its shell."""

_COLLECT_S: Final = 30.0
"""How long to wait for a killed shell to be collected. It is there at once, except on a machine that is overloaded or a disk that hangs."""

_POLL_S: Final = 0.02
_READ_BYTES: Final = 64 * 1024
_FINAL_READS: Final = 32
_SHELLS: Final = ("/bin/bash", "/usr/bin/bash", "/bin/sh")


class Finished(msgspec.Struct, frozen=True):
    """How a command ended. `exit_code` is the shell's (128 + N for a shell that died of signal N), None after a timeout."""

    output: Captured
    exit_code: int | None

    @property
    def timed_out(self) -> bool:
        """True where the time limit ended it."""
        return self.exit_code is None


async def run_command(command: str, *, cwd: Path, timeout_s: float, capture: Capture, environ: Mapping[str, str]) -> Finished:
    """Run `command` in `cwd` with standard input empty. `environ` is the user's; secrets are taken out here.

    Raises `ToolError` where it can't be started. Cancelling ends the group before the cancellation goes on.
    """
    read_end, write_end = os.pipe()
    output = _Output(read_end, capture)
    try:
        process = await _start_surely(command, cwd, write_end, child_environment(environ))
        os.close(write_end)
        write_end = -1
        exit_code = await _wait_and_end(process, output, timeout_s)
        return Finished(output.close(), exit_code)
    finally:
        if write_end >= 0:
            os.close(write_end)
        output.close()


async def _start_surely(command: str, cwd: Path, write_end: int, env: dict[str, str]) -> asyncio.subprocess.Process:
    """Cancelled while the shell starts, this ends the group first: the command runs already, and asyncio would end the shell alone."""
    starting = asyncio.ensure_future(_start(command, cwd, write_end, env))
    cancelled = False
    while not starting.done():
        try:
            await asyncio.wait([starting])
        except asyncio.CancelledError:
            cancelled = True
    process = starting.result()
    if cancelled:
        await _end_surely(process)
        raise asyncio.CancelledError
    return process


async def _start(command: str, cwd: Path, write_end: int, env: dict[str, str]) -> asyncio.subprocess.Process:
    shell = next((path for path in _SHELLS if os.access(path, os.X_OK)), "sh")
    try:
        return await asyncio.create_subprocess_exec(
            shell,
            "-c",
            command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolError(f"the command could not be started: {reason}. A long script belongs into a file.") from error


async def _wait_and_end(process: asyncio.subprocess.Process, output: "_Output", timeout_s: float) -> int | None:
    """The exit code, or None after a timeout. Whatever happens, the group is gone afterwards."""
    try:
        async with asyncio.timeout(timeout_s):
            code = await process.wait()
    except TimeoutError:
        return None
    else:
        await output.end(_EOF_GRACE_S)
        return code if code >= 0 else 128 - code
    finally:
        await _end_surely(process)


async def _end_surely(process: asyncio.subprocess.Process) -> None:
    """End the group even when cancelled meanwhile; that only hurries it, and is raised afterwards."""
    ending = asyncio.ensure_future(_end(process))
    cancelled = False
    while not ending.done():
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError:
            cancelled = True
            _signal_group(process.pid, signal.SIGKILL)
    ending.result()
    if cancelled:
        raise asyncio.CancelledError


async def _end(process: asyncio.subprocess.Process) -> None:
    await _end_group(process.pid)
    _signal_group(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), _COLLECT_S)


async def _end_group(group: int) -> None:
    if not _signal_group(group, signal.SIGTERM):
        return
    clock = asyncio.get_running_loop().time
    deadline = clock() + TERM_GRACE_S
    while clock() < deadline and _lives(group):  # noqa: ASYNC110 - nothing tells when a group is empty: it has to be asked
        await asyncio.sleep(_POLL_S)


def _signal_group(group: int, number: int) -> bool:
    """False when there is no such group any more (or only what is not ours: macOS answers so for zombies)."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _lives(group: int) -> bool:
    """True while the group has a process that is not a zombie. In a container whose first process collects none, zombies stay."""
    if not _signal_group(group, 0):
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


class _Output:
    """The reading end of the pipe, fed into a capture as data arrives."""

    def __init__(self, read_end: int, capture: Capture) -> None:
        self._fd = read_end
        self._capture = capture
        self._ended = asyncio.Event()
        self._captured: Captured | None = None
        os.set_blocking(read_end, False)
        asyncio.get_running_loop().add_reader(read_end, self._read)

    async def end(self, grace_s: float) -> None:
        """Wait until every writer has closed the pipe, but no longer than `grace_s`."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), grace_s)

    def close(self) -> Captured:
        """Take what is still in the pipe, close it, and return what was captured. Later calls return the same."""
        if self._captured is None:
            for _ in range(_FINAL_READS):
                if not self._read():
                    break
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._captured = self._capture.close()
        return self._captured

    def _read(self) -> bool:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if data:
            self._capture.feed(data)
            return True
        self._ended.set()
        asyncio.get_running_loop().remove_reader(self._fd)
        return False
