"""File patterns as .gitignore and ripgrep read them, as a pure predicate on relative paths.

`*` and `?` stay within a name, `**` crosses folders, `[a-z]` and `{a,b}` choose, a leading `!` inverts. A pattern without a slash is
for names at any depth; one with a slash starts at the top. It exists because ripgrep's own `--glob` brings ignored files back.
What this module does not do: list files.
"""

import re
from collections.abc import Callable
from typing import Final

from kimicode.errors import ToolError

_MAX_CHARS: Final = 500


def matcher(pattern: str) -> Callable[[str], bool]:
    """A predicate on paths with `/`, relative and without a leading `./`. Raises `ToolError` for a pattern that is none."""
    inverted = pattern.startswith("!")
    body = pattern.removeprefix("!").removeprefix("./")
    if not body or len(body) > _MAX_CHARS:
        raise ToolError(f"{pattern[:40]!r} is not a file pattern. Send one like *.py or src/**/*.ts.")
    anchored = "/" in body.rstrip("/")
    body = body.lstrip("/")
    if body.endswith("/"):
        body += "**"
    try:
        expression = re.compile(("" if anchored else "(?:.*/)?") + _translate(body), re.DOTALL)
    except re.error as error:
        raise ToolError(f"{pattern!r} is not a file pattern: {error}. Send one like *.py or src/**/*.ts.") from error
    return lambda path: (expression.fullmatch(path) is not None) != inverted


def _translate(pattern: str) -> str:
    out: list[str] = []
    depth = place = 0
    while place < len(pattern):
        char = pattern[place]
        rest = pattern[place:]
        place += 1
        if rest.startswith("**/"):
            out.append("(?:[^/]+/)*")
            place += 2
        elif rest.startswith("**"):
            out.append(".*")
            place += 1
        elif char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "[" and (end := pattern.find("]", place + 1)) > 0:
            out.append(_choice(pattern[place:end]))
            place = end + 1
        elif char == "{":
            depth += 1
            out.append("(?:")
        elif char == "}" and depth:
            depth -= 1
            out.append(")")
        elif char == "," and depth:
            out.append("|")
        elif char == "\\" and place < len(pattern):
            out.append(re.escape(pattern[place]))
            place += 1
        else:
            out.append(re.escape(char))
    return "".join(out)


def _choice(inside: str) -> str:
    negated = inside.startswith(("!", "^"))
    chars = inside[1:] if negated else inside
    chars = re.sub(r"([\\\[\]^&~|])", r"\\\1", chars)
    return f"(?!/)[{'^' if negated else ''}{chars}]"
