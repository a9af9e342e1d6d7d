"""What a call of a tool is, in a verb and what it is about. Pure; copes with whatever a model sends as arguments.

What this module does not do: make text harmless, shorten, or look at what came of the call.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from kimicode.messages import JsonObject, JsonValue, ToolCall

_PATCHED: Final = re.compile(r"^(?:\*\*\* (?:Add|Update|Delete) File: |\+\+\+ (?:b/)?)(.+)$", re.MULTILINE)
_MOST_CHARS: Final = 2_000
LOOKS: Final = frozenset({"read", "grep", "glob", "git", "symbols", "map"})
"""Tools whose answers only the model needs: folded, they show nothing of it."""

CHANGES: Final = frozenset({"edit", "write", "patch"})
"""Tools that show what they changed."""


class Described(msgspec.Struct, frozen=True):
    """A call in words: `Read`, `src/a.py`, `from line 10`. `target` may have several lines (a command has)."""

    verb: str
    target: str = ""
    detail: str = ""


class PlanLine(msgspec.Struct, frozen=True):
    """An item of the model's plan. `status` is `pending`, `in_progress` or `done`, or what else the model made up."""

    text: str
    status: str


def describe(call: ToolCall) -> Described:
    """The call in words. Arguments that are no JSON object are shown as they are."""
    arguments = arguments_of(call)
    if arguments is None:
        return Described(_VERBS.get(call.name, call.name), call.arguments[:_MOST_CHARS], "arguments are not valid JSON")
    how = _HOW.get(call.name, _other)
    return Described(_VERBS.get(call.name, call.name), *how(arguments))


def is_ours(name: str) -> bool:
    """True for a tool that there are words for here."""
    return name in _HOW


def arguments_of(call: ToolCall) -> JsonObject | None:
    """The arguments, where they are a JSON object."""
    try:
        return msgspec.json.decode(call.arguments, type=dict)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def plan_of(call: ToolCall) -> tuple[PlanLine, ...]:
    """The plan that a `todo` call sends; what is no item is left out."""
    items = (arguments_of(call) or {}).get("items")
    found = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return tuple(PlanLine(_word(item, "text"), _word(item, "status")) for item in found)


def _word(arguments: Mapping[str, JsonValue], name: str) -> str:
    match arguments.get(name):
        case str(text):
            return text
        case None:
            return ""
        case list(values):
            return ", ".join(str(value) for value in values)
        case value:
            return str(value)


def _read(arguments: JsonObject) -> tuple[str, str]:
    first, most = _word(arguments, "offset"), _word(arguments, "limit")
    span = (f"from line {first}" if first else "") + (f"{', ' if first else ''}at most {most} lines" if most else "")
    return _word(arguments, "path"), span


def _edit(arguments: JsonObject) -> tuple[str, str]:
    edits = arguments.get("edits")
    more = len(edits) if isinstance(edits, list) else 0
    return _word(arguments, "path"), f"{more} edits" if more > 1 else "everywhere" if arguments.get("replace_all") is True else ""


def _path(arguments: JsonObject) -> tuple[str, str]:
    return _word(arguments, "path"), ""


def _patch(arguments: JsonObject) -> tuple[str, str]:
    paths = list(dict.fromkeys(path.strip() for path in _PATCHED.findall(_word(arguments, "patch"))))
    return ", ".join(paths[:3]), f"and {len(paths) - 3} more files" if len(paths) > 3 else ""


def _search(arguments: JsonObject) -> tuple[str, str]:
    places = [place for place in (_word(arguments, "path"), _word(arguments, "glob")) if place and place != "."]
    return _word(arguments, "pattern"), f"in {' '.join(places)}" if places else ""


def _git(arguments: JsonObject) -> tuple[str, str]:
    parts = [_word(arguments, name) for name in ("action", "revision", "path", "paths", "lines")]
    message = _word(arguments, "message").split("\n")[0]
    return " ".join(part for part in parts if part), message


def _symbols(arguments: JsonObject) -> tuple[str, str]:
    return _word(arguments, "query"), _word(arguments, "kind")


def _map(arguments: JsonObject) -> tuple[str, str]:
    return _word(arguments, "focus"), ""


def _shell(arguments: JsonObject) -> tuple[str, str]:
    limit = _word(arguments, "timeout_s")
    return _word(arguments, "command"), f"at most {limit} s" if limit else ""


def _todo(arguments: JsonObject) -> tuple[str, str]:
    items = arguments.get("items")
    states = [item.get("status") for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    return "", f"{states.count('done')} of {len(states)} done" if states else "empty"


def _other(arguments: JsonObject) -> tuple[str, str]:
    return ", ".join(f"{name}: {_word(arguments, name)}" for name in arguments)[:_MOST_CHARS], ""


_VERBS: Final[Mapping[str, str]] = {
    "read": "Read", "write": "Write", "edit": "Edit", "patch": "Patch", "grep": "Search", "glob": "Find",
    "git": "Git", "symbols": "Look up", "map": "Map", "shell": "Run", "todo": "Plan",
}  # fmt: skip
_HOW: Final[Mapping[str, Callable[[JsonObject], tuple[str, str]]]] = {
    "read": _read, "write": _path, "edit": _edit, "patch": _patch, "grep": _search, "glob": _search,
    "git": _git, "symbols": _symbols, "map": _map, "shell": _shell, "todo": _todo,
}  # fmt: skip
