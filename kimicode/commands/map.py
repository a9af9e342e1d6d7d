"""`kimicode map [PATHS] [--budget N]`: the map of the current directory on stdout, as a model gets it.

PATHS: files and names come first, with what they use and what uses them; of folders only what is in them is shown. What this module does
not do: make the map (`repo.map`).
"""

import os
import sys
import time
from typing import Final

from kimicode.commands.folder import current_folder
from kimicode.errors import ToolError, UsageError
from kimicode.home import kimicode_cache
from kimicode.repo.codebase import Codebase
from kimicode.repo.map import DEFAULT_BUDGET, LEAST_BUDGET, MOST_BUDGET, render
from kimicode.streams import complain, write_payload

_EVERY_S: Final = 2.0


class _Progress:
    """Says on stderr how far the reading is, when it takes long."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        if time.monotonic() - self._said >= _EVERY_S:
            self._said = time.monotonic()
            complain(f"Reading {of:,} files: {done / max(1, of):.0%}")


def map_command(paths: list[str], budget: int | None = None) -> int:
    """Write the map; the exit code. Raises `UsageError` for a budget out of range, `ToolError` where nothing is called as a path says."""
    tokens = DEFAULT_BUDGET if budget is None else budget
    if not LEAST_BUDGET <= tokens <= MOST_BUDGET:
        raise UsageError(f"--budget {tokens}: a map has {LEAST_BUDGET} to {MOST_BUDGET:,} tokens")
    code = Codebase(current_folder(), os.environ, cache=kimicode_cache(os.environ) / "index")
    try:
        write_payload(sys.stdout, render(code, budget=tokens, focus=[_relative(path) for path in paths], progress=_Progress()))
    except OSError as error:
        raise ToolError(f"no map of {current_folder()}: {error}") from error
    finally:
        if code.index.notice:
            complain(code.index.notice)
        code.close()
    return 0


def _relative(path: str) -> str:
    """A path that the user's shell completed may be absolute."""
    here = f"{current_folder().resolve()}/"
    return path.removeprefix(here) if os.path.isabs(path) else path
