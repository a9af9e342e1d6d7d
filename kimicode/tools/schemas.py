"""The arguments of the tools that know the repository, apart from the tools themselves.

A session declares all of its tools before its first event, and loads those that need the index when they are first called. What this
module does not do: word them (`prompts/tools` does).
"""

from typing import Final, TypeAlias

from kimicode.messages import JsonObject

Properties: TypeAlias = dict[str, JsonObject]

MAX_LIMIT: Final = 5000
LEAST_BUDGET: Final = 100
DEFAULT_BUDGET: Final = 1_500
MOST_BUDGET: Final = 8_000
"""Tokens of a map."""

GIT_ACTIONS: Final = ("status", "diff", "log", "blame", "show", "commit")
SYMBOL_KINDS: Final = ("definition", "references", "callers", "outline")

GREP: Final[Properties] = {
    "pattern": {"type": "string"},
    "path": {"type": "string"},
    "glob": {"type": "string"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
}
GREP_REQUIRED: Final = ("pattern",)

SYMBOLS: Final[Properties] = {"query": {"type": "string"}, "kind": {"type": "string", "enum": [*SYMBOL_KINDS]}}
SYMBOLS_REQUIRED: Final = ("query",)

MAP: Final[Properties] = {
    "budget": {"type": "integer", "minimum": LEAST_BUDGET, "maximum": MOST_BUDGET},
    "focus": {"type": "array", "items": {"type": "string"}},
}
MAP_REQUIRED: Final = ()

GIT: Final[Properties] = {
    "action": {"type": "string", "enum": [*GIT_ACTIONS]},
    "path": {"type": "string"},
    "paths": {"type": "array", "items": {"type": "string"}},
    "revision": {"type": "string"},
    "lines": {"type": "string"},
    "staged": {"type": "boolean"},
    "files": {"type": "boolean"},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    "message": {"type": "string"},
}
GIT_REQUIRED: Final = ("action",)
