"""Command lines that only read, checked against a table of options: what is not in the table is not known.

Exact names only: GNU programs take `--comp` for `--compress-program`, so an abbreviation is never known either. What this module does
not do: hold the tables (`readers`).
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from kimicode.sandbox.commands.parts import Part


class Grammar(msgspec.Struct, frozen=True):
    """Options of one program that only read. Letters: `short` stand alone, `valued` take the rest of their word or else the next one,
    `attached` only the rest of their word. Names: `long` stand alone, `equals` take `=VALUE`, `spaced` that or else the next word.

    `most` is how many operands there may be; `paths` says that operands name files, `loose` that no word at all can do harm.
    """

    short: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    attached: frozenset[str] = frozenset()
    long: frozenset[str] = frozenset()
    equals: frozenset[str] = frozenset()
    spaced: frozenset[str] = frozenset()
    most: int = 10_000
    paths: bool = True
    loose: bool = False


def grammar(
    short: str = "",
    valued: str = "",
    long: str = "",
    equals: str = "",
    *,
    spaced: str = "",
    attached: str = "",
    most: int = 10_000,
    paths: bool = True,
) -> Grammar:
    """A grammar from strings of letters and of words."""
    return Grammar(
        short=frozenset(short),
        valued=frozenset(valued),
        attached=frozenset(attached),
        long=frozenset(long.split()),
        equals=frozenset(equals.split()),
        spaced=frozenset(spaced.split()),
        most=most,
        paths=paths,
    )


def operands(known: Grammar, argv: Sequence[str | None], heads: Sequence[str]) -> tuple[str, ...] | None:
    """The words after the name that are no options, or None where the command line is not known. A dynamic operand is its beginning.

    Values of options that look like paths are among them: a program may read a file that one names.
    """
    if known.loose:
        return ()
    found: list[str] = []
    values: list[str] = []
    words = list(zip(argv, heads, strict=True))[1:]
    at, options = 0, True
    while at < len(words):
        word, head = words[at]
        at += 1
        if word is None:
            # What may come out of it: an option, or a path anywhere.
            if head == "" or (options and head.startswith("-")):
                return None
            found.append(head)
        elif options and word == "--":
            options = False
        elif options and len(word) > 1 and word.startswith("-"):
            taken = _long(known, word[2:]) if word.startswith("--") else _short(known, word[1:])
            if taken is None:
                return None
            value = taken
            if taken == _NEXT:
                if at >= len(words) or (value := words[at][0] or "") == "":
                    return None
                at += 1
            values += [value] if "/" in value or value in ("..", "~") else []
        else:
            found.append(word)
    return (*found, *(values if known.paths else ())) if len(found) <= known.most else None


_NEXT: Final = "\0"
"""Stands for the value of an option that is in the next word."""


def _long(known: Grammar, option: str) -> str | None:
    """The option's value, empty where it has none; None where it is not known."""
    name, equals, value = option.partition("=")
    if equals:
        return value if name in known.equals | known.spaced else None
    if name in known.spaced:
        return _NEXT
    return "" if name in known.long else None


def _short(known: Grammar, letters: str) -> str | None:
    for place, letter in enumerate(letters, 1):
        if letter in known.valued:
            return letters[place:] or _NEXT
        if letter in known.attached:
            return letters[place:]
        if letter not in known.short:
            return None
    return ""


def leads_out(operand: str, workspace: str | None) -> bool:
    """True where a word, taken for a path, may lead out of the workspace. By its text alone: links are not followed."""
    # The second is how a process substitution begins; what is in it is judged on its own.
    if operand in ("/dev/null", "/dev/fd/"):
        return False
    if operand.startswith("/") and workspace is not None and (operand + "/").startswith(workspace.rstrip("/") + "/"):
        operand = operand[len(workspace.rstrip("/")) :].lstrip("/")
    return operand.startswith(("/", "~")) or ".." in operand.split("/")


def is_plain(part: Part) -> str | None:
    """The name of the program, if it is surely the one of that name: bare, or in `/bin` or `/usr/bin`."""
    name = part.argv[0] if part.argv else None
    if name is None:
        return None
    for folder in ("/bin/", "/usr/bin/"):
        if name.startswith(folder):
            name = name[len(folder) :]
            break
    return name if name and "/" not in name else None
