"""A repository's own rules, and whether the user trusted exactly these bytes.

A repository may bring `.kimicode/settings.toml` with `[permissions]` (allow, ask, deny) and `[sandbox]` (hosts), and nothing else: no
model, no endpoint, no mode. Its executable configuration is that file; trust is the SHA-256 of its name and content, kept for the
workspace's real path in the user's own data folder. One changed byte, after a pull for instance, and it is untrusted again. An untrusted
file can only restrict: its deny rules count, the rest does not. What this module does not do: ask, or apply the rules (`verdict`).
"""

import hashlib
import os
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from kimicode.errors import UsageError
from kimicode.files.atomic import replace_file
from kimicode.files.locks import LockTimeout, locked
from kimicode.files.place import Place, open_file, place_of
from kimicode.sandbox.hosts import parse_hosts
from kimicode.sandbox.rules import Decision, Rules, parse_rules

REPOSITORY_FILE: Final = (".kimicode", "settings.toml")
MAX_BYTES: Final = 64 * 1024
"""Longest file of a repository that is read, and longest list of trusted workspaces times 64."""

_STORE_BYTES: Final = 64 * MAX_BYTES
_LOCK_WAIT_S: Final = 5.0
_SECTIONS: Final = {"permissions": ("allow", "ask", "deny"), "sandbox": ("hosts",)}


class RepositoryRules(msgspec.Struct, frozen=True):
    """What a repository's file asks for. `hosts` are patterns as `hosts.parse_hosts` takes them."""

    rules: Rules = Rules()
    hosts: tuple[str, ...] = ()


class Absent(msgspec.Struct, frozen=True):
    """The repository brings no rules."""


class Trusted(msgspec.Struct, frozen=True):
    """The user trusted these bytes."""

    rules: RepositoryRules
    digest: str
    files: tuple[str, ...]


class Untrusted(msgspec.Struct, frozen=True):
    """Nobody trusted these bytes. `rules` are the deny rules; `problem` says why the list of trusted workspaces could not be used."""

    digest: str
    files: tuple[str, ...]
    rules: RepositoryRules
    problem: str = ""


Found: TypeAlias = Absent | Trusted | Untrusted


class TrustStore(msgspec.Struct, frozen=True):
    """The list of trusted workspaces: `trust.json` in the folder of kimicode's data."""

    home: Path

    @property
    def path(self) -> Path:
        """The file. It need not exist."""
        return self.home / "trust.json"


class _Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int = 1
    workspaces: dict[str, str] = {}


def read_repository_rules(workspace: Path, store: TrustStore) -> Found:
    """The rules that the repository brings, and whether they are trusted.

    Raises `UsageError` where the file can't be read safely (a link, no regular file, too long) or is wrong; nothing of it applies then.
    """
    data = _repository_file(workspace)
    if data is None:
        return Absent()
    digest, files = _digest(data), ("/".join(REPOSITORY_FILE),)
    asked = _parse(data, workspace.joinpath(*REPOSITORY_FILE))
    try:
        trusted = _load(store).workspaces.get(str(workspace.resolve())) == digest
        problem = ""
    except UsageError as error:
        trusted, problem = False, str(error)
    if trusted:
        return Trusted(asked, digest, files)
    return Untrusted(digest, files, RepositoryRules(asked.rules.only(Decision.DENY)), problem)


def trust(workspace: Path, store: TrustStore, digest: str) -> None:
    """Trust the bytes whose digest the user was shown. Raises `UsageError` where they are others by now, or the list can't be kept."""
    data = _repository_file(workspace)
    if data is None:
        raise UsageError(f"{workspace} has no {'/'.join(REPOSITORY_FILE)}", hint="There is nothing to trust.")
    if _digest(data) != digest:
        raise UsageError(f"{workspace}: {'/'.join(REPOSITORY_FILE)} has changed meanwhile", hint="Look at it again, and then trust it.")
    with _changing(store):
        known = _load(store)
        _save(store, {**known.workspaces, str(workspace.resolve()): digest})


