"""One shell command: its own session, merged output, a time limit, and an end that always comes.

When the shell exits, times out or is cancelled, what it started is ended with it (SIGTERM, then SIGKILL): in a sandbox to the last
process; without one its process group, while a process that left the group keeps running, but can't hold up the call: the pipe is ours
and is closed. The shell is always the same (`/bin/bash` without start-up files), whatever the user's is: a command that was judged as
bash is run by bash. What this module does not do: decide whether a command may run (`sandbox.policy`, `sandbox.verdict`).
"""

import asyncio
import contextlib
import os
from asyncio.subprocess import Process
from collections.abc import Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar, assert_never

import msgspec

from kimicode.errors import RefusedError
from kimicode.sandbox import bubblewrap, guard, seatbelt
from kimicode.sandbox.boundary import Boundary, Tier
from kimicode.sandbox.capture import Capture, Captured
from kimicode.sandbox.environment import child_environment
from kimicode.sandbox.launch import Caged, Launch, Plain, not_startable
from kimicode.sandbox.output import Output
from kimicode.sandbox.placeholders import held, sweep
from kimicode.sandbox.plan import CagedTier, Plan, environment, plan
from kimicode.sandbox.probe import Capabilities, why_not
from kimicode.sandbox.survey import Survey, survey

_EOF_GRACE_S: Final = 0.25
"""How long output may still come after the shell exited: `> >(tee log)` ends a moment later than its shell."""

_BASH: Final = ("/bin/bash", "/usr/bin/bash", "/run/current-system/sw/bin/bash")

_T = TypeVar("_T")


class Sandbox(msgspec.Struct, frozen=True):
    """What holds commands: a boundary, the tier that enforces it, what this machine can do (`probe`), and `registry`, a folder of the
    user's where all his sandboxes note which placeholders they use."""

    boundary: Boundary
    tier: Tier
    capabilities: Capabilities
    registry: Path


class Finished(msgspec.Struct, frozen=True):
    """How a command ended. `exit_code` is the shell's (128 + N for a shell that died of signal N), None after a timeout.

    `put_back` are protected paths that it changed, and that are as they were; `changed` those that could not be put back (both in the
    Landlock tier alone).
    """

    output: Captured
    exit_code: int | None
    put_back: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()

    @property
    def timed_out(self) -> bool:
        """True where the time limit ended it."""
        return self.exit_code is None


async def run_command(
    command: str, *, cwd: Path, timeout_s: float, capture: Capture, environ: Mapping[str, str], sandbox: Sandbox | None = None
) -> Finished:
    """Run `command` in `cwd` with standard input empty. `environ` is the user's; secrets are taken out here.

    With a `sandbox` its boundary says where and with which environment instead, and `cwd` and `environ` are not looked at. Raises
    `ToolError` where the command can't be started, and `RefusedError` where the sandbox can't hold it. Cancelling ends everything
    before the cancellation goes on.
    """
    if sandbox is None:
        return await _run(Plain(shell(command), cwd, child_environment(environ)), timeout_s, capture)
    return await run_contained(command, sandbox, timeout_s=timeout_s, capture=capture)


async def run_contained(command: str, sandbox: Sandbox, *, timeout_s: float, capture: Capture) -> Finished:
    """Run `command` within the boundary of `sandbox`. Otherwise as `run_command`."""
    boundary = sandbox.boundary
    match sandbox.tier:
        case Tier.BUBBLEWRAP | Tier.LANDLOCK as tier:
            with _planned(command, tier, sandbox) as made:
                return await _run_guarded(Caged(made, sandbox.capabilities.helper, boundary.environ), made, timeout_s, capture)
        case Tier.SEATBELT:
            if reason := why_not(Tier.SEATBELT, sandbox.capabilities):
                raise RefusedError(f"sandbox: seatbelt can't be used here. {reason}", hint="`kimicode doctor` shows what can.")
            argv = seatbelt.command_line(boundary, shell(command))
            return await _run(Plain(argv, boundary.cwd, environment(boundary)), timeout_s, capture)
        case Tier.NONE:
            return await _run(Plain(shell(command), boundary.cwd, environment(boundary)), timeout_s, capture)
        case _:
            assert_never(sandbox.tier)


def shell(command: str) -> tuple[str, ...]:
    """The command line that runs `command`: bash without start-up files, or `sh` where there is none."""
    found = next((path for path in _BASH if os.access(path, os.X_OK)), None)
    return ("/bin/sh", "-c", command) if found is None else (found, "--noprofile", "--norc", "-c", command)


