"""Ways to say "a new line" that terminals have, and that Textual reads otherwise.

Alt+Enter is ESC and a carriage return on most terminals; Textual 8.2.8 drops the ESC, and a prompt would be sent that was not done. Others
(xterm with modifyOtherKeys) name the key by its character. What this module does not do: anything before it is asked to.
"""

from typing import Final

from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.keys import Keys

NEW_LINE: Final = ("shift+enter", "alt+enter", "ctrl+enter", "ctrl+j", "shift+\r", "ctrl+\r", "\r")
"""Keys that start a line. The last one is Alt+Enter of modifyOtherKeys; Enter itself is `enter`."""


def teach_alt_enter() -> None:
    """From now on ESC and a carriage return are Ctrl+J, in this process. Nothing that Textual knows by itself is changed."""
    if isinstance(ANSI_SEQUENCES_KEYS, dict):
        ANSI_SEQUENCES_KEYS.setdefault("\x1b\r", (Keys.ControlJ,))
