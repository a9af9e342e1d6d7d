"""Folders and files that only the user can look into, and names that survive a crash.

What this module does not do: change the mode of what exists already.
"""

import errno
import os
import secrets
from pathlib import Path


def make_private(folder: Path) -> None:
    """Make `folder` and its missing parents, 0700 each. Raises `OSError`."""
    # `Path.mkdir(parents=True)` would give the parents the default mode.
    if folder.is_dir():
        return
    make_private(folder.parent)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder") from error


def sync_folder(folder: Path) -> None:
    """Make sure that new names in `folder` survive a crash. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_private(path: Path, data: bytes) -> None:
    """Put `data` at `path`, mode 0600: whole, or not at all, whenever the machine stops. Missing folders are made. Raises `OSError`."""
    make_private(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
