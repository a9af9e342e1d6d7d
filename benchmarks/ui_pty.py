"""A program on a pseudo-terminal, watched from outside: when its bytes come, what it says to questions, how its process tree lives.

It answers what programs ask a terminal (attributes, cursor, synchronized updates, background), so that none of them waits. Texts are looked
for in what was written with control sequences taken out. What this module does not do: draw a screen.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

_CONTROL = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[P_^X].*?\x1b\\|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[()][A-Z0-9]|\x1b[=>78cDEHM]", re.DOTALL
)
_QUESTIONS = (
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\[>0?q"), b"\x1bP>|bench 1\x1b\\"),
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),
    (re.compile(rb"\x1b\[\?u"), b"\x1b[?0u"),
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
    (re.compile(rb"\x1b\]11;\?"), b"\x1b]11;rgb:1010/1010/1010\x1b\\"),
    (re.compile(rb"\x1b\]10;\?"), b"\x1b]10;rgb:eeee/eeee/eeee\x1b\\"),
)
FRAME_END = b"\x1b[?2026l"
"""Ends a frame of a program that was told that the terminal knows synchronized updates."""


class Pty:
    """See the module. `chunks` are what was written so far, with the moments when it was read (`time.perf_counter`)."""

    def __init__(self, command: Sequence[str], folder: Path, environ: Mapping[str, str], *, columns: int = 120, rows: int = 40) -> None:
        self.started = time.perf_counter()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvpe(command[0], list(command), dict(environ))
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.chunks: list[tuple[float, bytes]] = []
        self._news = threading.Condition()
        self._over = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Pty":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        tree = self.tree()
        for process in tree:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        os.waitpid(self.pid, 0)
        self._thread.join(2)
        os.close(self._master)

    def send(self, data: bytes) -> float:
        """Type; the moment just before."""
        now = time.perf_counter()
        os.write(self._master, data)
        return now

    def seen(self, wanted: bytes, since: int = 0, *, raw: bool = False, seconds: float = 30.0) -> float:
        """Wait until a text is written, in the chunks from `since` on; the moment. Raises `TimeoutError`."""
        end = time.perf_counter() + seconds
        at, text = since, b""
        while True:
            with self._news:
                if at >= len(self.chunks) and not self._news.wait(max(0.0, end - time.perf_counter())):
                    raise TimeoutError(f"{wanted!r} was not written within {seconds} s; the last was {self.text()[-300:]!r}")
                fresh = self.chunks[at:]
                at = len(self.chunks)
            for moment, data in fresh:
                text += data
                if wanted in (text if raw else _CONTROL.sub(b"", text)):
                    return moment
            text = text[-100_000:]

    def quiet(self, seconds: float, patience: float = 30.0) -> None:
        """Wait until nothing has been written for so long."""
        end = time.perf_counter() + patience
        while time.perf_counter() < end:
            last = self.chunks[-1][0] if self.chunks else self.started
            left = last + seconds - time.perf_counter()
            if left <= 0:
                return
            time.sleep(left)

    def text(self) -> str:
        """Everything that was written, without control sequences."""
        return _CONTROL.sub(b"", b"".join(data for _, data in self.chunks)).decode("utf-8", "replace")

    def tree(self) -> list[psutil.Process]:
        """The process and what it started."""
        try:
            top = psutil.Process(self.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def cpu_s(self) -> float:
        """Processor seconds of the tree so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.tree())

    def rss_mb(self) -> float:
        """Memory of the tree, in MB."""
        return sum(process.memory_info().rss for process in self.tree()) / 1e6

    def _read(self) -> None:
        while not self._over:
            try:
                if not select.select([self._master], [], [], 0.5)[0]:
                    continue
                data = os.read(self._master, 1 << 16)
            except OSError:
                break
            now = time.perf_counter()
            if not data:
                break
            for question, answer in _QUESTIONS:
                for _ in question.finditer(data):
                    os.write(self._master, answer)
            with self._news:
                self.chunks.append((now, data))
                self._news.notify_all()
        self._over = True
