"""One pass over definitions, their names and references in the order of the text: what lies in what.

What this module does not do: find any of them (`spans`, `uses`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, cast

from kimicode.repo.extract.dialects import Dialect
from kimicode.repo.extract.signatures import line_of, signature_of
from kimicode.repo.extract.spans import OWN, SCOPE, Span
from kimicode.repo.symbols import Definition, DefinitionKind, Reference, ReferenceKind

_HOLDERS: Final = frozenset("class interface trait protocol struct enum union object extension".split())
"""Kinds whose functions are methods, and whose variables are fields."""

_HELD: Final = {"function": "method", "variable": "field"}
_CALLABLE: Final = frozenset(("function", "method", "constructor", "macro", "property", "field", "constant", "variable", SCOPE))
"""Variables inside of them are local."""

_LOCAL: Final = frozenset(("variable", "constant", "field"))


def _place(event: tuple[int, int, int, Span | None]) -> tuple[int, int, int]:
    return event[:3]


class _Open:
    """A definition or scope that the sweep is inside of. `index` is -1 until it is named."""

    __slots__ = ("index", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self.index = -1


class Sweep:
    """What is found so far, in the order of the text. `line_at` gives a line by a place in bytes."""

    def __init__(self, dialect: Dialect, source: bytes, line_at: Callable[[int], int]) -> None:
        self.definitions: list[Definition] = []
        self._bounds: list[tuple[int, int, int]] = []
        self._dialect = dialect
        self._source = source
        self._line_at = line_at
        self._open: list[_Open] = []
        self._variables: set[tuple[int, str]] = set()
        self._texts: dict[bytes, str] = {}

    def define(self, spans: Sequence[Span], names: Mapping[int, int]) -> None:
        """Find the definitions. A name belongs to the innermost definition around it that has none yet."""
        events: list[tuple[int, int, int, Span | None]] = [(span.start, 0, -span.end, span) for span in spans]
        events += [(start, 1, end, None) for start, end in names.items()]
        events.sort(key=_place)
        opened = self._open
        for start, _, end, span in events:
            while opened and opened[-1].span.end <= start:
                opened.pop()
            if span is None:
                self._name(start, end)
            else:
                opened.append(_Open(span))

    def refer(self, uses: Mapping[int, tuple[int, ReferenceKind]]) -> Iterator[Reference]:
        """The references, each with what it lies in. Comes after `define`."""
        bounds = sorted(self._bounds, reverse=True)
        opened: list[tuple[int, int]] = []
        text, line_at = self._text, self._line_at
        for start, (end, kind) in sorted(uses.items()):
            while bounds and bounds[-1][0] <= start:
                _, stop, index = bounds.pop()
                opened.append((-stop, index))
            while opened and opened[-1][0] <= start:
                opened.pop()
            yield Reference(text(start, end), kind, line_at(start), opened[-1][1] if opened else -1)

    def _text(self, start: int, end: int) -> str:
        raw = self._source[start:end]
        text = self._texts.get(raw)
        if text is None:
            text = self._texts[raw] = raw.decode("utf-8", "replace")
        return text

    def _name(self, start: int, end: int) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            here = self._open[place]
            if here.index < 0 and here.span.kind != SCOPE:
                self._define(place, start, end)
                return

    def _define(self, place: int, start: int, end: int) -> None:
        here, around = self._open[place], self._open[:place]
        name = self._text(start, end)
        parent = self._parent(here.span, around)
        if parent is None:
            del self._open[place]
            return
        kind = self._kind(here.span.kind, name, self.definitions[parent].kind if parent >= 0 else "")
        if kind in _LOCAL:
            if (parent, name) in self._variables:
                del self._open[place]
                return
            self._variables.add((parent, name))
        here.index = len(self.definitions)
        self._bounds.append((here.span.start, -here.span.end, here.index))
        self.definitions.append(
            Definition(
                name, kind, self._line_at(here.span.start), self._line_at(max(start, here.span.end - 1)), parent, self._signature(here.span)
            )
        )

    def _parent(self, span: Span, around: Sequence[_Open]) -> int | None:
        """The place of the enclosing definition, -1 for none; None for what is no definition: a local variable, another object's field."""
        if span.kind == OWN:
            if not self._source.startswith(b"self.", span.start):
                return None
            return next((outer.index for outer in reversed(around) if outer.index >= 0 and outer.span.kind in _HOLDERS), None)
        if span.kind in _LOCAL and around and around[-1].span.kind in _CALLABLE:
            return None
        return next((outer.index for outer in reversed(around) if outer.index >= 0), -1)

    def _kind(self, kind: str, name: str, parent: str) -> DefinitionKind:
        if kind == OWN:
            kind = "field"
        elif kind == "variable" and self._dialect.upper_constants and name.isupper():
            kind = "constant"
        elif parent in _HOLDERS:
            kind = _HELD.get(kind, kind)
        return cast(DefinitionKind, kind)

    def _signature(self, span: Span) -> str:
        if span.body < 0:
            return line_of(self._source, span.start)
        return signature_of(self._source, span.head, span.body)
