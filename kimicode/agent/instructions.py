"""Project instructions: the AGENTS.md files from the root of the project down to the working directory, as reference data.

The root is the git root, or the root of the file system outside of a repository. At most `LIMIT` bytes are read in all; where that
is not enough the file nearest to the working directory is kept first. A file counts only if it is a regular file with UTF-8 text,
owned by the user, by root or by the owner of the working directory (a file planted in a shared folder above is not). A symbolic link
must stay inside the repository, or outside of one inside its own folder. Nothing here ever blocks: FIFOs and devices are not read.
What this module does not do: decide where the text goes in the conversation (`opening` does: never into the system prompt).
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec

NAME = "AGENTS.md"
LIMIT = 32 * 1024


class Instruction(msgspec.Struct, frozen=True):
    """The text of one file, cut at the end where `cut` is true."""

    path: Path
    text: str
    cut: bool = False


class Instructions(msgspec.Struct, frozen=True):
    """What was found, root first, and why other files were left out."""

    files: tuple[Instruction, ...] = ()
    skipped: tuple[str, ...] = ()


def git_root(directory: Path) -> Path | None:
    """The nearest folder at or above `directory` that holds `.git` (a folder or, in a worktree, a file)."""
    return next((folder for folder in (directory, *directory.parents) if (folder / ".git").exists()), None)


def read_instructions(directory: Path, *, limit: int = LIMIT) -> Instructions:
    """The instructions that apply in `directory`."""
    directory = directory.resolve()
    repository = git_root(directory)
    owners = {0, os.geteuid(), directory.stat().st_uid}
    left = limit
    files: list[Instruction] = []
    skipped: list[str] = []
    for path in _candidates(directory, repository):
        if left <= 0:
            skipped.append(f"{path}: no room left in {limit} bytes")
            continue
        try:
            data, cut = _read(path, repository or path.parent, owners, left)
            files.append(Instruction(path, _text(data, cut), cut))
        except (OSError, ValueError) as error:
            skipped.append(f"{path}: {error}")
            continue
        left -= len(data)
    return Instructions(tuple(reversed(files)), tuple(reversed(skipped)))


def _candidates(directory: Path, last: Path | None) -> Iterator[Path]:
    """The existing AGENTS.md files, the nearest first."""
    for folder in (directory, *directory.parents):
        path = folder / NAME
        if os.path.lexists(path):
            yield path
        if folder == last:
            return


def _read(path: Path, bound: Path, owners: set[int], limit: int) -> tuple[bytes, bool]:
    real = Path(os.path.realpath(path, strict=True))
    if bound not in real.parents:
        raise ValueError(f"a link that leads out of {bound}")
    # O_NONBLOCK, because opening a FIFO without a writer would wait for ever.
    fd = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            raise ValueError("not a regular file")
        if info.st_uid not in owners:
            raise ValueError("owned by another user")
        data = file.read(limit + 1)
    return data[:limit], len(data) > limit


def _text(data: bytes, cut: bool) -> str:
    if b"\0" in data:
        raise ValueError("not text")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # A cut may go through the middle of the last character; anything else is not UTF-8.
        if cut and error.start >= len(data) - 3:
            return data[: error.start].decode("utf-8-sig")
        raise ValueError("not UTF-8 text") from error
