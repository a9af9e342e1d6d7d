"""Where the engine's daemons keep their sockets, locks and logs: one private folder, one name a model file.

The folder is `$XDG_RUNTIME_DIR/kimicode`, else `$KIMICODE_HOME/run`, else `run` in the user's data folder; mode 0700 and the user's
own, since whoever can write there can pose as the engine. A Unix socket's path must be short (108 bytes on Linux, 104 elsewhere);
where it would not be, the folder is one in the system's temporary folder.
What this module does not do: start or talk to a daemon.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kimicode.errors import UnavailableError
from kimicode.home import kimicode_home

_LONGEST_SOCKET_PATH = 100


class RunPaths(NamedTuple):
    """The files of one model file's daemon."""

    socket: Path
    lock: Path
    log: Path


def run_paths(model_file: str, environ: Mapping[str, str]) -> RunPaths:
    """The paths for a model file; links to one file give the same paths. Makes the folder.

    Raises `UnavailableError` if it can't be used.
    """
    name = hashlib.sha256(os.fsencode(os.path.realpath(model_file))).hexdigest()[:16]
    folder = _folder(environ)
    if len(os.fsencode(folder / f"{name}.sock")) > _LONGEST_SOCKET_PATH:
        folder = Path(tempfile.gettempdir()) / f"kimicode-{os.getuid()}"
    _make_private(folder)
    return RunPaths(folder / f"{name}.sock", folder / f"{name}.lock", folder / f"{name}.log")


def _folder(environ: Mapping[str, str]) -> Path:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and _is_ours(Path(runtime)):
        return Path(runtime) / "kimicode"
    return kimicode_home(environ) / "run"


def _is_ours(folder: Path) -> bool:
    # Under sudo the variable may still name the other user's folder.
    try:
        return folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except OSError:
        return False


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise UnavailableError(f"{folder} belongs to someone else", hint="Remove it, or set KIMICODE_HOME to a folder of your own.")
        if stat.S_IMODE(facts.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise UnavailableError(
            f"can't use {folder} for the engine's socket: {error.strerror}", hint="Set KIMICODE_HOME to a folder you can write."
        ) from None
