"""Definitions and references in the order of the text: which name is whose, and what lies in what.

What this module does not do: find any of them (`spans`, `uses`).
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import msgspec

from kimicode.repo.extract.dialects import Dialect
from kimicode.repo.extract.signatures import line_of, signature_of
from kimicode.repo.extract.spans import OWN, PROMOTED, PROTOTYPE, SCOPE, Span
from kimicode.repo.symbols import Definition, DefinitionKind, Reference, ReferenceKind

_HOLDERS: Final = frozenset("class interface trait protocol struct enum union object extension".split())
"""Kinds whose functions are methods, and whose variables are fields."""

_HELD: Final = {"function": "method", "variable": "field"}
_HIDDEN: Final = {OWN: "field", PROMOTED: "field", PROTOTYPE: "function"}
"""The kinds of captures that are looked at more closely before they are definitions."""

_CALLABLE: Final = frozenset(("function", "method", "constructor", "macro", "property", "field", "constant", "variable", SCOPE))
"""Variables inside of them are local."""

_LOCAL: Final = frozenset(("variable", "constant", "property", PROTOTYPE))
_ONCE: Final = frozenset(("variable", "constant", "field"))
"""Kinds that are defined where they are first assigned."""

_OBJECTS: Final = (b"self.", b"this.", b"@", b"$this->")


def names_of(spans: Sequence[Span], names: Mapping[int, int]) -> dict[int, int]:
    """Where the name of each span begins, by the span's place in `spans`, which are sorted: outer ones before those inside.

    A name belongs to the innermost span around it that has none yet.
    """
    events = [(span.start, 0, number) for number, span in enumerate(spans)]
    events += [(start, 1, 0) for start in names]
    events.sort()
    found: dict[int, int] = {}
    opened: list[int] = []
    for start, what, number in events:
        while opened and spans[opened[-1]].end <= start:
            opened.pop()
        if what == 0:
            opened.append(number)
            continue
        owner = next((span for span in reversed(opened) if span not in found and spans[span].kind != SCOPE), None)
        if owner is not None:
            found[owner] = start
    return found


class Sweep:
    """What is found so far, in the order of the text. `lines` are the places in bytes at which lines begin."""

    def __init__(self, dialect: Dialect, source: bytes, lines: Sequence[int]) -> None:
        self.definitions: list[Definition] = []
        self._bounds: list[tuple[int, int, int]] = []
        self._dialect = dialect
        self._source = source
        self._lines = lines
        self._open: list[tuple[int, int, str]] = []
        self._once: set[tuple[int, str]] = set()
        self._texts: dict[bytes, str] = {}

    def define(self, spans: Sequence[Span], names: Mapping[int, int]) -> None:
        """Find the definitions among `spans`, which are sorted. `names` are ends by starts."""
        begins = names_of(spans, names)
        opened = self._open
        for number, span in enumerate(spans):
            while opened and opened[-1][0] <= span.start:
                opened.pop()
            start = begins.get(number)
            if start is not None:
                self._define(span, start, names[start])
            elif span.kind == SCOPE:
                opened.append((span.end, self._around(), SCOPE))

    def refer(self, uses: Mapping[int, tuple[int, ReferenceKind]]) -> Iterator[Reference]:
        """The references, each with what it lies in. Comes after `define`."""
        bounds = [*self._bounds, (len(self._source) + 1, 0, 0)]
        opened: list[tuple[int, int]] = [(len(self._source) + 1, -1)]
        stop, within = opened[0]
        place = 0
        text, lines = self._text, self._lines
        for start, (end, kind) in sorted(uses.items()):
            while bounds[place][0] <= start:
                opened.append(bounds[place][1:])
                place += 1
                stop, within = opened[-1]
            while stop <= start:
                opened.pop()
                stop, within = opened[-1]
            yield Reference(text(start, end), kind, bisect_right(lines, start), within)

    def _text(self, start: int, end: int) -> str:
        raw = self._source[start:end]
        try:
            return self._texts[raw]
        except KeyError:
            text = self._texts[raw] = raw.decode("utf-8", "replace")
            return text

    def _line_at(self, place: int) -> int:
        return bisect_right(self._lines, place)

    def _around(self) -> int:
        return self._open[-1][1] if self._open else -1

    def _define(self, span: Span, start: int, end: int) -> None:
        name = self._text(start, end).removeprefix(":")
        parent = self._parent(span)
        if parent is None:
            return
        kind = self._kind(span.kind, name, self.definitions[parent].kind if parent >= 0 else "")
        if kind in _ONCE:
            if (parent, name) in self._once:
                return
            self._once.add((parent, name))
        if self._dialect.merges and self._goes_on(name, kind, parent, span):
            return
        index = len(self.definitions)
        first, last = self._line_at(span.start), self._line_at(max(start, span.end - 1))
        self.definitions.append(
            Definition(
                name, kind, first, last, parent, self._signature(span, crowded=parent >= 0 and self.definitions[parent].line == first)
            )
        )
        self._bounds.append((span.start, span.end, index))
        self._open.append((span.end, index, kind))

    def _goes_on(self, name: str, kind: DefinitionKind, parent: int, span: Span) -> bool:
        """True where the last definition is another piece of the same; then it is longer now."""
        last = self.definitions[-1] if self.definitions else None
        if last is None or (last.name, last.kind, last.parent) != (name, kind, parent):
            return False
        index = len(self.definitions) - 1
        self.definitions[index] = msgspec.structs.replace(last, end_line=self._line_at(span.end - 1))
        self._bounds.append((span.start, span.end, index))
        self._open.append((span.end, index, kind))
        return True

    def _parent(self, span: Span) -> int | None:
        """The place of the enclosing definition, -1 for none; None for what is no definition: a local variable, another object's field."""
        if span.kind in (OWN, PROMOTED):
            if span.kind == OWN and not self._source.startswith(_OBJECTS, span.start):
                return None
            return next((index for _, index, kind in reversed(self._open) if kind in _HOLDERS), None)
        kind = self._open[-1][2] if self._open else ""
        if span.kind == "field":
            # In a constructor of a type, which is a constant here, as in a class; but not in a type without a name.
            return self._around() if kind and (kind == "constant" or kind not in _CALLABLE) else None
        if span.kind in _LOCAL and kind in _CALLABLE:
            return None
        return self._around()

    def _kind(self, kind: str, name: str, parent: str) -> DefinitionKind:
        kind = _HIDDEN.get(kind, kind)
        if kind == "variable" and self._dialect.upper_constants and name.isupper():
            kind = "constant"
        elif parent in _HOLDERS:
            kind = "constructor" if kind in ("function", "method") and name in self._dialect.constructors else _HELD.get(kind, kind)
        return cast(DefinitionKind, kind)

    def _signature(self, span: Span, *, crowded: bool) -> str:
        if span.body < 0:
            return line_of(self._source, span.start, crowded=crowded)
        return signature_of(self._source, span.head, span.body)
