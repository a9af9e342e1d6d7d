"""How soon a change is painted: set before Textual is first imported, which reads it then.

Textual waits a whole period of its frame rate before it paints what changed, 17 ms at its 60 frames a second: most of what a key's echo
takes (p50 20 ms; 3 ms with 240). Nothing is painted more often for it, as text that streams in comes in batches.
What this module does not do: import Textual.
"""

import importlib
import os
from typing import Final

FRAMES_PER_S: Final = "240"
_VARIABLE: Final = "TEXTUAL_FPS"


def paint_soon() -> None:
    """Have Textual paint within 4 ms, unless the user's environment says otherwise. The environment is left as it was."""
    if _VARIABLE in os.environ:
        return
    os.environ[_VARIABLE] = FRAMES_PER_S
    try:
        importlib.import_module("textual.constants")
    finally:
        del os.environ[_VARIABLE]
