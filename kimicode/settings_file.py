"""The user's settings file, changed a value at a time: comments, order and everything else stay as they are.

The new text must say what was meant and nothing else, and be settings that kimicode would start with, before it takes the old one's
place, atomically and with its mode. A file that is a link is changed where the link leads. What is broken already is left untouched.
What this module does not do: say what the settings mean (`kimicode.settings`), or apply them to what is running.
"""

import os
import stat
import tempfile
import tomllib
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from kimicode.errors import UsageError
from kimicode.files.atomic import replace_file
from kimicode.files.place import place_of
from kimicode.sandbox.rules import parse_rules
from kimicode.settings import load_settings

Value: TypeAlias = str | int | float | bool | Sequence[str] | None
Key: TypeAlias = tuple[str, ...]
"""A setting by its tables and its name: `("ui", "theme")`, `("model",)`."""

_Plain: TypeAlias = dict[str, object]
_NEW_MODE: Final = 0o600
_TRIES: Final = 3
_BY_HAND: Final = "Change it by hand, or move the file away."


def set_values(path: Path, values: Mapping[Key, Value]) -> None:
    """Set each of `values` in the file at `path`, which is made if it is missing; None removes one. Raises `UsageError`; then the file is
    as it was."""
    _change(path, lambda _: values)


def add_rule(path: Path, decision: str, rule: str) -> None:
    """Add a rule to `allow`, `ask` or `deny` of `[permissions]`, unless it is there. Raises `UsageError`; then the file is as it was."""

    def longer(now: _Plain) -> Mapping[Key, Value]:
        table = now.get("permissions")
        listed = table.get(decision) if isinstance(table, dict) else None
        rules = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        return {} if rule in rules else {("permissions", decision): (*rules, rule)}

    _change(path, longer)


def _change(path: Path, values_for: Callable[[_Plain], Mapping[Key, Value]]) -> None:
    for _ in range(_TRIES):
        try:
            real = path.resolve()
            mode, before = _read(real, path)
            text = _decoded(before, path)
            now = _parsed(text, path)
            values = values_for(now)
            after = _changed(text, now, values, path).encode()
            if after == before:
                return
            _check(after, path)
            if _read(real, path)[1] == before:
                replace_file(place_of(real), after, mode=mode)
                return
        except (OSError, RuntimeError, UnicodeEncodeError) as error:
            raise UsageError(f"can't change the settings in {path}: {getattr(error, 'strerror', None) or error}", hint=_BY_HAND) from error
    raise UsageError(f"can't change the settings in {path}: somebody else keeps changing them", hint="Try again.")


def _read(real: Path, path: Path) -> tuple[int, bytes]:
    """The mode and the bytes of the file, or those of a new one."""
    try:
        # Without waiting: a FIFO in its place must not hold anybody up.
        with open(os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UsageError(f"can't change the settings in {path}: that is no regular file", hint=_BY_HAND)
            return stat.S_IMODE(found.st_mode), file.read()
    except FileNotFoundError:
        return _NEW_MODE, b""


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"can't change the settings in {path}: {error}", hint=_BY_HAND) from error


def _parsed(text: str, path: Path) -> _Plain:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"can't change the settings in {path}: {error}", hint=_BY_HAND) from error


def _changed(text: str, now: _Plain, values: Mapping[Key, Value], path: Path) -> str:
    """The text with the values set. Raises `UsageError` where that would say anything else than was meant."""
    try:
        document = tomlkit.parse(text)
        for key, value in values.items():
            _put(document, key, value)
        after = tomlkit.dumps(document)
        said = tomllib.loads(after)
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, ValueError, KeyError) as error:
        raise UsageError(f"can't change the settings in {path}: {error}", hint=_BY_HAND) from error
    wanted = _copied(now)
    for key, value in values.items():
        _put(wanted, key, list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value)
    if _filled(said) != _filled(wanted):
        raise UsageError(f"can't change the settings in {path} without changing more than was asked for", hint=_BY_HAND)
    return after


def _put(table: MutableMapping[str, object], key: Key, value: Value) -> None:
    *tables, name = key
    for each in tables:
        if each not in table:
            if value is None:
                return
            table[each] = tomlkit.table() if isinstance(table, tomlkit.TOMLDocument) else {}
        below = table[each]
        if not isinstance(below, MutableMapping):
            raise TypeError(f"{each} is no table")
        table = cast("MutableMapping[str, object]", below)
    old = table.get(name)
    if value is None:
        table.pop(name, None)
    elif isinstance(old, Array) and isinstance(value, Sequence) and not isinstance(value, str):
        _fill(old, value)
    else:
        table[name] = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _fill(array: Array, values: Sequence[str]) -> None:
    """Make an array say `values`; what it says already stays where it is, with its comments."""
    kept = 0
    for value in values:
        if kept < len(array) and array[kept] == value:
            kept += 1
        else:
            break
    while len(array) > kept:
        array.pop()
    for value in values[kept:]:
        array.append(value)


def _copied(value: _Plain) -> _Plain:
    return {key: _copied(each) if isinstance(each, dict) else each for key, each in value.items()}


def _filled(value: _Plain) -> _Plain:
    """The settings without tables that hold nothing."""
    filled = {key: _filled(each) if isinstance(each, dict) else each for key, each in value.items()}
    return {key: each for key, each in filled.items() if each != {}}


def _check(data: bytes, path: Path) -> None:
    """`UsageError` where kimicode would not start with these settings."""
    with tempfile.TemporaryDirectory(prefix="kimicode-") as folder:
        trial = Path(folder) / "settings.toml"
        trial.write_bytes(data)
        try:
            permissions = load_settings({"KIMICODE_CONFIG": str(trial)}, {}).permissions
            parse_rules({"allow": permissions.allow, "ask": permissions.ask, "deny": permissions.deny}, str(trial))
        except UsageError as error:
            raise UsageError(error.message.replace(str(trial), str(path)), hint=error.hint) from error
