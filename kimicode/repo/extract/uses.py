"""References, from the nodes that the queries caught: each place once, as the most telling kind it was caught as.

What this module does not do: say what encloses a reference (`sweep`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tree_sitter import Node

from kimicode.repo.symbols import ReferenceKind

_KINDS: Final[tuple[ReferenceKind, ...]] = ("base", "decorator", "call", "type")
"""Where a name was caught as several, the first counts."""

_TYPE_NAMES: Final = re.compile(rb"\bLiteral\[[^\]]*\]|(?:[^\W\d]\w*\.)*([^\W\d]\w*)")
"""Names in a type; of a dotted one the last part; nothing of `Literal["a"]`."""

_NOT_TYPES: Final = frozenset((b"None", b"True", b"False"))


def uses_of(nodes: Mapping[str, list[Node]], source: bytes) -> dict[int, tuple[int, ReferenceKind]]:
    """End and kind of each reference, by where it starts. Plain names are not among them (`plain_names`)."""
    found: dict[int, tuple[int, ReferenceKind]] = {}
    for kind in _KINDS:
        for node in nodes.get(kind, ()):
            found.setdefault(node.start_byte, (node.end_byte, kind))
    for start, end in _in_types(nodes.get("types", ()), source):
        found.setdefault(start, (end, "type"))
    return found


def _in_types(nodes: Sequence[Node], source: bytes) -> Iterator[tuple[int, int]]:
    done = 0
    for start, end in sorted((node.start_byte, node.end_byte) for node in nodes):
        if end <= done:
            # Inside of one that was read.
            continue
        done = end
        for match in _TYPE_NAMES.finditer(source, start, end):
            if match.lastindex and match[1] not in _NOT_TYPES:
                yield match.span(1)


def plain_names(nodes: Sequence[Node], source: bytes, known: set[bytes]) -> Iterator[tuple[int, int]]:
    """Where names of `known` stand: all other plain names are mostly local variables."""
    for node in nodes:
        start, end = node.start_byte, node.end_byte
        if source[start:end] in known:
            yield start, end
