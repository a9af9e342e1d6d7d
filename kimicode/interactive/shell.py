"""The user's own commands (`!make test`): each in a terminal of its own, with folder and environment kept from one to the next.

    shell = UserShell(environ, workspace)
    ended = await shell.run("cd src && export DEBUG=1", print)
    await run_shell(desk, shell, "make test")        # with the transcript and the log

A command runs as `$SHELL -c` (bash or sh, where that is no shell of that family). At its end, however it comes, a trap writes the folder
and the exported variables to a private file, from which the next one starts. Output is decoded as it comes; its beginning and its end are
kept. Nothing contains these commands: they are the user's own, and can do what the user can. A program that wants the whole terminal is
told (`needs_terminal`), and `run_here` runs it there. What this module does not do: ask whether a command may run, or emulate a terminal.
"""

import asyncio
import codecs
import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.events import ShellRan
from kimicode.interactive.abilities import LendsTerminal
from kimicode.interactive.desk import Desk
from kimicode.interactive.shell_names import wants_terminal
from kimicode.interactive.shell_text import HeadTail, ShellText
from kimicode.interactive.view.transcript import LIVE_CHARS

UPDATE_S: Final = 0.1
"""What a command prints is shown at most so often."""

_CHUNK: Final = 1 << 16
_MOST_LEFT: Final = 64
_MOST_STATE: Final = 4 << 20
_PATIENCE_S: Final = 1.0
"""A command that was interrupted has so long before it is ended less kindly."""

_SHELLS: Final = frozenset("sh bash zsh dash ash ksh mksh".split())
_FALLBACK: Final = ("/bin/bash", "/usr/bin/bash", "/bin/sh")

_SCRIPT: Final = (
    'trap \'"$KIMICODE_SHELL_PYTHON" -I -S -c "$KIMICODE_SHELL_NOTE" "$KIMICODE_SHELL_STATE" || :\' EXIT\neval "$KIMICODE_SHELL_COMMAND"'
)
_NOTE: Final = (
    "import os,sys\n"
    "v=[k+b'='+x for k,x in os.environb.items() if not k.startswith(b'KIMICODE_SHELL_')]\n"
    "open(sys.argv[1],'wb').write(b'\\0'.join([os.getcwdb(),*v]))"
)
_LAUNCH: Final = "import fcntl,os,sys,termios\nfcntl.ioctl(1,termios.TIOCSCTTY,0)\nos.execv(sys.argv[1],sys.argv[1:])"
"""Makes the terminal on stdout the session's own; between fork and exec of a process with threads Python code is not safe."""

_NO_PAGER: Final = {"PAGER": "cat", "GIT_PAGER": "cat", "MANPAGER": "cat", "SYSTEMD_PAGER": "cat"}
"""A pager would wait for a key that nobody can press."""

_PASSING: Final = frozenset({"_", "SHLVL"})


class Ended(msgspec.Struct, frozen=True):
    """How a command ended. `exit_code` is None where it was stopped. `needs_terminal`: it wanted a whole terminal and was stopped."""

    output: str
    exit_code: int | None
    seconds: float
    needs_terminal: bool = False


