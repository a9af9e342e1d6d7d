"""The terminal around the user interface: its title, and the colour of its background.

What this module does not do: write or read (a user interface does), or draw.
"""

import re
from typing import Final, TypeAlias

from kimicode.interactive.sequences import BEL, ESC, harmless

MOST_TITLE: Final = 80

SAVE_TITLE: Final = f"{ESC}[22;0t"
RESTORE_TITLE: Final = f"{ESC}[23;0t"
"""Window and icon titles on xterm's stack; terminals without one ignore both."""

BACKGROUND_QUERY: Final = f"{ESC}]11;?{ESC}\\"
"""Asks for the background colour; terminals that don't know it answer nothing."""

Rgb: TypeAlias = tuple[int, int, int]

_REPLY: Final = re.compile(r"\x1b\]11;(?:rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})|#([0-9a-fA-F]{6}))")


def title_sequence(text: str) -> str:
    """Sets the title of the window and its icon (OSC 0). The text may come from outside."""
    return f"{ESC}]0;{harmless(text, MOST_TITLE)}{BEL}"


def parse_background(reply: str) -> Rgb | None:
    """The colour in a terminal's answer to `BACKGROUND_QUERY`, 0 to 255 each; None where there is none in it."""
    found = _REPLY.search(reply)
    if found is None:
        return None
    if found[4]:
        return int(found[4][:2], 16), int(found[4][2:4], 16), int(found[4][4:], 16)
    return _byte(found[1]), _byte(found[2]), _byte(found[3])


def _byte(digits: str) -> int:
    """One to four hexadecimal digits are a share of the most that so many can say (XParseColor)."""
    most: int = 16 ** len(digits) - 1
    return round(int(digits, 16) * 255 / most)
