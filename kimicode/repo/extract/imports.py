"""Imports with the places of their names.

What this module does not do: read a statement (`statements` does), or say which file a module is.
"""

from collections.abc import Iterator
from string import ascii_letters
from typing import Final, NamedTuple

from kimicode.repo.extract.statements import taken

_IN_WORDS: Final = frozenset(bytes((byte,)) for byte in b"$_0123456789" + ascii_letters.encode())


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
        word = name.encode()
        found = -1
        if name != "*":
            found = _word(source, word, place, end)
            found = found if found >= 0 else _word(source, word, start, end)
        if found < 0:
            yield name, -1, -1
            continue
        place = found + len(word)
        yield name, found, place


def _word(source: bytes, word: bytes, start: int, end: int) -> int:
    """Where `word` stands as a word of its own; -1 where it does not."""
    found = source.find(word, start, end)
    while found >= 0:
        behind = found + len(word)
        if source[found - 1 : found] not in _IN_WORDS and (behind >= len(source) or source[behind : behind + 1] not in _IN_WORDS):
            return found
        found = source.find(word, behind, end)
    return -1
