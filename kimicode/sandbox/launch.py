"""The two ways in which a command becomes a process: by itself, or in a cage; and how it ends, however it was started.

By itself it is a process group, which is ended as one. In a cage it is a supervised family (`sandbox.helper`), which ends to the last
process when the pipe on the supervisor's standard input closes: on purpose, or because this process was killed.
What this module does not do: read the output or watch the time (`sandbox.run`).
"""

import asyncio
import contextlib
import fcntl
import marshal
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from kimicode.errors import RefusedError, ToolError
from kimicode.sandbox.groups import end_group, signal_group
from kimicode.sandbox.plan import GRACE_S, SETTLE_S, Plan
from kimicode.sandbox.probe import Helper

_COLLECT_S: Final = 30.0
"""How long to wait for a killed shell to be collected. It is there at once, except on a machine that is overloaded or a disk that hangs."""

_SUPERVISOR_S: Final = GRACE_S + SETTLE_S + 2.0
_READY: Final = b"ready"
_STATUS_BYTES: Final = 4096
_PROGRAM: Final = (
    'import marshal,os;s={{"__name__":"helper"}};f=open({0},"rb");exec(marshal.load(f),s);os._exit(s["main"](marshal.load(f),{1}))'
)


class Launch(Protocol):
    """One start. Descriptors are closed by `close`, whatever happened before."""

    async def start(self, output: int) -> Process:
        """Start it, writing to the descriptor `output`. Raises `ToolError` where that fails."""
        ...

    async def end(self, process: Process) -> None:
        """End all of it: ask first, then kill. Not to be cancelled."""
        ...

    def hurry(self, process: Process) -> None:
        """Called while `end` runs, when nobody wants to wait any more."""
        ...

    def check(self, said: str) -> None:
        """After the end: raises `RefusedError` or `ToolError` where the command never ran. `said` is what was printed."""
        ...

    def close(self) -> None:
        """Close what is open."""
        ...


class Plain:
    """A command without a cage, or in one that its own command line makes (`sandbox-exec`)."""

    def __init__(self, argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> None:
        self._argv, self._cwd, self._environ = argv, cwd, environ

    async def start(self, output: int) -> Process:
        """See `Launch`."""
        with not_startable():
            return await asyncio.create_subprocess_exec(
                *self._argv, stdin=DEVNULL, stdout=output, stderr=output, cwd=self._cwd, env=self._environ, start_new_session=True
            )

    async def end(self, process: Process) -> None:
        """See `Launch`."""
        await end_group(process.pid)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _COLLECT_S)

    def hurry(self, process: Process) -> None:
        """See `Launch`."""
        signal_group(process.pid, signal.SIGKILL)

    def check(self, said: str) -> None:
        """A shell that started is a command that ran."""

    def close(self) -> None:
        """Nothing is open."""


class Caged:
    """A command behind the helper, and behind bubblewrap where the plan has it."""

    def __init__(self, plan: Plan, helper: Helper, environ: Mapping[str, str]) -> None:
        self._plan, self._helper = plan, helper
        # An interpreter may need it to find its own library; nothing else of the environment is for the helper.
        self._environ = {name: environ[name] for name in ("LD_LIBRARY_PATH",) if name in environ}
        self._open: list[int] = []
        self._status = self._control = -1

    async def start(self, output: int) -> Process:
        """See `Launch`."""
        given_up, self._control = self._pipe()
        self._status, status = self._pipe()
        os.set_blocking(self._status, False)
        # A TypedDict of plain values is one, though its type does not say so.
        task: dict[str, Any] = {**self._plan.task}
        order = self._file(self._helper.program + marshal.dumps(task))
        passed = [status, order]
        argv = [*self._helper.argv, _PROGRAM.format(order, status)]
        if self._plan.launcher:
            program, *options = self._plan.launcher
            passed.append(self._file(b"".join(os.fsencode(each) + b"\0" for each in options)))
            argv = [program, "--args", str(passed[-1]), "--", *argv]
        with not_startable():
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=given_up, stdout=output, stderr=output, cwd="/", env=self._environ, pass_fds=passed, start_new_session=True
            )
        for descriptor in (given_up, *passed):
            self._shut(descriptor)
        return process

    async def end(self, process: Process) -> None:
        """See `Launch`."""
        self._shut(self._control)
        try:
            await asyncio.wait_for(process.wait(), _SUPERVISOR_S)
        except TimeoutError:
            signal_group(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _COLLECT_S)

    def hurry(self, process: Process) -> None:
        """Namespaces end with their first process; without them the supervisor must not die before its family."""
        if self._plan.launcher:
            signal_group(process.pid, signal.SIGKILL)

    def check(self, said: str) -> None:
        """See `Launch`."""
        with contextlib.suppress(BlockingIOError):
            reported = os.read(self._status, _STATUS_BYTES)
            if reported == _READY:
                return
            if reported.startswith(_READY):
                stage, _, reason = reported.removeprefix(_READY).decode("utf-8", "replace").strip().partition(" ")
                if stage == "exec":
                    raise _unstartable(reason)
                said = reason
        lines = said.strip().splitlines()
        reason = lines[-1] if lines else "it said nothing"
        raise RefusedError(f"sandbox: the command was not run, for it could not be caged: {reason[:300]}", hint="Try `kimicode doctor`.")

    def close(self) -> None:
        """See `Launch`."""
        for descriptor in tuple(self._open):
            self._shut(descriptor)

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._open += ends
        return ends

    def _file(self, data: bytes) -> int:
        """A file in memory that holds `data`, sealed: whoever inherits it can't change it."""
        descriptor = os.memfd_create("kimicode", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        self._open.append(descriptor)
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
        return descriptor

    def _shut(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)


@contextlib.contextmanager
def not_startable() -> Iterator[None]:
    """Turns what keeps a process from starting into the `ToolError` that says so."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise _unstartable((error.strerror or str(error)) if isinstance(error, OSError) else str(error)) from error


def _unstartable(reason: str) -> ToolError:
    return ToolError(f"the command could not be started: {reason}. A long script belongs into a file.")
