"""The names of the settings that are in force, listed again only where they could be others.

The list is kept with what the files it was read from looked like (device, number, size, times), and holds while they look the same: for a
change in place within one tick of the clock, files that were touched in the last seconds are never relied on. Where anything is
included from further files, whether now or under a condition, nothing is kept. What this module does not do: run git, or read the files.
"""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from kimicode.repo.git_find import Layout

_SETTLED_S: Final = 3.0
"""Some file systems keep times to two seconds."""

_Look: TypeAlias = tuple[tuple[int, ...] | None, ...]


class Known:
    """What was listed last, from files that nobody touched in the last `settled_s` seconds. Calls from several threads are fine: the worst
    is to list twice."""

    def __init__(self, settled_s: float = _SETTLED_S) -> None:
        self._settled_s = settled_s
        self._kept: tuple[_Look, tuple[str, ...]] | None = None

    def names(self, layout: Layout, environ: Mapping[str, str], ask: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """The names, from `ask` where what was listed last may no longer hold."""
        look = _look(layout, environ)
        kept = self._kept
        if kept is not None and kept[0] == look:
            return kept[1]
        names = ask()
        # Looked at before git read them: a change in between shows.
        settled = all(each is None or max(each[-2:]) < (time.time() - self._settled_s) * 1e9 for each in look)
        included = any(name.startswith(("include.", "includeif.")) for name in names)
        self._kept = (look, names) if settled and not included else None
        return names


def _look(layout: Layout, environ: Mapping[str, str]) -> _Look:
    return tuple(map(_identity, _files(layout, environ)))


def _files(layout: Layout, environ: Mapping[str, str]) -> list[Path]:
    """Where git looks for settings; the system's own file is where it is on nearly all systems."""
    files = [layout.common_dir / "config", layout.git_dir / "config.worktree", Path("/etc/gitconfig")]
    home, xdg = environ.get("HOME"), environ.get("XDG_CONFIG_HOME")
    if home:
        files += [Path(home, ".gitconfig"), Path(home, ".config/git/config")]
    return [*files, Path(xdg, "git/config")] if xdg else files


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
