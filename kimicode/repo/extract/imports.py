"""Import statements read from their text: what module, and which names out of it. One small reader a language.

What this module does not do: find the statements (the queries do), or say which file a module is.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

Taken: TypeAlias = tuple[str, tuple[str, ...]]
"""A module as written, and the names taken out of it; `*` is all of them."""

_SPACES: Final = re.compile(r"\s+")
_HASH_COMMENT: Final = re.compile(r"#.*")


class Imported(NamedTuple):
    """An import in the bytes from `start` to `end`, with each name and where it stands; -1 where that is not known."""

    module: str
    names: tuple[tuple[str, int, int], ...]
    start: int
    end: int


def imports_in(key: str, source: bytes, start: int, end: int) -> Iterator[Imported]:
    """What a statement of the language `key` imports; nothing where it can't be read."""
    for module, names in _READERS[key](source[start:end].decode("utf-8", "replace")):
        yield Imported(module, tuple(_placed(names, source, start, end, module)), start, end)


def _placed(names: tuple[str, ...], source: bytes, start: int, end: int, module: str) -> Iterator[tuple[str, int, int]]:
    """Names are looked for after the module, where they stand in most languages, and then from the start."""
    place = max(source.find(module.encode(), start, end) + len(module.encode()), start)
    for name in names:
        word = re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"(?![\w$])")
        found = (word.search(source, place, end) or word.search(source, start, end)) if name != "*" else None
        place = found.end() if found is not None else place
        yield (name, found.start(), found.end()) if found is not None else (name, -1, -1)


def _flat(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _plain(name: str) -> str:
    """A name without what it is called here."""
    return name.split(" as ", 1)[0].strip()


_PYTHON_FROM: Final = re.compile(r"from (.*?)\s*\bimport\b(.*)")


def _python(statement: str) -> Iterator[Taken]:
    text = _flat(_HASH_COMMENT.sub("", statement).replace("\\\n", " ").replace("\\\r\n", " "))
    found = _PYTHON_FROM.match(text)
    if found is not None:
        names = tuple(name for part in found[2].strip(" ();").split(",") if (name := _plain(part)))
        yield found[1].replace(" ", ""), names
    elif text.startswith("import "):
        yield from ((module, ()) for part in text[7:].split(",") if (module := _plain(part)))


_READERS: Final[dict[str, Callable[[str], Iterable[Taken]]]] = {
    "python": _python,
}
