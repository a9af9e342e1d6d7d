"""What could stand where the cursor is: a `/command`, what a command takes, or a file after `@`. Pure; both user interfaces use it.

`wanted` is cheap and says what kind of thing is being typed; `completions` looks for it. Files come from a callable that may take
milliseconds: call `completions` off the thread that answers keys when `wanted` says `file`.
What this module does not do: know the commands there are, draw, or insert anything.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, Protocol, TypeAlias

import msgspec

from kimicode.interactive.prompt.found import Found, finder
from kimicode.interactive.prompt.meaning import mention

Kind: TypeAlias = Literal["command", "argument", "file"]

_COMMAND: Final = re.compile(r"/[\w-]*")
_ARGUMENT: Final = re.compile(r"/([A-Za-z][\w-]*)[ \t]+([^\n]*)\Z")
_FILE: Final = re.compile(r'(?<![\w@/.\\])@(?:"([^"\n]*)|([^\s"@]*))\Z')
_LONGEST: Final = 500
"""No mention is longer: only so much of the text before the cursor is looked at."""

MOST: Final = 50


class Offer(Protocol):
    """What this needs of a command; `interactive.commands.values.Command` is one."""

    @property
    def name(self) -> str:
        """Without the slash."""
        ...

    @property
    def summary(self) -> str:
        """One line."""
        ...

    @property
    def arguments(self) -> str:
        """A hint such as `[ID]`, or nothing."""
        ...

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names."""
        ...


class Want(msgspec.Struct, frozen=True):
    """What is being typed in `text[start:end]`. `query` is it without signs and quotes; `command` is whose argument it is."""

    kind: Kind
    start: int
    end: int
    query: str
    command: str = ""


class Item(msgspec.Struct, frozen=True):
    """One thing to choose. `insert` replaces what is there; `matched` are places in `label`; `goes_on`: more can be completed after it."""

    label: str
    insert: str
    detail: str = ""
    matched: tuple[int, ...] = ()
    goes_on: bool = False


class Completions(msgspec.Struct, frozen=True):
    """What could stand at `text[start:end]`, best first."""

    start: int
    end: int
    items: tuple[Item, ...]


Files: TypeAlias = Callable[[str], Sequence[Found] | None]
"""Searches: best first; None where the search was given up."""


def wanted(text: str, cursor: int) -> Want | None:
    """What is being typed before `cursor`, if it is anything that can be completed."""
    line_start = text.rfind("\n", 0, cursor) + 1
    if text.startswith("/") and line_start == 0:
        if (name := _COMMAND.match(text)) and cursor <= name.end() and cursor >= 1 and text[name.end() : name.end() + 1] != "/":
            return Want("command", 0, name.end(), text[1:cursor])
        if argument := _ARGUMENT.match(text[:cursor]):
            return Want("argument", argument.start(2), cursor, argument[2], argument[1].lower())
    before = text[max(line_start, cursor - _LONGEST) : cursor]
    if found := _FILE.search(before):
        quoted = found[1] is not None
        rest = re.match(r'[^"\n]*"?' if quoted else r'[^\s"]*', text[cursor:])
        end = cursor + (rest.end() if rest else 0)
        # An opening quote without its end: what follows the cursor is the user's next words.
        if quoted and not text[cursor:end].endswith('"'):
            end = cursor
        return Want("file", cursor - len(before) + found.start(), end, found[1] if quoted else found[2])
    return None


def completions(
    text: str,
    cursor: int,
    *,
    commands: Sequence[Offer] = (),
    files: Files = lambda _: (),
    arguments: Callable[[str], Sequence[str]] = lambda _: (),
) -> Completions | None:
    """What could stand there; None where there is nothing to complete or to offer. `arguments` gives what the command of a name takes."""
    want = wanted(text, cursor)
    if want is None:
        return None
    match want.kind:
        case "command":
            items = _commands(want.query, commands)
        case "argument":
            known = {name: each.name for each in commands for name in (each.name, *each.aliases)}
            items = _arguments(want.query, arguments(known[want.command]) if want.command in known else ())
        case "file":
            items = tuple(_file(found) for found in files(want.query) or ())
    return Completions(want.start, want.end, items) if items else None


def _commands(query: str, commands: Sequence[Offer]) -> tuple[Item, ...]:
    """By name; where none fits, by other names."""
    if not query:
        return tuple(_command(each) for each in commands)
    by_name = {each.name: each for each in commands}
    found = [_command(by_name[hit.path], hit.matched) for hit in finder(tuple(by_name)).search(query, MOST) or ()]
    shown = {item.insert for item in found}
    for each in commands:
        alias = next((alias for alias in each.aliases if alias.startswith(query.lower())), "")
        if alias and (item := _command(each, alias=alias)).insert not in shown:
            found.append(item)
    # What was typed whole comes first, whatever else contains it.
    found.sort(key=lambda item: item.insert.strip() != f"/{query.lower()}")
    return tuple(found)


def _command(command: Offer, matched: tuple[int, ...] = (), alias: str = "") -> Item:
    hint = f" {command.arguments}" if command.arguments else ""
    label = f"/{command.name}{hint}"
    names = f"{label} ({alias})" if alias else label
    insert = f"/{command.name} " if command.arguments else f"/{command.name}"
    return Item(names, insert, command.summary, tuple(place + 1 for place in matched), goes_on=bool(command.arguments))


def _arguments(query: str, values: Sequence[str]) -> tuple[Item, ...]:
    if not query:
        return tuple(Item(value, value) for value in values[:MOST])
    hits = finder(tuple(values)).search(query, MOST) or ()
    return tuple(Item(hit.path, hit.path, matched=hit.matched) for hit in hits)


def _file(found: Found) -> Item:
    folder = found.path.endswith("/")
    # After a folder the mention stays open, so that typing goes on inside it.
    insert = _open(found.path) if folder else f"{mention(found.path)} "
    return Item(found.path, insert, "folder" if folder else "", found.matched, goes_on=folder)


def _open(folder: str) -> str:
    return mention(folder).removesuffix('"')