class UserShell:
    """See the module. One command at a time. `columns` is how wide the commands' terminal is."""

    def __init__(self, environ: Mapping[str, str], workspace: Path, *, columns: int = 100, with_pty: bool = True) -> None:
        self.environ = dict(environ)
        self.folder = workspace
        self.columns = columns
        self.introduced = False
        self._pty = with_pty
        self._stopper: _Stopper | None = None

    @property
    def running(self) -> bool:
        """True while a command runs."""
        return self._stopper is not None

    def interrupt(self) -> bool:
        """Stop the command: as Ctrl-C first, then harder, by itself or when asked again. False where none runs."""
        if self._stopper is None:
            return False
        self._stopper.harder()
        return True

    async def run(self, command: str, printed: Callable[[str], None]) -> Ended:
        """Run it to its end; `printed` gets the output as it comes. Cancelling ends it. Raises `KimicodeError` where it can't start."""
        if self.running:
            raise KimicodeError("another command is running", hint="Wait for it, or interrupt it.")
        began = time.monotonic()
        with _state_file() as state:
            output = _Output(printed)
            process, master = await self._start(command, state)
            self._stopper = stopper = _Stopper(process, output)
            output.on_full_screen = stopper.harder
            try:
                await _follow(process, master, output)
                self._take(state)
            finally:
                self._stopper = None
                stopper.kill()
                os.close(master)
                if process.returncode is None:
                    await process.wait()
        output.end()
        stopped = stopper.asked or process.returncode is None
        return Ended(output.kept.text, None if stopped else _code(process.returncode), time.monotonic() - began, output.text.full_screen)

    def run_here(self, command: str) -> int:
        """Run it in the terminal of this process, which nobody else may be using; its exit code. Blocks."""
        with _state_file() as state, _interrupts_are_the_childs():
            try:
                code = subprocess.call([self._shell(), "-c", _SCRIPT], cwd=self._existing(), env=self._environment(command, state))
            except OSError as error:
                raise KimicodeError(f"can't start {self._shell()}: {error.strerror}") from error
            self._take(state)
        return _code(code)

    async def _start(self, command: str, state: Path) -> tuple[asyncio.subprocess.Process, int]:
        master, slave = _open_pty(self.columns) if self._pty else os.pipe()
        launch = (sys.executable, "-I", "-S", "-c", _LAUNCH) if self._pty else ()
        try:
            process = await asyncio.create_subprocess_exec(
                *launch,
                self._shell(),
                "-c",
                _SCRIPT,
                cwd=self._existing(),
                env={**self._environment(command, state), **_NO_PAGER, "COLUMNS": str(self.columns)},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=slave,
                stderr=slave,
                start_new_session=True,
            )
        except OSError as error:
            os.close(master)
            raise KimicodeError(f"can't start {self._shell()}: {error.strerror}") from error
        finally:
            os.close(slave)
        return process, master

    def _shell(self) -> str:
        wanted = self.environ.get("SHELL", "")
        if wanted.rpartition("/")[2] in _SHELLS and os.access(wanted, os.X_OK):
            return wanted
        return next((path for path in _FALLBACK if os.access(path, os.X_OK)), "/bin/sh")

    def _existing(self) -> str:
        return str(self.folder) if self.folder.is_dir() else "/"

    def _environment(self, command: str, state: Path) -> dict[str, str]:
        own = {
            "KIMICODE_SHELL_PYTHON": sys.executable,
            "KIMICODE_SHELL_NOTE": _NOTE,
            "KIMICODE_SHELL_STATE": str(state),
            "KIMICODE_SHELL_COMMAND": command,
        }
        return {**self.environ, "PWD": self._existing(), **own}

    def _take(self, state: Path) -> None:
        """Folder and environment as the command left them, where it came to say so."""
        try:
            with state.open("rb") as file:
                data = file.read(_MOST_STATE + 1)
        except OSError:
            return
        if not data or len(data) > _MOST_STATE:
            return
        folder, *variables = data.split(b"\0")
        found = dict(os.fsdecode(variable).split("=", 1) for variable in variables if b"=" in variable)
        for name in (*_NO_PAGER, "COLUMNS"):
            if found.get(name) == {**_NO_PAGER, "COLUMNS": str(self.columns)}[name]:
                found.pop(name)
                if name in self.environ:
                    found[name] = self.environ[name]
        self.environ = {name: value for name, value in found.items() if name not in _PASSING} | {
            name: self.environ[name] for name in _PASSING if name in self.environ
        }
        logical = found.get("PWD", "")
        real = Path(os.fsdecode(folder))
        with contextlib.suppress(OSError):
            self.folder = Path(logical) if logical and Path(logical).is_absolute() and Path(logical).samefile(real) else real


async def run_shell(desk: Desk, shell: UserShell, command: str) -> None:
    """Run the user's command with everything around it: shown while it runs, in the log at its end, told to the model with the next prompt.

    A program that wants the terminal gets it, where the user interface can lend it.
    """
    if not shell.introduced:
        shell.introduced = True
        desk.person.say("Your own shell: what you run here is not contained. The model sees the output with your next prompt.")
    if wants_terminal(command):
        if await _lent(desk, shell, command):
            return
        desk.person.say("It may want the whole terminal, which can't be lent here.", "warning")
    desk.shell_began(command)
    pending: list[str] = []
    showing = asyncio.get_running_loop().create_task(_show(desk, pending))
    try:
        ended = await shell.run(command, pending.append)
    except (KimicodeError, asyncio.CancelledError) as error:
        await desk.record(ShellRan(command, str(error), None, 0.0))
        raise
    finally:
        showing.cancel()
    await desk.record(ShellRan(command, ended.output, ended.exit_code, round(ended.seconds, 3)))
    desk.look_around()
    if ended.needs_terminal and isinstance(desk.person, LendsTerminal):
        wanted = "It wants the whole terminal and was stopped. Run it again, there?"
        if await desk.person.confirm(wanted, detail=command):
            await _lent(desk, shell, command)


