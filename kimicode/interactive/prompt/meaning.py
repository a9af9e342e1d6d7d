"""What was typed: a command of kimicode, a command for the shell, or words for the model; and the files that words mention.

A mention is `@path` or, with blanks in it, `@"my file.py"`. It goes to the model as it stands: the model reads the file with its own tools,
so what it sees is what the file says at that moment. What this module does not do: look whether a command or a file exists.
"""

import re
from typing import Final, TypeAlias

import msgspec


class Command(msgspec.Struct, frozen=True):
    """`/name argument`. The name is in small letters."""

    name: str
    argument: str = ""


class Shell(msgspec.Struct, frozen=True):
    """`!command`, for a shell of the user's own."""

    command: str


class Words(msgspec.Struct, frozen=True):
    """Anything else: a prompt."""

    text: str


Meaning: TypeAlias = Command | Shell | Words


class Mention(msgspec.Struct, frozen=True):
    """A path that words name, and where: `text[start:end]` is the mention with its `@`."""

    path: str
    start: int
    end: int


_COMMAND: Final = re.compile(r"/([A-Za-z][\w-]*)(?:\s+|\Z)")
_MENTION: Final = re.compile(r'(?<![\w@/.\\])@(?:"((?:[^"\\\n]|\\["\\])+)"|([^\s"@][^\s"]*))')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_PUNCTUATION: Final = ".,;:!?)]}>'`*"
"""What ends a sentence and no path."""


def meaning(text: str) -> Meaning:
    """What `text` is. A blank before `/` or `!` makes it words; so does a second slash, as in `/usr/bin`."""
    if found := _COMMAND.match(text):
        return Command(found[1].lower(), text[found.end() :].strip())
    if text.startswith("!") and (command := text[1:].strip()):
        return Shell(command)
    return Words(text)


def mentions(text: str) -> tuple[Mention, ...]:
    """The mentions in words, in order."""
    found: list[Mention] = []
    for match in _MENTION.finditer(text):
        if match[1] is not None:
            found.append(Mention(_ESCAPED.sub(r"\1", match[1]), match.start(), match.end()))
        elif path := match[2].rstrip(_PUNCTUATION):
            found.append(Mention(path, match.start(), match.start(2) + len(path)))
    return tuple(found)


def mention(path: str) -> str:
    """How `path`, which has no line end, is mentioned: with quotes where it needs them."""
    plain = f"@{path}"
    if mentions(plain) == (Mention(path, 0, len(plain)),):
        return plain
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'@"{escaped}"'
