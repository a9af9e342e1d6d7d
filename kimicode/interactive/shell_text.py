"""What a command printed, kept small and readable while it comes: pure.

    ShellText   takes pieces, gives what there is to show of each: no cursor movement, titles or hyperlinks, and of a line that was written
                over (a progress bar) only the last state. Colours stay: whoever draws takes or drops them.
    HeadTail    the beginning and the end of a long text, and how much is missing between

What this module does not do: make the text harmless (`kimicode.text` does, where it is shown).
"""

import re
from collections import deque
from typing import Final

MOST_HEAD: Final = 32_768
MOST_TAIL: Final = 32_768
"""Characters that are kept of the beginning and of the end: more than anybody reads, little enough for a log."""

_SEQUENCE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC, DCS, PM, APC, SOS with their text
    r"|\x1b[ -/]+[0-~]|\x1b[0-Z\\\]^_`-~]"  # other escapes
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_STRAY: Final = re.compile(r"\x1b(?!\[[0-9;:]*m)")
_UNFINISHED: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_ALTERNATE: Final = re.compile(r"\x1b\[\?(?:47|1047|1049)h")
_MOST_HELD: Final = 4_096


class ShellText:
    """See the module. `full_screen` turns true once the program asked for the alternate screen."""

    def __init__(self) -> None:
        self.full_screen = False
        self._held = ""

    def feed(self, piece: str) -> str:
        """What to show of the next piece. A sequence that is cut at its end waits for the rest."""
        text = self._held + piece
        found = _UNFINISHED.search(text)
        cut = found.start() if found and len(text) - found.start() <= _MOST_HELD else len(text)
        if text[cut - 1 : cut] == "\r":
            cut -= 1
        self._held = text[cut:]
        return self._plain(text[:cut])

    def end(self) -> str:
        """What was held back."""
        held, self._held = self._held, ""
        return "" if held.startswith("\x1b") else self._plain(held)

    def _plain(self, text: str) -> str:
        self.full_screen = self.full_screen or _ALTERNATE.search(text) is not None
        text = _SEQUENCE.sub(lambda found: found[0] if _COLOUR.fullmatch(found[0]) else "", text).replace("\r\n", "\n")
        if "\r" in text:
            text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
        # What was taken out of its middle may have made a sequence whole: only colours begin with an escape from here on.
        return _STRAY.sub("", text.replace("\b", ""))


class HeadTail:
    """Keeps the first `head` and the last `tail` characters of what it is given."""

    def __init__(self, head: int = MOST_HEAD, tail: int = MOST_TAIL) -> None:
        self._head_left = head
        self._tail_most = tail
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self.left_out = 0

    def add(self, text: str) -> None:
        """The next piece."""
        if self._head_left:
            taken = text[: self._head_left]
            self._head.append(taken)
            self._head_left -= len(taken)
            text = text[len(taken) :]
        if not text:
            return
        self._tail.append(text)
        self._tail_size += len(text)
        while self._tail_size > self._tail_most:
            over = self._tail_size - self._tail_most
            first = self._tail.popleft()
            if len(first) > over:
                self._tail.appendleft(first[over:])
            gone = min(over, len(first))
            self._tail_size -= gone
            self.left_out += gone

    @property
    def text(self) -> str:
        """What is kept, with a line that says how much is not."""
        between = f"\n[{self.left_out:,} characters left out here]\n" if self.left_out else ""
        return f"{''.join(self._head)}{between}{''.join(self._tail)}"
