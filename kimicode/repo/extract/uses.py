"""References, from the nodes that the queries caught: each place once, as the most telling kind it was caught as.

What this module does not do: say what encloses a reference (`sweep`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tree_sitter import Node

from kimicode.repo.symbols import ReferenceKind

_KINDS: Final[dict[str, ReferenceKind]] = {
    "base": "base", "base_path": "base", "mixin_path": "base", "decorator": "decorator", "decorator_path": "decorator",
    "call": "call", "call_path": "call", "new_path": "call", "jsx_path": "call", "type": "type", "type_path": "type", "named": "name",
}  # fmt: skip
"""Captures and what they mean; of a `path` the last name counts. Where a name was caught as several, the first does."""

_TYPE_NAMES: Final = re.compile(rb"\bLiteral\[[^\]]*\]|(?:[^\W\d]\w*\.)*([^\W\d]\w*)")
"""Names in a type; of a dotted one the last part; nothing of `Literal["a"]`."""

_BASIC: Final = frozenset(
    b"None True False int str bool float bytes object list dict set tuple type string error byte rune any "
    b"int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 float32 float64 uintptr Self "
    b"size_t uint8_t uint16_t uint32_t uint64_t int8_t int16_t int32_t int64_t "
    b"String Int Integer Boolean Bool Long Double Float Object Char Unit Void".split()
)
"""Types that no repository defines. They are not kept, nor are those of one letter, which are parameters."""

_CAPITALS: Final = frozenset(range(ord("A"), ord("Z") + 1))
_PATH: Final = re.compile(
    rb"(?:(?:dyn|impl|struct|class|enum|union|typename|mut|const|unowned|virtual)\s+)*(?:[^\W\d][\w$]*\s*(?:\.|::|\\|->|:)\s*)*([^\W\d][\w$]*[?!]?)"
)
"""A name with what it is in: `a.b`, `A::b`; arguments of a generic type are not looked at."""


def _is_made(source: bytes, _: int, end: int) -> bool:
    return source.startswith(b".new", end)


def _is_mixed_in(source: bytes, start: int, _: int) -> bool:
    return source[source.rfind(b"\n", 0, start) + 1 : start].lstrip().startswith((b"include", b"extend", b"prepend"))


def _is_component(source: bytes, start: int, end: int) -> bool:
    return source[start : start + 1].isupper() or b"." in source[start:end]


_ONLY: Final = {"jsx_path": _is_component, "new_path": _is_made, "mixin_path": _is_mixed_in}
"""What a query can't ask cheaply: a comparison of texts costs more there than the rest of a match."""


def uses_of(nodes: Mapping[str, list[Node]], source: bytes) -> dict[int, tuple[int, ReferenceKind]]:
    """End and kind of each reference, by where it starts. Plain names are not among them (`plain_names`)."""
    found: dict[int, tuple[int, ReferenceKind]] = {}
    for capture, kind in _KINDS.items():
        is_path = capture.endswith("_path")
        for node in nodes.get(capture, ()):
            start, end = node.start_byte, node.end_byte
            if is_path:
                if capture in _ONLY and not _ONLY[capture](source, start, end):
                    continue
                path = _PATH.search(source, start, end)
                if path is None:
                    continue
                start, end = path.span(1)
            if end > start and (kind != "type" or (end - start > 1 and source[start:end] not in _BASIC)):
                found.setdefault(start, (end, kind))
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
            if match.lastindex and match[1] not in _BASIC and len(match[1]) > 1:
                yield match.span(1)


def plain_names(nodes: Sequence[Node], source: bytes, known: set[bytes]) -> Iterator[tuple[int, int]]:
    """Where names stand that the file defines or imports (`known`), or that begin with a capital: others are mostly local variables."""
    for node in nodes:
        start, end = node.start_byte, node.end_byte
        name = source[start:end]
        if name in known or (end - start > 1 and source[start] in _CAPITALS and name not in _BASIC):
            yield start, end
