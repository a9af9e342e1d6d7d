"""The key of an endpoint: from its environment variable, else from the system's keyring, else from a private file.

    key_for("moonshot", row, environ)               # Key('…', "keyring"); Key("", "") where there is none
    store_key("moonshot", value, "keyring", environ)   # where it went, in words
    places(environ)                                 # ("keyring", "file"): what can keep a key here

An environment variable that is set comes first, and then nothing else is looked at: such a run starts no process and loads no library
for keys. The keyring is asked only for endpoints whose key was put there by `store_key` (`key_file` says which). A key is in no `repr`, no
error and no log; whoever holds one passes it to the HTTP client and nowhere else. What this module does not do: check a key with its
endpoint (`probe` does).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, assert_never

from kimicode.errors import UnavailableError, UsageError
from kimicode.model.catalogue import EndpointRow
from kimicode.model.key_file import Entry, keys_path, read_keys, write_keys
from kimicode.model.key_ring import KeyRing, switched_off

KeyPlace: TypeAlias = Literal["keyring", "file"]
KeyFrom: TypeAlias = Literal["environment", "keyring", "file", ""]


@dataclass(frozen=True)
class Key:
    """A key, and where it comes from; both empty where there is none."""

    value: str = field(default="", repr=False)
    where: KeyFrom = ""


def key_variable(row: EndpointRow, environ: Mapping[str, str]) -> str:
    """The variable that holds a key for this row, "" where none of them does."""
    return next((variable for variable in row.key_env if environ.get(variable, "").strip()), "")


def key_from(endpoint: str, row: EndpointRow, environ: Mapping[str, str]) -> KeyFrom:
    """Where a key would come from, without taking it. `endpoint` is the row's name, or the address of a server that has no row.

    Raises `UnavailableError` where the file of keys can't be used.
    """
    if not row.key_env:
        return ""
    if key_variable(row, environ):
        return "environment"
    entry = read_keys(keys_path(environ)).get(endpoint)
    if entry is None or (entry.in_keyring and switched_off(environ)):
        return ""
    return "keyring" if entry.in_keyring else "file"


def key_for(endpoint: str, row: EndpointRow, environ: Mapping[str, str], *, ring: KeyRing | None = None) -> Key:
    """The key itself. Blocks while the keyring is asked. Raises `UnavailableError` where a key can't be had from where it is, or can't be
    a key."""
    where = key_from(endpoint, row, environ)
    match where:
        case "":
            return Key()
        case "environment":
            variable = key_variable(row, environ)
            return Key(_sound(environ[variable].strip(), variable), where)
        case "file":
            return Key(_sound(read_keys(keys_path(environ))[endpoint].value, str(keys_path(environ))), where)
        case "keyring":
            reply = (ring or KeyRing(environ)).get(endpoint)
            if not reply.ok:
                raise UnavailableError(f"the key of {endpoint} can't be had from the keyring: {reply.why}", hint=advice(row))
            return Key(_sound(reply.found.strip(), "the keyring"), where)
        case _:
            assert_never(where)


def store_key(endpoint: str, value: str, where: KeyPlace, environ: Mapping[str, str], *, ring: KeyRing | None = None) -> str:
    """Keep a key; where it went, in words. An older one of this endpoint is forgotten.

    Raises `UsageError` for what can't be a key, `UnavailableError` where it can't be kept there.
    """
    value = value.strip()
    if not value or not _can_be_key(value):
        raise UsageError("that can't be a key: it is empty, or holds spaces or characters that no key has", hint="Copy it again.")
    path, ring = keys_path(environ), ring or KeyRing(environ)
    entries = read_keys(path)
    match where:
        case "keyring":
            reply = ring.set(endpoint, value)
            if not reply.ok:
                raise UnavailableError(f"the keyring did not take the key: {reply.why}", hint=f"It can be kept in {path} instead.")
            write_keys(path, {**entries, endpoint: Entry()})
            return f"The key of {endpoint} is in the keyring of this system, under kimicode."
        case "file":
            write_keys(path, {**entries, endpoint: Entry(value)})
            if endpoint in entries and entries[endpoint].in_keyring:
                ring.forget(endpoint)
            return f"The key of {endpoint} is in {path}, which only you can read."
        case _:
            assert_never(where)


def forget_key(endpoint: str, environ: Mapping[str, str], *, ring: KeyRing | None = None) -> str:
    """Keep the key of an endpoint no longer; what was done, in words. Raises `UnavailableError`."""
    path = keys_path(environ)
    entries = read_keys(path)
    entry = entries.pop(endpoint, None)
    if entry is None:
        return f"No key of {endpoint} is stored."
    if entry.in_keyring:
        reply = (ring or KeyRing(environ)).forget(endpoint)
        if not reply.ok:
            raise UnavailableError(f"the key of {endpoint} is still in the keyring: {reply.why}", hint="Remove it there, under kimicode.")
    write_keys(path, entries)
    return f"The key of {endpoint} is forgotten."


def places(environ: Mapping[str, str], *, ring: KeyRing | None = None) -> tuple[KeyPlace, ...]:
    """What can keep a key here, the better one first. Blocks for at most a few seconds."""
    return ("keyring", "file") if (ring or KeyRing(environ)).look().ok else ("file",)


def advice(row: EndpointRow) -> str:
    """How to give this endpoint a key: the next step for somebody who has none that works."""
    return f"Set {' or '.join(row.key_env)} to your key for {row.title}, or store one: /setup in `kimicode`."


def _sound(value: str, where: str) -> str:
    if not _can_be_key(value):
        raise UnavailableError(f"{where} holds characters that no key has", hint="Copy the key again; a line break or quote may be in it.")
    return value


def _can_be_key(value: str) -> bool:
    return value.isascii() and value.isprintable() and " " not in value
