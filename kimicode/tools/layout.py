"""Uses of a name as text for a model: grouped by file, best first, within a budget of tokens; what has no room is still counted.

A file's path stands once, on a line of its own; below it `LINE AROUND: TEXT`, where AROUND is the definition that encloses the line.
Uses without room for their text are line numbers behind the path; those without room even for that are numbers of matches by folder.
What this module does not do: search or rank.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from kimicode.repo.lookup import Role
from kimicode.repo.uses import Use
from kimicode.tokens import count, count_lines

FEW: Final = 20
"""So many matches are always shown whole."""

_TEXT_SHARE: Final = 0.6
"""The part of a budget that goes to text; the rest is for line numbers, of which five cost as much as one text."""

_MOST_TEXTS: Final = 150
_MOST_IMPORTS: Final = 3
"""Imports with their text where not everything has room: one says what all the others say."""

_LINE_CHARS: Final = 160
_LONG_LINE_CHARS: Final = 500
_NUMBERS_OF_FILE: Final = 40
_FOLDERS: Final = 6


class Laid(msgspec.Struct, frozen=True):
    """The text, the uses that are in it whole, and how many are there as line numbers, and only counted."""

    text: str
    whole: tuple[Use, ...]
    numbered: int = 0
    counted: int = 0


def laid_out(uses: Sequence[Use], *, budget: int, limit: int | None = None, names: Sequence[str] = ()) -> Laid:
    """The ranked `uses` within `budget` tokens; with a `limit`, the first so many whole, whatever they cost."""
    if limit is not None:
        whole, chars = list(uses[:limit]), _LONG_LINE_CHARS
    else:
        chars = _LINE_CHARS
        whole = list(uses) if len(uses) <= FEW else _affordable(_telling(uses), int(budget * _TEXT_SHARE), chars, names)
    held = set(map(id, whole))
    rest = [use for use in uses if id(use) not in held]
    left = 0 if limit is not None else budget - _price(_blocks(whole, [], chars, names)) if rest else 0
    numbered, counted = _numbered(rest, left)
    lines = _blocks(whole, numbered, chars, names)
    if counted:
        lines.append(_counts(counted))
    return Laid("\n".join(lines), tuple(whole), len(numbered), len(counted))


def _telling(uses: Sequence[Use]) -> list[Use]:
    """The uses of which the text tells something."""
    imports = [use for use in uses if use.role is Role.IMPORT]
    plain = set(map(id, imports[_MOST_IMPORTS:]))
    return [use for use in uses if id(use) not in plain]


def _affordable(uses: Sequence[Use], budget: int, chars: int, names: Sequence[str]) -> list[Use]:
    some = uses[:_MOST_TEXTS]
    costs = count_lines(f"{line(use, chars, names)}\n" for use in some)
    spent, taken, files = 0, list[Use](), set[str]()
    for use, cost in zip(some, costs, strict=True):
        spent += cost + (0 if use.path in files else count(use.path) + 1)
        if spent > budget:
            break
        files.add(use.path)
        taken.append(use)
    return taken


def _numbered(uses: Sequence[Use], budget: int) -> tuple[list[Use], list[Use]]:
    """The uses for which line numbers can be afforded, whole files at a time, and the others."""
    taken, others = list[Use](), list[Use]()
    for path, group in _by_file(uses).items():
        budget -= count(f"{path}: {_numbers(group)}\n")
        (taken if budget >= 0 else others).extend(group)
    return taken, others


def _blocks(whole: Sequence[Use], numbered: Sequence[Use], chars: int, names: Sequence[str]) -> list[str]:
    texts, numbers = _by_file(whole), _by_file(numbered)
    lines: list[str] = []
    for path in dict.fromkeys((*texts, *numbers)):
        more = _numbers(numbers[path]) if path in numbers else ""
        if path in texts:
            lines += [path, *(line(use, chars, names) for use in sorted(texts[path], key=lambda use: use.line))]
            lines += [f"also {more}"] if more else []
        else:
            lines.append(f"{path}: {more}")
    return lines


def line(use: Use, chars: int = _LINE_CHARS, names: Sequence[str] = ()) -> str:
    """One use with its text, without the indentation."""
    text = use.text.strip()
    if len(text) > chars:
        place = min((at for name in names if (at := text.find(name)) >= 0), default=0)
        start = max(0, min(place - chars // 3, len(text) - chars)) if place > chars * 2 // 3 else 0
        text = ("…" if start else "") + text[start : start + chars] + ("…" if start + chars < len(text) else "")
    return f"{use.line} {use.around}: {text}" if use.around else f"{use.line}: {text}"


def _numbers(uses: Sequence[Use]) -> str:
    """`12,19 f; 45 g`: lines by what is around them."""
    groups: dict[str, list[str]] = {}
    for use in sorted(uses, key=lambda use: use.line)[:_NUMBERS_OF_FILE]:
        groups.setdefault(use.around, []).append(str(use.line))
    parts = [f"{','.join(lines)} {around}".rstrip() for around, lines in groups.items()]
    return "; ".join(parts) + (f"; {more} more" if (more := len(uses) - _NUMBERS_OF_FILE) > 0 else "")


def _counts(uses: Sequence[Use]) -> str:
    folders = Counter(f"{folder}/" if (folder := use.path.rpartition("/")[0]) else use.path for use in uses)
    most = ", ".join(f"{folder} {number}" for folder, number in folders.most_common(_FOLDERS))
    more = f", {len(folders) - _FOLDERS} more folders" if len(folders) > _FOLDERS else ""
    return f"and {len(uses)} more in {len({use.path for use in uses})} files: {most}{more}"


def _by_file(uses: Iterable[Use]) -> dict[str, list[Use]]:
    files: dict[str, list[Use]] = {}
    for use in uses:
        files.setdefault(use.path, []).append(use)
    return files


def _price(lines: Sequence[str]) -> int:
    return sum(count_lines(f"{each}\n" for each in lines))
