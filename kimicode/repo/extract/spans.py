"""Where definitions begin and end, and where their signatures do, from the nodes that the queries caught.

Decorators, attributes and annotations (`mark`) belong to the definition after them; an `export` or a template's head (`wrap`) to the one
that ends with it. What this module does not do: find the names of definitions, or what encloses what (`sweep`).
"""

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from tree_sitter import Node

SCOPE: Final = "scope"
"""A function without a name: nothing is defined, but what is assigned within is local."""

OWN: Final = "own"
"""A field assigned through the object: `self.name = ...`."""

PROMOTED: Final = "promoted"
"""A parameter of a constructor that is a field at the same time."""

PROTOTYPE: Final = "prototype"
"""A function that is declared here: within another one it may as well be a variable."""

_KINDS: Final = (
    "module namespace enum interface trait protocol struct union object extension class "
    "constructor method function macro property field constant variable"
).split()
_CAPTURES: Final = {kind: kind for kind in (*_KINDS, PROTOTYPE, SCOPE, OWN, PROMOTED)} | {"type_alias": "type"}
"""The kind of each capture that is a definition; the capture `type` is a reference. What was caught twice is the first of them."""

_ONE_LINE: Final = frozenset(("field", "constant", "variable", OWN, PROMOTED))
"""Kinds whose signature is their line: what stands before the name matters, and there may be several on it."""

_BRACED: Final = frozenset(("struct", "enum", "union", "interface", "class", "object", "protocol", "trait"))
"""Kinds whose body is in braces, where a grammar has no name for it."""

_BETWEEN: Final = re.compile(rb"(?:\s+|//[^\n]*|/\*.*?\*/|#[^\[\n][^\n]*)*", re.DOTALL)
"""What may stand between an attribute and what it belongs to."""

_EXPORT: Final = re.compile(rb"export\s+(?:default\s+)?")


class Span(NamedTuple):
    """A definition or scope, in bytes. Its signature goes from `head` to `body`; `body` is -1 where it is the line it stands on."""

    start: int
    end: int
    kind: str
    head: int
    body: int


def spans_of(nodes: Mapping[str, list[Node]], source: bytes) -> list[Span]:
    """All definitions and scopes, outer ones before those inside."""
    marks = _Marks(nodes.get("mark", ()), source)
    wraps = {end: start for start, end in sorted(((node.start_byte, node.end_byte) for node in nodes.get("wrap", ())), reverse=True)}
    bodies = sorted((node.end_byte, node.start_byte) for node in nodes.get("body", ()))
    spans: dict[tuple[int, int], Span] = {}
    for capture, kind in _CAPTURES.items():
        for node in nodes.get(capture, ()):
            start, end = node.start_byte, node.end_byte
            if (start, end) in spans:
                continue
            if kind in _ONE_LINE or kind is SCOPE:
                spans[start, end] = Span(marks.before(start), end, kind, start, -1)
                continue
            first = min(start, wraps.get(end, start), wraps.get(end + 1, start))
            body = _body(node)
            signed = body.start_byte if body is not None else _first_body(bodies, start, end)
            if signed == end and kind in _BRACED:
                brace = source.find(b"{", first, end)
                signed = brace if brace >= 0 else end
            spans[start, end] = Span(marks.before(first), end, kind, marks.after(first), signed)
    return sorted(spans.values(), key=_order)


def _first_body(bodies: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """Where the outermost body begins that ends with a definition; `end` where there is none."""
    place = bisect_right(bodies, (end, start))
    return bodies[place][1] if place < len(bodies) and bodies[place][0] == end else end


def _body(node: Node) -> Node | None:
    """Its own, or that of the function that is assigned here."""
    body = node.child_by_field_name("body")
    if body is None and (value := node.child_by_field_name("value") or node.child_by_field_name("right")) is not None:
        body = value.child_by_field_name("body")
    return body


def _order(span: Span) -> tuple[int, int]:
    return span.start, -span.end


class _Marks:
    """Decorators and the like, by what they touch."""

    def __init__(self, nodes: Sequence[Node], source: bytes) -> None:
        self._ends: dict[int, int] = {}
        self._starts: dict[int, int] = {}
        for start, end in sorted((node.start_byte, node.end_byte) for node in nodes):
            between = _BETWEEN.match(source, end)
            behind = between.end() if between is not None else end
            self._ends[start] = behind
            self._starts[behind] = self._starts.get(start, start)
            if (export := _EXPORT.match(source, behind)) is not None:
                self._starts[export.end()] = self._starts[behind]

    def before(self, place: int) -> int:
        """Where the first of those begins that stand directly before `place`; else `place`."""
        return self._starts.get(place, place)

    def after(self, place: int) -> int:
        """Where the last of those ends that stand directly at `place`; else `place`."""
        while (behind := self._ends.get(place)) is not None:
            place = behind
        return place
