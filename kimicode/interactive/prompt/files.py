"""The files and folders of a workspace, for `@`: listed as git sees them (tracked, and untracked ones that are not ignored), or, without
git, as ripgrep does.

`refresh` lists them and takes its time: give it to a thread. `search` uses the last list and never waits for the disk. Names that can't be
typed (with control characters, or bytes that are no UTF-8) are left out. What this module does not do: read a file, or watch folders.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import KimicodeError
from kimicode.interactive.prompt.found import Found, Searching, finder
from kimicode.repo.git import Repository
from kimicode.repo.git_files import changed, listing, others, parse_listing
from kimicode.repo.git_run import Bounds
from kimicode.repo.plain_files import plain_files

MOST: Final = 500_000
_BOUNDS: Final = Bounds(seconds=60.0, output=256 << 20)
_RECENT: Final = 200


class Listed(msgspec.Struct, frozen=True):
    """Paths of files below the workspace, links and submodules among them, and those that differ from what is committed or staged."""

    files: tuple[str, ...]
    changed: tuple[str, ...] = ()


def list_files(workspace: Path, environ: Mapping[str, str]) -> Listed:
    """The files as they are now. Raises `ToolError`, `UsageError` or `OSError` where nothing can list them."""
    root = workspace.resolve()
    try:
        found = _by_git(root, environ)
    except (KimicodeError, OSError):
        found = None
    return found or Listed(tuple(plain_files(root, environ.get("PATH"))))


class WorkspaceFiles:
    """The files of one workspace. `listed` is what lists them. Nothing is read before the first `refresh`."""

    def __init__(self, listed: Callable[[], Listed]) -> None:
        self._list = listed
        self._lock = threading.Lock()
        self._used: tuple[str, ...] = ()
        self._last: Listed | None = None
        self._finder: Searching | None = None
        self._paths: tuple[str, ...] = ()
        self._recent: tuple[str, ...] = ()
        self._stale = True
        self.notice = ""
        """Why the list is not what it should be, for the user."""

    @property
    def stale(self) -> bool:
        """True where `refresh` has something to do: at first, and after `expire`."""
        return self._stale

    @property
    def count(self) -> int:
        """How many paths there are to choose from."""
        return len(self._paths)

    def expire(self) -> None:
        """Files may have come and gone: after a turn, or a shell command."""
        self._stale = True

    def use(self, path: str) -> None:
        """This path was mentioned or changed: it ranks higher from the next `refresh` on."""
        self._used = (path, *(each for each in self._used if each != path))[:_RECENT]

    def refresh(self) -> bool:
        """List anew, if it is time to; True where the list is another one. Blocks."""
        with self._lock:
            if not self._stale:
                return False
            # Before the listing: what happens meanwhile makes it stale again.
            self._stale = False
            try:
                listed = self._list()
            except (KimicodeError, OSError) as error:
                self.notice = f"no files can be listed: {error}"
                return False
            paths = candidates(listed.files)
            self.notice = f"only the first {MOST:,} of {len(paths):,} paths are offered" if len(paths) > MOST else ""
            recent = tuple(dict.fromkeys([*self._used, *listed.changed]))[:_RECENT]
            if listed == self._last and recent == self._recent:
                return False
            self._last = listed
            self._paths, self._recent = paths[:MOST], recent
            self._finder = finder(self._paths, recent)
            return True

    def search(self, query: str, limit: int = 50, overtaken: Callable[[], bool] = lambda: False) -> tuple[Found, ...] | None:
        """See `Finder.search`. Quick, but not for a thread that answers keys."""
        return () if self._finder is None else self._finder.search(query.removeprefix("./"), limit, overtaken)


def candidates(files: Iterable[str]) -> tuple[str, ...]:
    """Sorted: the files that can be typed, and their folders with "/" behind them."""
    typed = [path for path in files if path.isprintable()]
    folders: set[str] = set()
    for folder in {path.rpartition("/")[0] for path in typed}:
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return tuple(sorted([*typed, *(f"{folder}/" for folder in folders)]))


def _by_git(root: Path, environ: Mapping[str, str]) -> Listed | None:
    """None where there is no git, or the workspace is a folder that its repository ignores."""
    repository = Repository.find(root, environ, bounds=_BOUNDS)
    if repository is None:
        return None
    way = root.relative_to(repository.work_tree.resolve()).as_posix()
    folder = "" if way == "." else way
    index = parse_listing(listing(repository, folder))
    new = others(repository, (folder,) if folder else ())
    tracked = [*(file.path for file in index.files), *index.unsure, *index.links, *index.submodules]
    found = dict.fromkeys(_below([*tracked, *new.files, *new.repositories], folder))
    if folder and not found:
        return None
    # What is tracked may be gone; asking for each file would cost more than naming one too many.
    differing = _below([*new.files, *changed(repository, (folder,) if folder else ())], folder)
    return Listed(tuple(found), tuple(differing[:_RECENT]))


def _below(paths: Sequence[str], folder: str) -> list[str]:
    return [path[len(folder) + 1 :] for path in paths] if folder else list(paths)
