"""The languages that symbols are read from: which grammar, which queries, and what a query can't say about them.

What this module does not do: parse; the queries themselves are files in `queries/`.
"""

import re
from functools import cache
from pathlib import PurePath
from typing import Final

import msgspec

from kimicode.languages import Grammar, grammar_of


class Dialect(msgspec.Struct, frozen=True):
    """One language: its grammar, and what it needs beside it.

    `queries` are files of `queries/`, taken together; the first names the reader of its import statements (`statements`). `minifies`: its
    files are shipped minified. `upper_constants`: a variable in capitals is a constant. `constructors`: methods of these names construct.
    `merges`: a function is given in several pieces, one after the other. `macros`: see `macros`.
    """

    grammar: Grammar
    queries: tuple[str, ...]
    minifies: bool = False
    upper_constants: bool = False
    constructors: frozenset[str] = frozenset()
    merges: bool = False
    macros: bool = False

    @property
    def name(self) -> str:
        """What people call the language."""
        return self.grammar.name


def _dialect(
    path: str,
    *,
    queries: tuple[str, ...] = (),
    minifies: bool = False,
    upper_constants: bool = False,
    constructors: tuple[str, ...] = (),
    merges: bool = False,
    macros: bool = False,
) -> Dialect:
    """The dialect of files like `path`."""
    grammar = grammar_of(path)
    assert grammar is not None
    return Dialect(grammar, queries, minifies, upper_constants, frozenset(constructors), merges, macros)


@cache
def _dialects() -> dict[Grammar, Dialect]:
    dialects = (
        _dialect("a.py", queries=("python",), upper_constants=True),
        _dialect("a.js", queries=("ecmascript", "javascript"), minifies=True, constructors=("constructor",)),
        _dialect("a.ts", queries=("ecmascript", "typescript"), minifies=True, constructors=("constructor",)),
        _dialect("a.tsx", queries=("ecmascript", "typescript", "jsx"), minifies=True, constructors=("constructor",)),
        _dialect("a.rs", queries=("rust",)),
        _dialect("a.go", queries=("go",)),
        _dialect("a.java", queries=("java",)),
        _dialect("a.c", queries=("c",)),
        _dialect("a.cpp", queries=("c", "cpp"), macros=True),
        _dialect("a.cs", queries=("csharp",)),
        _dialect("a.rb", queries=("ruby",), constructors=("initialize",)),
        _dialect("a.php", queries=("php",), upper_constants=True, constructors=("__construct",)),
        _dialect("a.kt", queries=("kotlin",), upper_constants=True),
        _dialect("a.swift", queries=("swift",)),
        _dialect("a.scala", queries=("scala",)),
        _dialect("a.sh", queries=("bash",), upper_constants=True),
        _dialect("a.lua", queries=("lua",), upper_constants=True),
        _dialect("a.zig", queries=("zig",)),
        _dialect("a.hs", queries=("haskell",), merges=True),
    )
    return {dialect.grammar: dialect for dialect in dialects}


_H_IS_CPP: Final = re.compile(
    rb"^\s*(?:class|namespace|template|using|public:|private:|protected:)\b|::|\bconstexpr\b|\boverride\b", re.MULTILINE
)
_SHEBANG: Final = re.compile(rb"#!\s*\S*?/(?:env\s+(?:-\S+\s+)*)?([A-Za-z]+)[\d.]*(?:\s|$)")
_INTERPRETERS: Final = {
    b"python": "a.py", b"pypy": "a.py", b"node": "a.js", b"sh": "a.sh", b"bash": "a.sh", b"dash": "a.sh", b"ksh": "a.sh",
    b"zsh": "a.sh", b"ruby": "a.rb", b"php": "a.php", b"lua": "a.lua", b"luajit": "a.lua",
}  # fmt: skip
_LOOKED_AT: Final = 65_536


@cache
def _header(cpp: bool) -> Dialect:
    grammar = grammar_of("a.cpp" if cpp else "a.c")
    assert grammar is not None
    return msgspec.structs.replace(_dialects()[grammar], macros=True)


def dialect_of(path: str, data: bytes) -> Dialect | None:
    """The language of a file, by its name, or where that says nothing by its first line; None where none is known, or it has no symbols.

    A `.h` is C++ where something in it could not be C.
    """
    grammar = grammar_of(path)
    suffix = PurePath(path).suffix
    if grammar is None and suffix == ".h":
        return _header(bool(_H_IS_CPP.search(data, 0, _LOOKED_AT)))
    if grammar is None and suffix == "" and (found := _SHEBANG.match(data)) is not None:
        grammar = grammar_of(_INTERPRETERS.get(found[1], ""))
    return _dialects().get(grammar) if grammar is not None else None
