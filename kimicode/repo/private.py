"""Folders that only the user can look into.

What this module does not do: change the mode of what exists already.
"""

import os
import stat
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make `folder` and its missing parents, 0700 each. Raises `OSError`."""
    # `Path.mkdir(parents=True)` would give the parents the default mode.
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def is_own(folder: Path) -> bool:
    """True where `folder` belongs to the user and nobody else may write in it. Raises `OSError`."""
    found = os.stat(folder)
    return found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o022