def revoke(workspace: Path, store: TrustStore) -> bool:
    """Trust the workspace no longer. False where it was not trusted. Raises `UsageError`."""
    with _changing(store):
        known = _load(store)
        name = str(workspace.resolve())
        if name not in known.workspaces:
            return False
        _save(store, {path: digest for path, digest in known.workspaces.items() if path != name})
        return True


# The repository's file.


def _repository_file(workspace: Path) -> bytes | None:
    place = place_of(workspace.resolve())
    return _read(Place(place.root, (*place.parts, *REPOSITORY_FILE)), MAX_BYTES)


def _read(place: Place, limit: int) -> bytes | None:
    """The whole regular file, None where there is none. Never follows a link below the workspace, and never waits for a FIFO."""
    try:
        with open(open_file(place), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"{place.path} is no regular file", hint="Remove it, or put a file there.")
            data = file.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        hint = "It is not followed where it or its folder is a symbolic link. Replace the link by what it leads to, or remove it."
        raise UsageError(f"can't read {place.path}: {error.strerror}", hint=hint) from error
    if len(data) > limit:
        raise UsageError(f"{place.path} is longer than {limit} bytes", hint="Shorten it.")
    return data


def _digest(data: bytes) -> str:
    """Over name and content, each with its length, so that no two sets of files look the same."""
    seen = hashlib.sha256()
    for piece in ("/".join(REPOSITORY_FILE).encode(), data):
        seen.update(len(piece).to_bytes(8, "big") + piece)
    return seen.hexdigest()


def _parse(data: bytes, path: Path) -> RepositoryRules:
    try:
        content = tomllib.loads(data.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"can't read {path}: {error}", hint="Correct the file, or remove it.") from error
    lists: dict[str, list[str]] = {}
    for section, table in content.items():
        if section not in _SECTIONS or not isinstance(table, dict):
            raise UsageError(f"{path}: a repository can't set {section!r}", hint="It may have [permissions] and [sandbox] only.")
        for key, value in table.items():
            if key not in _SECTIONS[section]:
                hint = f"[{section}] may have: {', '.join(_SECTIONS[section])}."
                raise UsageError(f"{path}: a repository can't set {section}.{key}", hint=hint)
            if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
                raise UsageError(f"{path}: {section}.{key} must be a list of strings", hint='Write one like ["shell(npm test)"].')
            lists[key] = value
    hosts = tuple(lists.pop("hosts", []))
    try:
        parse_hosts(hosts)
    except UsageError as error:
        raise UsageError(f"{path}: sandbox.hosts: {error.message}", hint=error.hint) from None
    return RepositoryRules(parse_rules(lists, str(path)), hosts)


# The list of trusted workspaces.


def _load(store: TrustStore) -> _Trust:
    data = _read(place_of(store.path.absolute().parent.resolve()).child(store.path.name), _STORE_BYTES)
    if data is None:
        return _Trust()
    hint = "Nothing is trusted until you correct the file or move it away."
    try:
        known = msgspec.json.decode(data, type=_Trust)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"can't read the list of trusted workspaces in {store.path}: {error}", hint=hint) from error
    if known.version != 1:
        raise UsageError(f"{store.path} is of version {known.version}, which this kimicode does not know", hint=hint)
    return known


def _save(store: TrustStore, workspaces: dict[str, str]) -> None:
    place = place_of(store.path.parent.resolve()).child(store.path.name)
    replace_file(place, msgspec.json.format(msgspec.json.encode(_Trust(1, workspaces))) + b"\n", mode=0o600)


@contextmanager
def _changing(store: TrustStore) -> Iterator[None]:
    try:
        store.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = place_of(store.home.resolve()).child(store.path.name)
        with locked([place], folder=store.home / "locks", timeout_s=_LOCK_WAIT_S):
            yield
    except LockTimeout as error:
        raise UsageError(str(error), hint="Try again when the other kimicode is done.") from error
    except OSError as error:
        raise UsageError(
            f"can't keep the list of trusted workspaces in {store.path}: {error.strerror}", hint="See that it is writable."
        ) from error