@contextlib.contextmanager
def _planned(command: str, tier: CagedTier, sandbox: Sandbox) -> Iterator[Plan]:
    """The plan, with its placeholders in place meanwhile."""
    boundary = sandbox.boundary
    with not_startable():
        os.stat(boundary.cwd)
        boundary.temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = _looked_at(boundary, sandbox.registry, listing=tier is Tier.LANDLOCK)
    missing = bubblewrap.missing_protected(boundary, found) if tier is Tier.BUBBLEWRAP else ()
    with held(missing, sandbox.registry) as placeholders:
        with not_startable():
            made = plan(boundary, tier, sandbox.capabilities, found, shell(command), placeholders=placeholders)
        yield made


def _looked_at(boundary: Boundary, registry: Path, *, listing: bool) -> Survey:
    """A survey in which no placeholder of another sandbox passes for a folder of the user's."""
    used = sweep(registry)
    while True:
        found = survey(boundary, listing=listing, placeholders=used)
        if (now := sweep(registry)) == used:
            return found
        used = now


async def _run_guarded(launch: Launch, made: Plan, timeout_s: float, capture: Capture) -> Finished:
    """Run, and put back afterwards what no mount protects."""
    if not made.guarded:
        return await _run(launch, timeout_s, capture)
    before = await asyncio.to_thread(guard.snapshot, made.guarded)
    put_back: tuple[Path, ...] = ()
    changed: tuple[Path, ...] = ()
    try:
        finished = await _run(launch, timeout_s, capture)
    finally:
        put_back, changed = await _surely(asyncio.to_thread(_restore, before))
    return msgspec.structs.replace(finished, put_back=put_back, changed=changed)


def _restore(before: guard.Snapshot) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """What differed and was put back, and what could not be."""
    differed = guard.restore(before)
    left = guard.differing(before) if differed else ()
    return tuple(path for path in differed if path not in left), left


async def _run(launch: Launch, timeout_s: float, capture: Capture) -> Finished:
    read_end, write_end = os.pipe()
    output = _Closing(read_end, write_end, capture)
    try:
        process = await _start_surely(launch, write_end)
        output.close_write_end()
        exit_code = await _wait_and_end(launch, process, output.output, timeout_s)
        captured = output.close()
        if exit_code is not None:
            launch.check(captured.head)
        return Finished(captured, exit_code)
    finally:
        output.close()
        launch.close()


class _Closing:
    """Both ends of the output's pipe."""

    def __init__(self, read_end: int, write_end: int, capture: Capture) -> None:
        self._write_end = write_end
        self.output = Output(read_end, capture)

    def close_write_end(self) -> None:
        if self._write_end >= 0:
            os.close(self._write_end)
            self._write_end = -1

    def close(self) -> Captured:
        self.close_write_end()
        return self.output.close()


async def _start_surely(launch: Launch, write_end: int) -> Process:
    """Cancelled while the command starts, this ends it first: it runs already, and asyncio would end the first process alone."""
    starting = asyncio.ensure_future(launch.start(write_end))
    try:
        return await _surely(starting)
    except asyncio.CancelledError:
        if not starting.cancelled() and starting.exception() is None:
            await _end_surely(launch, starting.result())
        raise


async def _wait_and_end(launch: Launch, process: Process, output: Output, timeout_s: float) -> int | None:
    """The exit code, or None after a timeout. Whatever happens, nothing of it runs afterwards."""
    try:
        async with asyncio.timeout(timeout_s):
            code = await process.wait()
    except TimeoutError:
        return None
    else:
        await output.end(_EOF_GRACE_S)
        return code if code >= 0 else 128 - code
    finally:
        await _end_surely(launch, process)


async def _end_surely(launch: Launch, process: Process) -> None:
    """End it even when cancelled meanwhile; that only hurries it, and is raised afterwards."""
    ending = asyncio.ensure_future(launch.end(process))
    cancelled = False
    while not ending.done():
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError:
            cancelled = True
            launch.hurry(process)
    ending.result()
    if cancelled:
        raise asyncio.CancelledError


async def _surely(work: Coroutine[None, None, _T] | asyncio.Future[_T]) -> _T:
    """The result of `work`, which goes on when this is cancelled; the cancellation is raised once it is done."""
    running = asyncio.ensure_future(work)
    cancelled = False
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
    return running.result()
