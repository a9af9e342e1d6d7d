"""Which colour the terminal's background has, asked before the user interface begins.

OSC 11 asks for it and Primary Device Attributes right after: every terminal answers the latter, so nobody waits long for one that does not
know the former. What this module does not do: choose a theme.
"""

import os
import re
import select
import time
from collections.abc import Callable
from typing import Final

from kimicode.interactive.terminal import BACKGROUND_QUERY, parse_background

_ATTRIBUTES: Final = b"\x1b[c"
_ANSWERED: Final = re.compile(rb"\x1b\[\?[0-9;]*c")
_PATIENCE_S: Final = 0.15


def terminal_background(stdin: int, stdout: int, clock: Callable[[], float] = time.monotonic) -> tuple[int, int, int] | None:
    """Red, green and blue of the background, or None where the terminal does not say. Both descriptors are those of a terminal."""
    try:
        import termios
        import tty
    except ImportError:
        return None
    try:
        before = termios.tcgetattr(stdin)
    except (termios.error, OSError):
        return None
    try:
        tty.setcbreak(stdin, termios.TCSANOW)
        os.write(stdout, BACKGROUND_QUERY.encode() + _ATTRIBUTES)
        return parse_background(_answer(stdin, clock).decode("latin-1"))
    except OSError:
        return None
    finally:
        termios.tcsetattr(stdin, termios.TCSANOW, before)


def _answer(stdin: int, clock: Callable[[], float]) -> bytes:
    end, answer = clock() + _PATIENCE_S, b""
    while (left := end - clock()) > 0 and not _ANSWERED.search(answer):
        if not select.select([stdin], [], [], left)[0]:
            break
        piece = os.read(stdin, 1024)
        if not piece:
            break
        answer += piece
    return answer
