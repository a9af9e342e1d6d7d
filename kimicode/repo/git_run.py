"""Starting git with nothing inherited, a limit of time and of output, and no way to start another program.

A limit of no further processes is set, a second line behind `git_guard`: for an ordinary user git itself can then start nothing at all.
What this module does not do: know what git is asked for.
"""

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

import msgspec

from kimicode.errors import ToolError

_ALONE: Final = 'ulimit -u 0 2>/dev/null || ulimit -p 0 2>/dev/null; exec "$@"'
"""Bash and dash name the limit of processes differently. Root is not bound by it."""

_READ_BYTES: Final = 1 << 16
_COMPLAINT_BYTES: Final = 1 << 16
_ADVICE: Final = "Install git, in a folder of PATH outside the repository."


class Bounds(msgspec.Struct, frozen=True):
    """The most time that one call of git may take, and the most output, in bytes."""

    seconds: float = 30.0
    output: int = 64 << 20


DEFAULT_BOUNDS: Final = Bounds()


class Answer(msgspec.Struct, frozen=True):
    """How git ended and what it wrote."""

    code: int
    out: bytes
    complaint: str


class Order(msgspec.Struct, frozen=True):
    """One call: the program, its arguments, its whole environment and input. `alone`: it may start no other process."""

    program: Path
    arguments: Sequence[str]
    environ: Mapping[str, str]
    folder: Path
    stdin: bytes = b""
    alone: bool = True


def locate(search: str | None, outside: Path) -> Path:
    """The git that the path `search` names first, without what lies in the folder `outside`: whoever works there could have put it there.

    Raises `ToolError` where there is none.
    """
    folders = [folder for folder in (search or os.defpath).split(os.pathsep) if os.path.isabs(folder)]
    foreign = [folder for folder in folders if not Path(folder).resolve().is_relative_to(outside)]
    found = shutil.which("git", path=os.pathsep.join(foreign)) if foreign else None
    if found is None or Path(found).resolve().is_relative_to(outside):
        raise ToolError("there is no git on PATH", hint=_ADVICE)
    return Path(found)


def version(search: str | None, outside: Path) -> tuple[Path, str]:
    """The git that `locate` finds, and what it says of itself, in a line. Raises `ToolError` where there is none, or it does not start."""
    program = locate(search, outside)
    answer = execute(
        Order(program, ("--version",), {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}, Path("/"), alone=False), Bounds(10.0, 1 << 16)
    )
    if answer.code:
        raise ToolError(f"{program} does not start: {answer.complaint.strip() or f'exit code {answer.code}'}", hint=_ADVICE)
    return program, answer.out.decode("utf-8", "replace").strip()


def execute(order: Order, bounds: Bounds) -> Answer:
    """Run git to its end, whatever its exit code. Raises `ToolError` where it can't start, takes too long or writes too much."""
    named = " ".join(["git", *order.arguments[:1]])
    with tempfile.TemporaryFile() if order.stdin else open(os.devnull, "rb+") as stdin:
        # A file can't fill up, as a pipe to a git that writes before it reads would.
        stdin.write(order.stdin)
        stdin.seek(0)
        process = _start(order, stdin, named)
    try:
        return _collect(process, bounds, f"{named} in {order.folder}")
    finally:
        _end(process)


def _start(order: Order, stdin: IO[bytes], named: str) -> "subprocess.Popen[bytes]":
    alone = ["/bin/sh", "-c", _ALONE, "sh"] if order.alone else []
    command = [*alone, str(order.program), "--no-pager", *order.arguments]
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=order.folder,
            env=order.environ,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise ToolError(f"{named} could not be started in {order.folder}: {error}", hint=_ADVICE) from error


def _collect(process: "subprocess.Popen[bytes]", bounds: Bounds, named: str) -> Answer:
    assert process.stdout is not None
    assert process.stderr is not None
    out, complaint = bytearray(), bytearray()
    deadline = time.monotonic() + bounds.seconds
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ, (out, bounds.output + 1))
        waiting.register(process.stderr, selectors.EVENT_READ, (complaint, _COMPLAINT_BYTES))
        while waiting.get_map():
            ready = waiting.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise ToolError(f"{named} took longer than {bounds.seconds:g} s and was ended")
            for key, _ in ready:
                kept, most = key.data
                data = os.read(key.fd, _READ_BYTES)
                if not data:
                    waiting.unregister(key.fileobj)
                kept += data[: most - len(kept)]
            if len(out) > bounds.output:
                raise ToolError(f"{named} wrote more than {bounds.output:,} bytes and was ended", hint="Ask for less at a time.")
    try:
        code = process.wait(max(0.1, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ToolError(f"{named} took longer than {bounds.seconds:g} s and was ended") from None
    return Answer(code, bytes(out), complaint.decode("utf-8", "replace"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def run_as_user(program: Path, arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> int:
    """Run git as the user would have typed it, on the user's terminal and unguarded: only where the user asked for just that.

    The exit code, 128 plus the signal's number where one ended it. Raises `ToolError` where git can't start.
    """
    try:
        code = subprocess.call([str(program), *arguments], cwd=folder, env=dict(environ))
    except (OSError, ValueError) as error:
        raise ToolError(f"git could not be started in {folder}: {error}", hint=_ADVICE) from error
    return code if code >= 0 else 128 - code
