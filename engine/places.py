"""Where the engines of this user keep their sockets, logs, locks and process ids (one private folder, one name a model file), and what
they have computed.

The folder is `$XDG_RUNTIME_DIR/kimicode` where that is the user's own, else `$KIMICODE_HOME/run`, else `run` in the user's data folder;
one in the temporary folder where a socket's path would get too long (108 bytes on Linux, 104 elsewhere). Every program that starts
an engine must follow this same rule, or a model is loaded twice.
What this module does not do: start or ask an engine.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path, user_data_path

from engine.errors import EngineError

LONGEST_SOCKET_PATH: Final = 100
_NAME_DIGITS: Final = 16


@dataclass(frozen=True)
class Places:
    """The files of one engine. Starters hold `lock` while they start one; an engine holds `pid` locked as long as it lives."""

    socket: Path

    @property
    def lock(self) -> Path:
        """Locked by whoever is starting the engine."""
        return self.socket.with_suffix(".lock")

    @property
    def log(self) -> Path:
        """What a detached engine writes."""
        return self.socket.with_suffix(".log")

    @property
    def pid(self) -> Path:
        """The engine's process id and model file, a line each; locked by it."""
        return self.socket.with_suffix(".pid")


def of_model(model: Path, environ: Mapping[str, str]) -> Places:
    """The places for a model file; links to one file have the same. Makes the folder. Raises `EngineError` if it can't be used."""
    name = hashlib.sha256(os.fsencode(os.path.realpath(model))).hexdigest()[:_NAME_DIGITS]
    folder = run_folder(environ)
    make_private(folder)
    return Places(folder / f"{name}.sock")


def run_folder(environ: Mapping[str, str]) -> Path:
    """The folder; it need not exist."""
    folder = _wanted_folder(environ)
    longest = folder / f"{'0' * _NAME_DIGITS}.sock"
    if len(os.fsencode(longest)) > LONGEST_SOCKET_PATH:
        return Path(tempfile.gettempdir()) / f"kimicode-{os.getuid()}"
    return folder


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where saved cells go: `cache/kv` in `$KIMICODE_HOME`, else `kv` in the user's cache folder. It need not exist."""
    home = environ.get("KIMICODE_HOME", "")
    return Path(home).absolute() / "cache" / "kv" if home else user_cache_path("kimicode") / "kv"


def make_private(folder: Path) -> None:
    """Make `folder`, for the user alone: whoever can write there can pose as the engine. Raises `EngineError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise EngineError(f"{folder} belongs to someone else: remove it, or set KIMICODE_HOME to a folder of your own")
        if stat.S_IMODE(facts.st_mode) != 0o700:
            folder.chmod(0o700)
    except OSError as error:
        raise EngineError(
            f"can't use {folder} for the engine's files: {error.strerror}; set KIMICODE_HOME to a folder you can write"
        ) from None


def _wanted_folder(environ: Mapping[str, str]) -> Path:
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isabs(runtime) and _is_ours(Path(runtime)):
        return Path(runtime) / "kimicode"
    home = environ.get("KIMICODE_HOME", "")
    return (Path(home).absolute() if home else user_data_path("kimicode")) / "run"


def _is_ours(folder: Path) -> bool:
    # Under sudo the variable may still name the other user's folder.
    try:
        return folder.stat().st_uid == os.getuid() and os.access(folder, os.W_OK)
    except OSError:
        return False
