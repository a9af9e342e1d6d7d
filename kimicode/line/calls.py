"""What a call of a tool sounds like: `read src/a.py`, `shell: npm test`, and in a word what came of it.

A call's arguments are the model's own text and may be anything. What this module does not do: judge a call.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.interactive.view.blocks import Block, Called
from kimicode.line.words import count, flat
from kimicode.messages import JsonObject, ToolCall

_LONGEST: Final = 300

_SUBJECT: Final = {
    "read": "path",
    "write": "path",
    "edit": "path",
    "grep": "pattern",
    "glob": "pattern",
    "symbols": "query",
    "shell": "command",
    "git": "action",
    "ask": "question",
}
"""The argument that says what a call is about."""

_QUIET: Final = frozenset({"read", "write", "edit", "patch", "grep", "glob", "symbols", "map", "todo"})
"""Tools that are done in a moment: they are spoken of once, when they are."""

_COUNTED: Final = {"read": "line", "grep": "line", "glob": "line", "symbols": "line", "map": "line"}


def title(call: ToolCall) -> str:
    """The tool and what it is about, on one line."""
    return _title(call).rstrip()


def _title(call: ToolCall) -> str:
    name = flat(call.name, 60)
    args = _arguments(call)
    match call.name:
        case "shell":
            return f"shell: {_text(args, 'command') or flat(call.arguments, _LONGEST)}"
        case "patch":
            paths = [line.split(": ", 1)[1] for line in str(args.get("patch", "")).split("\n") if line.startswith("*** ") and ": " in line]
            return f"patch {flat(', '.join(paths), _LONGEST)}".rstrip()
        case "todo":
            items = args.get("items")
            return f"plan, {count(len(items), 'item')}" if isinstance(items, list) else "plan"
        case "grep":
            inside = _text(args, "path")
            return f"grep {_text(args, 'pattern')}" + (f" in {inside}" if inside else "")
        case "git":
            rest = _text(args, "path") or _text(args, "revision")
            return f"git {_text(args, 'action')} {rest}".rstrip()
        case "read":
            offset = args.get("offset")
            return f"read {_text(args, 'path')}" + (f" from line {offset}" if isinstance(offset, int) and offset > 1 else "")
        case _:
            subject = _text(args, _SUBJECT.get(call.name, "")) if call.name in _SUBJECT else flat(call.arguments, _LONGEST)
            return f"{name} {subject}".rstrip()


def is_quick(call: ToolCall) -> bool:
    """True for a call that nobody has to hear of before it is done."""
    return call.name in _QUIET


def plan_lines(call: ToolCall) -> tuple[str, ...]:
    """The items of a plan, each with how far it is; empty for any other call."""
    items = _arguments(call).get("items") if call.name == "todo" else None
    if not isinstance(items, list):
        return ()
    return tuple(
        f"{str(item.get('status', 'pending')).replace('_', ' ')}: {flat(str(item.get('text', '')), _LONGEST)}"
        for item in items
        if isinstance(item, dict)
    )


def size(call: ToolCall, result: str) -> str:
    """`120 lines`, where that says something about the result; else empty."""
    unit = _COUNTED.get(call.name)
    return count(result.rstrip("\n").count("\n") + 1, unit) if unit and result.strip() else ""


def _arguments(call: ToolCall) -> JsonObject:
    try:
        found: JsonObject = msgspec.json.decode(call.arguments, type=dict)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}
    return found


def _text(args: JsonObject, name: str) -> str:
    value = args.get(name, "")
    return flat(value if isinstance(value, str) else "", _LONGEST)


def title_of(blocks: Sequence[Block]) -> str:
    """The title of the latest call that runs; empty where none does."""
    for block in reversed(blocks):
        if isinstance(block, Called) and block.state == "running":
            return title(block.call)
    return ""
