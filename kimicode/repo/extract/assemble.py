"""What the queries caught, made into definitions, references and imports in one sweep over the text.

Captures that are known: a definition by its kind (that of a type is `type_alias`) and its name `n`; `own`, a field assigned through
`self`; `scope`, a function without a name; `mark`, a decorator, attribute or annotation; `wrap`, a node that begins what ends with it
(`export class`); `body`, before which a signature ends; references by their kind; `types`, a stretch in which all names are types;
`import`, a whole statement. What this module does not do: parse, or know a language (`dialects`).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Final, TypeAlias

from tree_sitter import Node

from kimicode.repo.extract.dialects import Dialect
from kimicode.repo.extract.imports import Imported, imports_in
from kimicode.repo.extract.spans import spans_of
from kimicode.repo.extract.sweep import Sweep
from kimicode.repo.extract.uses import plain_names, uses_of
from kimicode.repo.symbols import Definition, Import, Reference, ReferenceKind

Symbols: TypeAlias = tuple[tuple[Definition, ...], tuple[Reference, ...], tuple[Import, ...]]
"""Each in the order of the text."""

Uses: TypeAlias = dict[int, tuple[int, ReferenceKind]]
"""End and kind of each reference, by where it starts."""

_STATEMENTS: Final = {
    "import": None,
    "import_call": re.compile(rb"(?:require|require_relative|load|autoload|dofile|loadfile|source|import|@import|@cImport)\b|\.\s"),
    "import_binding": re.compile(rb"[^(]*?=\s*(?:require|@import|@cImport)\b"),
}
"""Captures of import statements, and how they begin: only these calls import something."""


def assemble(dialect: Dialect, source: bytes, nodes: Mapping[str, list[Node]]) -> Symbols:
    """Everything that a file says about names."""
    lines = _line_starts(source)
    imported = _imported(dialect, source, nodes)
    inside = _Stretches(imported)
    # What is bound by an import is defined elsewhere.
    names = {
        node.start_byte: node.end_byte for node in nodes.get("n", ()) if node.start_byte not in inside and node.start_byte < node.end_byte
    }
    sweep = Sweep(dialect, source, lines)
    sweep.define(spans_of(nodes, source), names)
    known = {definition.name for definition in sweep.definitions if definition.parent < 0}
    references = sweep.refer(_uses(source, nodes, imported, inside, names, known))
    imports = (Import(found.module, tuple(name for name, _, _ in found.names), bisect_right(lines, found.start)) for found in imported)
    return tuple(sweep.definitions), tuple(references), tuple(imports)


def _imported(dialect: Dialect, source: bytes, nodes: Mapping[str, list[Node]]) -> list[Imported]:
    found: list[Imported] = []
    done = 0
    for start, end in sorted(_statements(source, nodes)):
        if start >= done:
            found += imports_in(dialect.queries[0], source, start, -end)
            done = -end
    return found


def _statements(source: bytes, nodes: Mapping[str, list[Node]]) -> Iterator[tuple[int, int]]:
    """Start and negative end of each import statement, and of each call that may load a module and has a name to match."""
    for capture, pattern in _STATEMENTS.items():
        for node in nodes.get(capture, ()):
            if pattern is None or pattern.match(source, node.start_byte, node.end_byte) is not None:
                yield node.start_byte, -node.end_byte


def _uses(
    source: bytes, nodes: Mapping[str, list[Node]], imported: list[Imported], inside: "_Stretches", names: dict[int, int], known: set[str]
) -> Uses:
    """References by where they start, without names that define something, or stand in an import."""
    uses: Uses = {start: (end, "import") for found in imported for _, start, end in found.names if start >= 0}
    for start, use in uses_of(nodes, source).items():
        if start not in names and start not in inside:
            uses.setdefault(start, use)
    worth = {name.encode() for name in known.union(*(tuple(name for name, _, _ in found.names) for found in imported))}
    for start, end in plain_names(nodes.get("name", ()), source, worth):
        if start not in names and start not in inside:
            uses.setdefault(start, (end, "name"))
    return uses


class _Stretches:
    """The places that lie in import statements."""

    def __init__(self, imported: list[Imported]) -> None:
        self._starts = [found.start for found in imported]
        self._ends = [found.end for found in imported]
        self._last = self._ends[-1] if self._ends else 0

    def __contains__(self, place: int) -> bool:
        if place >= self._last:
            return False
        before = bisect_right(self._starts, place) - 1
        return before >= 0 and place < self._ends[before]


def _line_starts(source: bytes) -> list[int]:
    return [0, *accumulate(map(_with_end, map(len, source.split(b"\n"))))]


_with_end = (1).__add__
