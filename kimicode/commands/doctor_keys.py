"""Words of `kimicode doctor` about keys that are stored: where they are, never what they are. A keyring is not asked.

What this module does not do: look at variables.
"""

from collections.abc import Mapping
from typing import assert_never

from kimicode.model.key_file import Entry, keys_path, read_keys
from kimicode.model.key_ring import switched_off
from kimicode.model.target import Target


def key_source(target: Target, environ: Mapping[str, str]) -> str:
    """Where the key of this target comes from, as the end of a sentence; empty where it has none."""
    match target.key_from:
        case "environment":
            return f"; its key is in {target.key_env}"
        case "keyring":
            return "; its key is in the system's keyring"
        case "file":
            return f"; its key is in {keys_path(environ)}"
        case "":
            return ""
        case where:
            assert_never(where)


def stored_keys(environ: Mapping[str, str]) -> str:
    """The endpoints that have a stored key, and what keeps each; empty without any. Raises `UnavailableError` for a file that can't be
    used."""
    entries = read_keys(keys_path(environ))
    return ", ".join(f"{name} ({_kept(entry, environ)})" for name, entry in entries.items())


def _kept(entry: Entry, environ: Mapping[str, str]) -> str:
    if not entry.in_keyring:
        return "file"
    return "keyring, which KIMICODE_NO_KEYRING switches off" if switched_off(environ) else "keyring"
