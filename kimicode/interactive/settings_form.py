"""The settings as a form, made from their own schema: types, defaults, choices and help texts come from `kimicode.settings`.

    form = form_of(settings)
    changes = changes_in(form, answers)            # {("ui", "theme"): "dark"}: what `settings_file.set_values` writes
    settings = with_changes(settings, changes)

What this module does not do: write a file, or know what a setting means. Lists of tables (`[[review.ignore]]`) are left to the file.
"""

import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from kimicode.errors import UsageError
from kimicode.interactive.person import Field, Form
from kimicode.settings import Settings
from kimicode.settings_file import Key, Value

_GENERAL: Final = "General"
_HELP: Final[Mapping[str, str]] = {
    "model": "A name of `kimicode models list`, or a GGUF file. Empty: the usual one.",
    "endpoint": "A name of `kimicode models list`, or a URL. Empty: the first that serves the model and has a key.",
    "permission": "What tools may do. Empty: the most that a sandbox can hold here.",
    "thinking": "Whether the model thinks first; `keep` sends its thoughts of earlier turns back.",
    "max_steps": "Most model calls of one run.",
    "max_tokens": "Most tokens of one run. Empty: no limit.",
    "max_seconds": "Longest time of one run. Empty: no limit.",
    "max_cost": "Most money of one run, in USD. Empty: no limit.",
    "permissions.allow": "Rules for what runs without asking, such as shell(git log *) or host(pypi.org).",
    "permissions.ask": "Rules for what is always asked about.",
    "permissions.deny": "Rules for what is never done; they win over all others.",
    "permissions.commands": "`known`: ask about every command that is not known to only read, though the sandbox holds it.",
    "sandbox.tier": "What holds commands; `auto` takes the best that works here.",
    "sandbox.network": "`rules`: only hosts that a rule allows; `all`: every host.",
    "sandbox.memory_gib": "Most memory of one command. Empty: what suits the machine.",
    "sandbox.processes": "Most processes of one command. Empty: what suits the machine.",
    "sandbox.file_gib": "Largest file that a command may write. Empty: what suits the machine.",
    "review.strict": "What could not be reviewed blocks, too.",
    "review.max_file_kib": "Larger files are not reviewed.",
    "ui.keys": "How the prompt is edited.",
    "ui.mouse": "Whether the mouse is used; off leaves it to the terminal.",
    "ui.title": "Whether the window's title says what goes on.",
    "ui.panel": "The side panel; `auto` shows it where there is room.",
}
_SENTENCE: Final = re.compile(r"(?<=[.;])\s+")
_ITEM: Final = re.compile(r"[^\s,\[\]\"][^,\[\]\"]*(?<!\s)|[^\s,\[\]\"]")
_YES: Final = ("on", "off")


class _Spot(msgspec.Struct, frozen=True):
    """One setting: where it is, of which type, and what the schema says of it."""

    key: Key
    kind: object
    value: object
    default: object
    help: str


def form_of(settings: Settings) -> Form:
    """All settings that a line can hold, in the order of the schema."""
    groups: dict[str, list[Field]] = {}
    for spot in _spots(settings):
        title = _GENERAL if len(spot.key) == 1 else spot.key[0]
        groups.setdefault(title, []).append(_field(spot))
    return Form("Settings", tuple((title, tuple(fields)) for title, fields in groups.items()))


def changes_in(settings: Settings, answers: Mapping[str, str]) -> dict[Key, Value]:
    """What is other in the answers than in the settings; None for what goes back to its default. Raises `UsageError`."""
    changes: dict[Key, Value] = {}
    for spot in _spots(settings):
        text = answers.get(".".join(spot.key))
        if text is None or text.strip() == _shown(spot.value, spot.kind):
            continue
        value = _read(text.strip(), spot)
        if value != spot.value:
            changes[spot.key] = None if value is None else _plain(value)
    return changes


def with_changes(settings: Settings, changes: Mapping[Key, Value]) -> Settings:
    """The settings after them. Raises `UsageError`."""
    plain = msgspec.to_builtins(settings)
    defaults = msgspec.to_builtins(Settings())
    for key, value in changes.items():
        table, default = plain, defaults
        for name in key[:-1]:
            table, default = table[name], default[name]
        table[key[-1]] = default[key[-1]] if value is None else value
    try:
        return msgspec.convert(plain, Settings)
    except msgspec.ValidationError as error:
        raise UsageError(f"that can't be a setting: {error}") from None


