"""Where a repository is, found by looking and never by asking git: what git reads to find out, an attacker may have written.

Only a `.git` counts, in the folder or above it: a bare repository that lies in a working tree is a trap more often than a repository.
A `.git` file must point to a folder that points back (a linked worktree, a submodule) or that lies below it. A `.git` of another user
is passed over. What this module does not do: run git, or read configuration beyond that one pointer.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

import msgspec

from kimicode.errors import UsageError

_POINTER_BYTES: Final = 4096
_CONFIG_BYTES: Final = 1 << 20
_HINT: Final = "kimicode reads no repository through it. `git worktree repair` sets the pointers of a worktree that was moved."


class Layout(msgspec.Struct, frozen=True):
    """The three folders of a repository, resolved. `git_dir` is this worktree's own, `common_dir` what all worktrees share."""

    work_tree: Path
    git_dir: Path
    common_dir: Path


def find_layout(path: Path) -> Layout | None:
    """The repository that `path` lies in, or None. Raises `UsageError` where a `.git` is there that leads somewhere else, `OSError`."""
    start = path.resolve()
    users = {0, os.geteuid(), start.stat().st_uid}
    for folder in (start, *start.parents):
        entry = folder / ".git"
        try:
            found = entry.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        layout = _layout(folder, entry, found.st_mode) if found.st_uid in users else None
        if layout is not None:
            return layout
    return None


def _layout(folder: Path, entry: Path, mode: int) -> Layout | None:
    if stat.S_ISDIR(mode):
        return Layout(folder, entry, entry) if _is_repository(entry, entry) else None
    if stat.S_ISREG(mode):
        return _pointed(folder, entry)
    raise UsageError(f"{entry} is neither a folder nor a file but a link or device", hint=_HINT)


def _pointed(folder: Path, entry: Path) -> Layout:
    text = _line(entry)
    if not text.startswith("gitdir: "):
        raise UsageError(f"{entry} is no pointer to a repository", hint=_HINT)
    git_dir = (folder / text.removeprefix("gitdir: ")).resolve()
    common_dir = _shared(git_dir, entry) or git_dir
    own = common_dir != git_dir or git_dir.is_relative_to(folder) or _configured_work_tree(git_dir) == folder
    if not own or not _is_repository(git_dir, common_dir):
        raise UsageError(f"{entry} points to {git_dir}, which does not point back", hint=_HINT)
    return Layout(folder, git_dir, common_dir)


def _shared(git_dir: Path, entry: Path) -> Path | None:
    """The repository whose linked worktree `git_dir` is, where it says so itself and belongs to `entry`."""
    back, common = _line(git_dir / "gitdir"), _line(git_dir / "commondir")
    if not back or not common or (git_dir / back).resolve() != entry:
        return None
    common_dir = (git_dir / common).resolve()
    return common_dir if git_dir.parent == common_dir / "worktrees" else None


def _is_repository(git_dir: Path, common_dir: Path) -> bool:
    return os.path.lexists(git_dir / "HEAD") and (common_dir / "objects").is_dir() and (common_dir / "refs").is_dir()


def _configured_work_tree(git_dir: Path) -> Path | None:
    """`core.worktree` of a submodule's repository, without includes and what else a configuration can do."""
    section = ""
    for line in _read(git_dir / "config", _CONFIG_BYTES).splitlines():
        if header := re.match(r"\s*\[([^\]]*)\]", line):
            section = header[1].strip().lower()
        elif section == "core" and (found := re.fullmatch(r'\s*worktree\s*=\s*"?([^"#;]*?)"?\s*', line, re.IGNORECASE)):
            return (git_dir / found[1]).resolve()
    return None


def _line(path: Path) -> str:
    return _read(path, _POINTER_BYTES).rstrip("\r\n")


def _read(path: Path, limit: int) -> str:
    """The text of a regular file, "" where there is none or where it is too long to be one of git's own."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        data = file.read(limit + 1)
    return os.fsdecode(data) if len(data) <= limit else ""
