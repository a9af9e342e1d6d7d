"""Files that were dragged onto a terminal: it pastes their paths, quoted, escaped or as `file://` addresses.

What this module does not do: read a file, or decide what a picture is by its bytes.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LONGEST: Final = 16_000
_PICTURE: Final = re.compile(r"\.(?:png|jpe?g|gif|webp)\Z", re.IGNORECASE)


def dropped_pictures(text: str, home: Path, is_file: Callable[[Path], bool]) -> tuple[Path, ...]:
    """The picture files that a pasted `text` names; none where any of it is something else. `is_file` may wait for a disk."""
    text = text.strip()
    if not may_be_pictures(text):
        return ()
    whole = _path(text, home)
    if whole is not None and is_file(whole):
        return (whole,)
    try:
        words = [word for line in text.splitlines() for word in shlex.split(line)]
    except ValueError:
        return ()
    paths = [_path(word, home) for word in words]
    found = tuple(path for path in paths if path is not None and _PICTURE.search(path.name) and is_file(path))
    return found if len(found) == len(words) else ()


def may_be_pictures(text: str) -> bool:
    """True where it is worth a look at the disk."""
    text = text.strip()
    return 0 < len(text) <= _LONGEST and text.startswith(("/", "~", "'", '"', "file:")) and _PICTURE.search(text.rstrip("'\"")) is not None


def _path(word: str, home: Path) -> Path | None:
    if "\0" in word:
        return None
    if word.startswith("file:"):
        try:
            return Path(unquote(urlsplit(word).path))
        except ValueError:
            return None
    if word.startswith("~/"):
        return home / word[2:]
    return Path(word) if word.startswith("/") else None
