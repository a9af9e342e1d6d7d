"""Which files may hold symbols, and as what, told from their names alone; fast, for it is asked of every file of a tree.

What this module does not do: look into a file. The same bytes as `a.h` and as `a.c` are two kinds, and are read twice.
"""

from functools import lru_cache
from typing import Final

from kimicode.languages import grammar_of

_WITHOUT_SYMBOLS: Final = frozenset({"JSON", "TOML", "YAML", "HTML", "CSS"})
_MAYBE: Final = {".h": "C header"}
"""Endings that belong to several languages: only the content tells which."""


def kind_of(path: str) -> str:
    """A name for how a file of this path is read; "" where it holds no symbols. Paths of one kind give the same for the same content."""
    name = path[path.rfind("/") + 1 :]
    dot = name.rfind(".")
    return _kind(name[dot:], "x") if dot > 0 else _kind(name, "")


@lru_cache(maxsize=4096)
def _kind(ending: str, stem: str) -> str:
    if stem and ending.lower() in _MAYBE:
        return _MAYBE[ending.lower()]
    grammar = grammar_of(stem + ending)
    return "" if grammar is None or grammar.name in _WITHOUT_SYMBOLS else grammar.name
