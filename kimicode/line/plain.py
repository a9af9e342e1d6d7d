"""Lines from a terminal that can do nothing else, or from a pipe; lines to whatever stdout is. Not one escape sequence.

A thread waits in `read`, since a pipe, a file, a terminal and a Windows console have nothing better in common. What this module does not
do: edit, complete or remember what is typed.
"""

import asyncio
import collections
import contextlib
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TextIO

from kimicode.line.reader import Request, StoppedError
from kimicode.line.words import Line

try:
    import termios
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

_CHUNK: Final = 65_536
_ON_ITS_WAY_S: Final = 0.1


@dataclass
class _Waiter:
    """Somebody who waits for a line, and what is shown to get it. `quiet`: not before it is asked for."""

    prompt: str
    line: "asyncio.Future[str]"
    quiet: bool


class PlainReader:
    """Reads the file descriptor of `stdin` and writes `stdout`. `prompt_text` is shown before each prompt where somebody sits there."""

    def __init__(self, stdin: TextIO, stdout: TextIO, *, prompt_text: str = "You: ") -> None:
        self._stdin = stdin.fileno()
        self._stdout = stdout
        self._terminal = stdin.isatty()
        self._prompt_text = prompt_text
        self._loop = asyncio.get_running_loop()
        self._thread: threading.Thread | None = None
        self._early: collections.deque[str] = collections.deque()
        self._ended = False
        self._waiting: list[_Waiter] = []
        self._at_prompt = False

    @property
    def answers(self) -> bool:
        """True for a terminal: a pipe can't see the question."""
        return self._terminal

    @property
    def echoes(self) -> bool:
        """True for a terminal."""
        return self._terminal

    @property
    def width(self) -> int:
        """Of the terminal, or what `COLUMNS` says."""
        return shutil.get_terminal_size().columns

    def put(self, lines: Sequence[Line], *, bell: bool = False) -> None:
        """Print lines. A bell is rung only where a terminal listens. A stdout that nobody reads is no reason to stop a run."""
        start = "\n" if lines and self._at_prompt else ""
        self._at_prompt = self._at_prompt and not lines
        if lines and self._waiting and not self._waiting[-1].quiet:
            self._loop.call_soon(self.remind)
        text = "".join(f"{line.plain()}\n" for line in lines)
        self._write(start + text + ("\a" if bell and self._stdout.isatty() else ""))

    def remind(self) -> None:
        """Show the prompt again where output has come after it."""
        if self._waiting and not self._at_prompt:
            self._waiting[-1].quiet = False
            self._show(self._waiting[-1].prompt)

    async def prompt(self, *, busy: bool = False) -> str:
        """The next line; a backslash at its end takes the next one along. While the agent is `busy` no prompt is shown: it would stand
        among its lines."""
        text = await self._line(self._prompt_text if self._terminal else "", show=not busy)
        while text.endswith("\\") and not text.endswith("\\\\"):
            text = f"{text[:-1]}\n{await self._line('and: ' if self._terminal else '')}"
        return text

    async def calm(self) -> None:
        """Nothing is known of what is being typed here."""

    async def ask(self, request: Request) -> str:
        """A line. What was typed before is thrown away where that matters. Raises `EOFError` where nobody sits there."""
        if not self._terminal:
            raise EOFError
        if request.grave or request.secret:
            self._discard()
            # A line that the thread has just read is on its way still.
            await asyncio.sleep(_ON_ITS_WAY_S)
            self._discard()
        default = f" [{request.default}]" if request.default and not request.secret else ""
        with self._silent() if request.secret else contextlib.nullcontext():
            answer = await self._line(f"{request.prompt}{default} ")
        if request.secret:
            self._write("\n")
        return answer or request.default

    def use_keys(self, keys: Literal["emacs", "vi"]) -> None:
        """The terminal has its own."""

    def begin_aside(self) -> None:
        """Nothing has to be put away: the latest question gets the next line."""

    def end_aside(self) -> None:
        """The prompt is shown again by `remind`."""

    def interrupt(self) -> bool:
        """Ctrl-C came as a signal. True where a question was open, which is given up with it."""
        # The terminal has shown `^C`, wherever it stood.
        self._at_prompt = self._terminal
        waiter = self._waiting[-1] if self._waiting else None
        if waiter is None or waiter.line.done():
            return False
        waiter.line.set_exception(StoppedError())
        return True

    async def aclose(self) -> None:
        """The thread stays where it is, in `read`; it holds nothing up."""

    async def _line(self, prompt: str, *, show: bool = True) -> str:
        self._start()
        if self._early:
            return self._early.popleft()
        if self._ended:
            raise EOFError
        waiter = _Waiter(prompt, self._loop.create_future(), quiet=not show)
        self._waiting.append(waiter)
        if show:
            self._show(prompt)
        try:
            return await waiter.line
        finally:
            self._waiting.remove(waiter)

    def _show(self, prompt: str) -> None:
        # A question does not stand behind the prompt that it interrupts.
        self._write(f"\n{prompt}" if self._at_prompt and prompt else prompt)
        self._at_prompt = bool(prompt)

    def _take(self, line: str | None) -> None:
        """A line has come, or the end of input."""
        if line is None:
            self._ended = True
            for waiter in self._waiting:
                if not waiter.line.done():
                    waiter.line.set_exception(EOFError())
            return
        self._at_prompt = False
        open_ones = [waiter for waiter in self._waiting if not waiter.line.done()]
        if open_ones:
            open_ones[-1].line.set_result(line)
        else:
            self._early.append(line)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._read, name="stdin", daemon=True)
            self._thread.start()

    def _read(self) -> None:
        held = b""
        while True:
            try:
                # Not through `sys.stdin`: a thread that waits in there would hold a lock that Python wants at its end.
                data = os.read(self._stdin, _CHUNK)
            except OSError:
                data = b""
            *whole, held = (held + data).split(b"\n")
            if not data and held:
                whole, held = [*whole, held], b""
            for line in whole:
                self._hand_over(line.decode("utf-8", "replace").removesuffix("\r"))
            if not data:
                self._hand_over(None)
                return

    def _hand_over(self, line: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._take, line)

    def _discard(self) -> None:
        """Nobody allows what they have not seen."""
        if termios is not None and self._terminal:
            with contextlib.suppress(termios.error):
                termios.tcflush(self._stdin, termios.TCIFLUSH)
        self._early.clear()

    @contextlib.contextmanager
    def _silent(self) -> Iterator[None]:
        """Without echo, where the terminal can do that."""
        if termios is None or not self._terminal:
            yield
            return
        before = termios.tcgetattr(self._stdin)
        quiet = [*before]
        quiet[3] &= ~termios.ECHO
        termios.tcsetattr(self._stdin, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            termios.tcsetattr(self._stdin, termios.TCSADRAIN, before)

    def _write(self, text: str) -> None:
        try:
            self._stdout.write(text)
            self._stdout.flush()
        except UnicodeEncodeError:
            encoding = self._stdout.encoding or "ascii"
            self._stdout.write(text.encode(encoding, "replace").decode(encoding))
            self._stdout.flush()
        except (OSError, ValueError):
            return