async def _lent(desk: Desk, shell: UserShell, command: str) -> bool:
    if not isinstance(desk.person, LendsTerminal):
        return False
    began = time.monotonic()
    code = await desk.person.lend(lambda: shell.run_here(command))
    await desk.record(ShellRan(command, "[it had the terminal; what it printed was not kept]", code, round(time.monotonic() - began, 3)))
    desk.look_around()
    return True


async def _show(desk: Desk, pending: list[str]) -> None:
    """Shows what came, at most every `UPDATE_S`. Runs only as long as the command does."""
    while True:
        await asyncio.sleep(UPDATE_S)
        if pending:
            text = "".join(pending)[-LIVE_CHARS:]
            pending.clear()
            desk.shell_printed(text)


class _Output:
    """What came so far: decoded, cleaned, shown and kept."""

    def __init__(self, printed: Callable[[str], None]) -> None:
        self.kept = HeadTail()
        self.text = ShellText()
        self.on_full_screen: Callable[[], None] = lambda: None
        self._printed = printed
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def take(self, data: bytes) -> None:
        before = self.text.full_screen
        self._put(self.text.feed(self._decode(data)))
        if self.text.full_screen and not before:
            self.on_full_screen()

    def end(self) -> None:
        self._put(self.text.feed(self._decode(b"", final=True)) + self.text.end())

    def _put(self, text: str) -> None:
        if text:
            self.kept.add(text)
            self._printed(text)


class _Stopper:
    """Ends a command and all that is in its process group, harder each time."""

    _SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

    def __init__(self, process: asyncio.subprocess.Process, output: _Output) -> None:
        self.asked = False
        self._process = process
        self._output = output
        self._next = 0
        self._timer: asyncio.TimerHandle | None = None

    def harder(self) -> None:
        """The next signal now, and the one after it soon, unless the command ends."""
        self.asked = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._next < len(self._SIGNALS):
            self._send(self._SIGNALS[self._next])
            self._next += 1
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE_S, self.harder)

    def kill(self) -> None:
        """At once, and whatever is left of the group: nothing stays behind that did not leave it on purpose."""
        if self._timer is not None:
            self._timer.cancel()
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


async def _follow(process: asyncio.subprocess.Process, master: int, output: _Output) -> None:
    """Read until the command has ended and all that it wrote is read. What it left running may hold the terminal open; that is not
    waited for."""
    loop = asyncio.get_running_loop()
    os.set_blocking(master, False)
    closed = asyncio.Event()

    def read() -> None:
        if not _read(master, output):
            loop.remove_reader(master)
            closed.set()

    loop.add_reader(master, read)
    try:
        await process.wait()
        loop.remove_reader(master)
        # A terminal holds less than this; what still runs could go on writing for ever.
        left = _MOST_LEFT
        while left and not closed.is_set() and _read(master, output):
            left -= 1
    finally:
        loop.remove_reader(master)


def _read(master: int, output: _Output) -> bool | None:
    """True where something was read, None where nothing is there yet, False at the end."""
    try:
        data = os.read(master, _CHUNK)
    except BlockingIOError:
        return None
    except OSError:
        # EIO: the last one that had the terminal has closed it.
        return False
    if data:
        output.take(data)
    return bool(data)


def _open_pty(columns: int) -> tuple[int, int]:
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    # Line ends stay as they are written, and nothing is echoed: nobody types here.
    settings[1] &= ~termios.ONLCR
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return master, slave


@contextlib.contextmanager
def _state_file() -> Iterator[Path]:
    """A place that only this user can reach."""
    with tempfile.TemporaryDirectory(prefix="kimicode-shell-", ignore_cleanup_errors=True) as folder:
        yield Path(folder, "state")


@contextlib.contextmanager
def _interrupts_are_the_childs() -> Iterator[None]:
    """Ctrl-C in the terminal reaches the whole foreground group; it is meant for the program that has the terminal.

    A handler, not SIG_IGN: what is ignored stays ignored in the child.
    """
    try:
        before = signal.signal(signal.SIGINT, lambda _number, _frame: None)
    except ValueError:  # not the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _code(code: int | None) -> int:
    """As shells count: 128 and the signal's number for what a signal ended."""
    return 0 if code is None else 128 - code if code < 0 else code
