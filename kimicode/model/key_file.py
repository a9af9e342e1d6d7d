"""Which endpoints have a key of their own, and the keys of those that are not in a keyring: `keys.toml`, beside the settings.

    ["moonshot"]
    in = "keyring"

    ["openrouter"]
    key = "sk-…"

The file says what is in the keyring too, so that a keyring is asked only for what is there: asking costs a process and may wait for a
person. Nobody but the user may read the file (mode 0600), otherwise it is refused: a key that others could read is to be replaced.
What this module does not do: talk to a keyring (`key_ring`), or decide which place comes first (`keys`).
"""

import json
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from platformdirs import user_config_path

from kimicode.errors import UnavailableError
from kimicode.files.atomic import replace_file
from kimicode.files.place import Place

_LARGEST: Final = 1 << 20
_HEAD: Final = "# Keys of endpoints. kimicode writes this file; nobody else may be able to read it.\n"


@dataclass(frozen=True)
class Entry:
    """What the file says of one endpoint. An empty `value` is one that the keyring has."""

    value: str = field(default="", repr=False)

    @property
    def in_keyring(self) -> bool:
        """Whether the key itself is in the keyring."""
        return not self.value


def keys_path(environ: Mapping[str, str]) -> Path:
    """Where the file is, or would be: beside the settings, whose place `kimicode.settings` decides in the same way."""
    chosen = environ.get("KIMICODE_CONFIG", "")
    folder = Path(chosen).absolute().parent if chosen else user_config_path("kimicode")
    return folder / "keys.toml"


def read_keys(path: Path) -> dict[str, Entry]:
    """What is stored, by endpoint; nothing where there is no file. Raises `UnavailableError` for one that others can read or that is
    damaged."""
    try:
        text = _private_text(path)
        tables = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # What a parser says of a damaged file may quote it.
        why = error.strerror if isinstance(error, OSError) else "it is no TOML"
        raise UnavailableError(
            f"can't read the keys in {path}: {why}", hint="Correct the file, or remove it and store them again."
        ) from None
    found: dict[str, Entry] = {}
    for endpoint, table in tables.items():
        match table:
            case {"key": str(value)} if value.strip():
                found[endpoint] = Entry(value.strip())
            case {"in": "keyring"}:
                found[endpoint] = Entry()
    return found


def write_keys(path: Path, entries: Mapping[str, Entry]) -> None:
    """Replace the file, or remove it where nothing is left to say. Raises `UnavailableError`."""
    # A JSON string of ASCII is a TOML string too.
    blocks = [
        f"[{json.dumps(endpoint)}]\n" + ('in = "keyring"\n' if entry.in_keyring else f"key = {json.dumps(entry.value)}\n")
        for endpoint, entry in sorted(entries.items())
    ]
    try:
        if blocks:
            place = path.resolve()
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(Place(place.parent, (place.name,)), "\n".join([_HEAD, *blocks]).encode(), mode=0o600)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise UnavailableError(
            f"can't write the keys in {path}: {error.strerror}", hint="Set KIMICODE_CONFIG to a file in a folder that you can write."
        ) from None


def _private_text(path: Path) -> str:
    # Not blocking: a pipe of this name must not hold up a start.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise UnavailableError(f"{path} is no file", hint="Move it away; kimicode keeps keys of endpoints there.")
        if facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            raise UnavailableError(
                f"the keys in {path} can be read by others, so they are not used",
                hint=f"Replace keys that others may have seen, and `chmod 600 {path}`.",
            )
        return file.read(_LARGEST).decode()
