"""The languages that symbols are read from: which grammar, which queries, and what a query can't say about them.

What this module does not do: parse; the queries themselves are files in `queries/`.
"""

from typing import Final

import msgspec

from kimicode.languages import Grammar, grammar_of


class Dialect(msgspec.Struct, frozen=True):
    """One language. `queries` are files of `queries/`, taken together; `imports` is the key of its import statements (`imports`).

    `minifies`: its files are shipped minified. `upper_constants`: a variable in capitals is a constant.
    """

    grammar: Grammar
    queries: tuple[str, ...]
    imports: str
    minifies: bool = False
    upper_constants: bool = False

    @property
    def name(self) -> str:
        """What people call the language."""
        return self.grammar.name


class _Traits(msgspec.Struct, frozen=True):
    queries: tuple[str, ...]
    imports: str
    minifies: bool = False
    upper_constants: bool = False


_TRAITS: Final = {
    "Python": _Traits(("python",), "python", upper_constants=True),
}


def dialect_of(path: str, data: bytes) -> Dialect | None:
    """The language of a file; None where none is known, or it has no symbols (JSON, CSS)."""
    grammar = grammar_of(path)
    traits = _TRAITS.get(grammar.name) if grammar is not None else None
    if grammar is None or traits is None:
        return None
    return Dialect(grammar, traits.queries, traits.imports, traits.minifies, traits.upper_constants)
