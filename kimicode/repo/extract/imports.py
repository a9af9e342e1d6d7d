"""Imports with the places of their names.

What this module does not do: read a statement (`statements` does), or say which file a module is.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kimicode.repo.extract.statements import taken


class Imported(NamedTuple):
    """An import in the bytes from `start` to `end`, with each name and where it stands; -1 where that is not known."""

    module: str
    names: tuple[tuple[str, int, int], ...]
    start: int
    end: int


def imports_in(key: str, source: bytes, start: int, end: int) -> Iterator[Imported]:
    """What a statement of the language `key` imports; nothing where it can't be read."""
    for module, names in taken(key, source[start:end].decode("utf-8", "replace")):
        yield Imported(module, tuple(_placed(names, source, start, end, module)), start, end)


def _placed(names: tuple[str, ...], source: bytes, start: int, end: int, module: str) -> Iterator[tuple[str, int, int]]:
    """Names are looked for after the module, where they stand in most languages, and then from the start."""
    place = max(source.find(module.encode(), start, end) + len(module.encode()), start)
    for name in names:
        word = re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"(?![\w$])")
        found = (word.search(source, place, end) or word.search(source, start, end)) if name != "*" else None
        place = found.end() if found is not None else place
        yield (name, found.start(), found.end()) if found is not None else (name, -1, -1)
