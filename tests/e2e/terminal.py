"""A real terminal for a process: tmux with a server of its own, keys in, the screen out. What this module does not do: assert anything.

with Terminal(["kimicode"], folder, environ, columns=80, rows=24) as terminal:
    terminal.until("Enter send")
    terminal.type("Fix it."), terminal.key("Enter")
"""

import os
import re
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from tests.e2e.kimi import DEADLINE

_POLL_S = 0.05
_SETTLED_S = 1.0
"""Longer than any dialog absorbs keys."""


class Terminal:
    """One window of so many columns and rows. It runs under a shell that stays when it ends, so that what it leaves can be seen."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        *,
        columns: int = 80,
        rows: int = 24,
        term: str = "tmux-256color",
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tmux-")
        self._socket = f"{self._folder.name}/s"
        self._out = Path(self._folder.name, "all")
        variables = [f"{name}={value}" for name, value in environ.items()]
        clean = ["env", "-i", *variables, f"TERM={term}", "PS1=$ ", "/bin/bash", "--noprofile", "--norc"]
        self._tmux(
            "-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", str(columns), "-y", str(rows), "-c", str(folder), shlex.join(clean)
        )
        self._tmux("set-option", "-g", "status", "off")
        self._tmux("set-option", "-g", "focus-events", "on")
        self._tmux("pipe-pane", "-t", "t", f"cat > {shlex.quote(str(self._out))}")
        if command:
            self.type(f"{shlex.join(command)}; echo ended=$?")
            self.key("Enter")

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tmux("kill-server", check=False)
        self._folder.cleanup()

    @property
    def screen(self) -> str:
        """What is to be seen now, line by line, without blanks at the ends."""
        return self._tmux("capture-pane", "-p", "-t", "t")

    @property
    def scrollback(self) -> str:
        """What is to be seen, and what has scrolled away."""
        return self._tmux("capture-pane", "-p", "-J", "-S", "-", "-t", "t")

    @property
    def written(self) -> bytes:
        """Every byte that came from the program, control sequences and all."""
        return self._out.read_bytes() if self._out.exists() else b""

    @property
    def title(self) -> str:
        """The window's title."""
        return self._tmux("display-message", "-p", "-t", "t", "#{pane_title}").strip()

    @property
    def alternate(self) -> bool:
        """True while the alternate screen is shown."""
        return self._tmux("display-message", "-p", "-t", "t", "#{alternate_on}").strip() == "1"

    def type(self, text: str) -> None:
        """Type text, letter by letter."""
        self._tmux("send-keys", "-t", "t", "-l", "--", text)

    def paste(self, text: str) -> None:
        """Paste text, in brackets where the program asked for them."""
        subprocess.run(["tmux", "-S", self._socket, "load-buffer", "-"], input=text.encode(), check=True)
        self._tmux("paste-buffer", "-p", "-t", "t")

    def key(self, *names: str) -> None:
        """Press keys by tmux's names: `Enter`, `C-c`, `M-Up`, `F1`."""
        self._tmux("send-keys", "-t", "t", *names)

    def resize(self, columns: int, rows: int) -> None:
        """Another size of the window."""
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    def focus(self, on: bool) -> None:
        """What the terminal sends when somebody looks at it, or elsewhere."""
        self.type("\x1b[I" if on else "\x1b[O")

    def hang_up(self) -> None:
        """Close the terminal under the program."""
        self._tmux("kill-server")

    def until(self, wanted: str | Callable[[str], bool], *, seconds: float = DEADLINE) -> str:
        """Wait until the screen holds a text, or satisfies a condition; the screen then."""
        end = time.monotonic() + seconds
        while True:
            screen = self.screen
            if wanted in screen if isinstance(wanted, str) else wanted(screen):
                return screen
            if time.monotonic() > end:
                raise AssertionError(f"not seen within {seconds} s: {wanted!r}\n{screen}")
            time.sleep(_POLL_S)

    def gone(self, text: str) -> str:
        """Wait until a text is not on the screen any more."""
        return self.until(lambda screen: text not in screen)

    def settled(self) -> str:
        """Wait until nothing has changed on the screen for a while: what opened takes keys then."""
        before, since = self.screen, time.monotonic()
        end = since + DEADLINE
        while time.monotonic() - since < _SETTLED_S:
            assert time.monotonic() < end, f"the screen never comes to rest\n{before}"
            time.sleep(_POLL_S)
            if (screen := self.screen) != before:
                before, since = screen, time.monotonic()
        return before

    def ended(self) -> int:
        """Wait until the program has ended; its exit code."""
        screen = self.until(lambda screen: re.search(r"^ended=\d+", screen, re.MULTILINE) is not None)
        found = re.search(r"^ended=(\d+)", screen, re.MULTILINE)
        assert found
        return int(found[1])

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-S", self._socket, *arguments]
        # tmux's own surroundings must not reach the program.
        environ = {name: value for name, value in os.environ.items() if name not in ("TMUX", "TMUX_PANE", "NO_COLOR")} | {
            "LC_ALL": "C.UTF-8"
        }
        done = subprocess.run(command, check=check, capture_output=True, env=environ)
        return done.stdout.decode("utf-8", "replace")
