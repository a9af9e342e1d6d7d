"""A file replaced whole or not at all.

The new content goes to a temporary file in the same folder, is synced, and takes the old one's name; then the folder is synced. A reader
sees the old file or the new one, a full disk leaves the old one and nothing else. Mode and owner of the old file are kept; what else may
hang on it (access lists, extended attributes, hard links) is not. A process that is killed may leave its temporary file: `is_temporary`
knows them by name, and `transaction.recover` removes those made within a transaction.
What this module does not do: lock (`locks`), or change several files as one (`transaction`).
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import Final

from kimicode.files.place import Place, open_parent, sync_folder

_PREFIX: Final = ".kimicode-"
_SUFFIX: Final = ".tmp"
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def temporary_name() -> str:
    """A name that no other file has, for a file beside the one it will replace."""
    return f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"


def is_temporary(name: str) -> bool:
    """True for the names that `temporary_name` gives."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def replace_file(place: Place, data: bytes, *, mode: int | None = None) -> None:
    """Put `data` at `place`, with missing folders. `mode` None keeps the old file's, or takes the umask's.

    A link at `place` is replaced, not followed. Raises `OSError`; then the old file is as it was.
    """
    with open_parent(place, create=True) as folder:
        temporary = temporary_name()
        with _gone_on_failure(folder, temporary):
            write_new(folder, temporary, data, like=_regular(folder, place.name), mode=mode)
            os.replace(temporary, place.name, src_dir_fd=folder, dst_dir_fd=folder)
        # The new file is there, whatever the disk says now.
        with contextlib.suppress(OSError):
            sync_folder(folder)


def write_new(folder: int, name: str, data: bytes, *, like: os.stat_result | None = None, mode: int | None = None) -> None:
    """A new file in an open folder, synced, with the owner of `like` and `mode`, or else the mode of `like`. Raises `OSError`.

    A failure may leave the file; the caller, who chose the name, removes it.
    """
    wanted = mode if mode is not None else stat.S_IMODE(like.st_mode) if like is not None else None
    # Until owner and mode are right nobody else may look: the old file may be a secret. Without an old one the umask decides.
    descriptor = os.open(name, _NEW, 0o666 if wanted is None else 0o600, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        owned = like is None or _keep_owner(descriptor, like)
        if wanted is not None:
            # Set-user-ID must not change whose rights it lends.
            os.fchmod(descriptor, wanted if owned else wanted & 0o777)
        os.fsync(descriptor)


def _keep_owner(descriptor: int, like: os.stat_result) -> bool:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) == (like.st_uid, like.st_gid):
        return True
    try:
        os.fchown(descriptor, like.st_uid, like.st_gid)
    except PermissionError:
        return False
    return True


def _regular(folder: int, name: str) -> os.stat_result | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return found if stat.S_ISREG(found.st_mode) else None


@contextlib.contextmanager
def _gone_on_failure(folder: int, name: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        raise