def _spots(settings: Settings) -> Iterator[_Spot]:
    yield from _of(settings, Settings(), ())


def _of(values: msgspec.Struct, defaults: msgspec.Struct, above: Key) -> Iterator[_Spot]:
    kinds = get_type_hints(type(values))
    tables = []
    for name in values.__struct_fields__:
        value: object = getattr(values, name)
        default: object = getattr(defaults, name)
        if isinstance(value, msgspec.Struct) and isinstance(default, msgspec.Struct):
            tables.append((value, default, (*above, name)))
        elif not _holds_tables(kinds[name]):
            help_text = _HELP.get(".".join((*above, name))) or _about(type(values), name)
            yield _Spot((*above, name), kinds[name], value, default, help_text)
    for value, default, key in tables:
        yield from _of(value, default, key)


def _holds_tables(kind: object) -> bool:
    return any(isinstance(part, type) and issubclass(part, msgspec.Struct) for part in get_args(kind))


def _about(struct: type, name: str) -> str:
    """The sentences of a docstring that name the field."""
    words = " ".join((struct.__doc__ or "").split())
    return " ".join(part for part in _SENTENCE.split(words) if f"`{name}`" in part).rstrip(";")


def _field(spot: _Spot) -> Field:
    name = ".".join(spot.key)
    optional = type(None) in get_args(spot.kind)
    choices = _YES if spot.kind is bool else (*(("",) if optional and _choices(spot.kind) else ()), *_choices(spot.kind))

    def check(text: str) -> str:
        try:
            _read(text.strip(), spot)
        except UsageError as error:
            return error.message
        return ""

    default = _shown(spot.default, spot.kind)
    hint = f"{spot.help} Default: {default or 'empty'}.".strip()
    return Field(name, spot.key[-1].replace("_", " "), _shown(spot.value, spot.kind), hint, choices, check=check)


def _choices(kind: object) -> tuple[str, ...]:
    if get_origin(kind) is Literal:
        return tuple(map(str, get_args(kind)))
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(choice for part in get_args(kind) for choice in _choices(part))
    return ()


def _is_list(kind: object) -> bool:
    return get_origin(kind) is tuple


def _shown(value: object, kind: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:.15g}" if float(f"{value:.15g}") == value else repr(value)
        case tuple():
            items = [str(item) for item in value]
            return ", ".join(items) if all(map(_ITEM.fullmatch, items)) else json.dumps(items, ensure_ascii=False)
        case str() if value != value.strip() or value.startswith('"') or "\n" in value or (not value and type(None) in get_args(kind)):
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _read(text: str, spot: _Spot) -> object:
    """The value that the text says. Raises `UsageError`."""
    kind = spot.kind
    if not text and type(None) in get_args(kind):
        return None
    if kind is bool:
        if text not in _YES:
            raise UsageError(f"{text!r} is neither on nor off")
        return text == "on"
    value: object = _list(text) if _is_list(kind) else _string(text) if text.startswith('"') else text
    try:
        converted: object = msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        choices = _choices(kind)
        raise UsageError(f"choose one of: {', '.join(choices)}" if choices else str(error)) from None
    # As `settings.load_settings` wants it; and no setting is below zero.
    least_above = len(spot.key) == 1
    if isinstance(converted, int | float) and (not converted >= 0 or converted == float("inf") or (least_above and converted == 0)):
        raise UsageError("it must be above zero" if least_above else "it can't be below zero")
    return converted


def _list(text: str) -> list[str]:
    if not text.startswith("["):
        return [item.strip() for item in text.split(",") if item.strip()]
    try:
        return msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise UsageError('write items with commas between them, or as ["one", "two"]') from None


def _string(text: str) -> str:
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise UsageError('a text that begins with " ends with it') from None


def _plain(value: object) -> Value:
    match value:
        case bool() | int() | float() | str():
            return value
        case tuple():
            return [str(item) for item in value]
        case _:
            raise UsageError(f"{value!r} can't be written")
