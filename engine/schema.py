"""JSON Schemas from users, looked at before they become grammars: what to leave out of them, and how much of a text they can demand.

Three questions, all answered purely: which nodes are schemas (`subschemas`), what is left of a schema without the keywords that no
grammar expresses (`weakened`), and how many tokens one choice can add to the shortest text that still validates (`growth`).
What this module does not do: validate anything, compile grammars (`engine.guide_grammar`), or fetch what a `$ref` names elsewhere.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

JsonSchema: TypeAlias = Mapping[str, object] | bool
"""A JSON Schema as decoded JSON, of about draft 2020-12: `True` and `{}` allow everything."""

ANY_OBJECT: Final[Mapping[str, object]] = {"type": "object"}
"""What a tool takes whose schema is unknown or useless."""

MAX_DEPTH: Final = 60
"""Schemas nested deeper than this many levels are not looked into: no person writes them, and Python's stack is finite."""

INEXPRESSIBLE: Final = frozenset(
    (
        *("not", "if", "then", "else", "uniqueItems", "contains", "minContains", "maxContains", "propertyNames", "dependencies"),
        *("dependentRequired", "dependentSchemas", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"),
    )
)
"""Keywords that constrain, but that llguidance has no grammar for."""

_OPTIONS_OF_GRAMMAR: Final = "x-guidance"  # llguidance reads its own settings from this key; they are not the user's to change
_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_SINGLES: Final = ("items", "additionalItems", "additionalProperties")

Path: TypeAlias = tuple[str, ...]
Node: TypeAlias = Mapping[str, object]
Visit: TypeAlias = Callable[[dict[str, object], Path], dict[str, object]]


def depth(value: object) -> int:
    """How deeply lists and objects nest in `value`, at most one more than `MAX_DEPTH`."""
    level, layer = 0, [value]
    while layer and level <= MAX_DEPTH:
        nested = [item for item in layer if isinstance(item, dict | list)]
        layer = [child for item in nested for child in (item.values() if isinstance(item, dict) else item)]
        level += bool(nested)
    return level


def rewrite(schema: Node, visit: Visit, path: Path = ()) -> Node:
    """A copy of `schema` in which `visit` has replaced every schema that is an object; it sees a node before the nodes inside."""

    def inner(child: object, *steps: str) -> object:
        return rewrite(child, visit, (*path, *steps)) if isinstance(child, Mapping) else child

    node = visit(dict(schema), path)
    for key, value in node.items():
        match value:
            case dict() if key in _MAPS:
                node[key] = {name: inner(child, key, name) for name, child in value.items()}
            case list() if key in _LISTS:
                node[key] = [inner(child, key, str(number)) for number, child in enumerate(value)]
            case dict() if key in _SINGLES:
                node[key] = inner(value, key)
            case _:
                pass
    return node


def subschemas(schema: Node) -> Iterator[Node]:
    """Every schema in `schema` that is an object, itself included."""
    found: list[Node] = []

    def note(node: dict[str, object], _path: Path) -> dict[str, object]:
        found.append(node)
        return node

    rewrite(schema, note)
    yield from found


def weakened(schema: Node, bad: Callable[[Node], bool]) -> tuple[Node, tuple[str, ...]]:
    """`schema` without what no grammar expresses, and the places that lost something, as `properties.a: not`.

    `bad` says of a string schema with one `pattern` or one `format` that it does not compile. A format nobody knows is left out
    silently: in JSON Schema it asserts nothing.
    """
    lost: list[str] = []

    def visit(node: dict[str, object], path: Path) -> dict[str, object]:
        node.pop(_OPTIONS_OF_GRAMMAR, None)
        dropped = [key for key in node if key in INEXPRESSIBLE]
        if "pattern" in node and bad({"type": "string", "pattern": node["pattern"]}):
            dropped.append("pattern")
        if isinstance(names := node.get("patternProperties"), dict):
            worse = {name for name in names if bad({"type": "string", "pattern": name})}
            node["patternProperties"] = {name: child for name, child in names.items() if name not in worse}
            dropped += ["patternProperties"] if worse else []
        lost.extend(f"{'.'.join(path) or 'schema'}: {key}" for key in dropped)
        if "format" in node and bad({"type": "string", "format": node["format"]}):
            dropped.append("format")
        return {key: value for key, value in node.items() if key not in dropped}

    return rewrite(schema, visit), tuple(lost)


def without_settings(schema: Node) -> Node:
    """`schema` without settings of the grammar compiler that it may carry."""
    return rewrite(schema, lambda node, _path: {key: value for key, value in node.items() if key != _OPTIONS_OF_GRAMMAR})


def growth(schema: Node, tokens: Callable[[str], int]) -> int:
    """At most how many tokens longer one choice makes the shortest text that completes a value of `schema`.

    `tokens` counts the tokens of a text. An upper estimate: the dearest smallest instance of any schema in it, its name included.
    """
    measure = _Measure(schema, tokens)
    return max((measure.choice(node) for node in subschemas(schema)), default=0)


class _Measure:
    """The cost in tokens of the smallest instance of each node of one schema; upper estimates, blind to keywords that forbid."""

    def __init__(self, root: object, tokens: Callable[[str], int]) -> None:
        self._root = root
        self._tokens = tokens
        self._known: dict[int, int] = {}

    def choice(self, node: Mapping[str, object]) -> int:
        """What beginning an instance of `node`, or naming any of its properties, may cost."""
        named = [self._member(name, child) for name, child in _mapping(node.get("properties")).items()]
        named += [self._pattern(name) + 3 + self.smallest(child) for name, child in _mapping(node.get("patternProperties")).items()]
        return max([self.smallest(node), *named])

    def smallest(self, node: object) -> int:
        if not isinstance(node, Mapping):
            return 2
        if id(node) not in self._known:
            self._known[id(node)] = 0  # a reference back to here: no smallest instance contains itself
            self._known[id(node)] = self._object(node) + self._array(node) + self._scalar(node) + self._combined(node)
        return self._known[id(node)]

    def _member(self, name: str, node: object) -> int:
        return self._tokens(name) + 4 + self.smallest(node)

    def _object(self, node: Mapping[str, object]) -> int:
        properties = _mapping(node.get("properties"))
        required = [name for name in _list(node.get("required")) if isinstance(name, str)]
        return sum(self._member(name, properties.get(name, True)) for name in required) + 6 * _count(node.get("minProperties"))

    def _array(self, node: Mapping[str, object]) -> int:
        items, first = node.get("items"), [*_list(node.get("prefixItems")), *_list(node.get("items"))]
        count = _count(node.get("minItems"))
        return sum(1 + self.smallest(item) for item in first[:count]) + max(0, count - len(first)) * (1 + self.smallest(items))

    def _scalar(self, node: Mapping[str, object]) -> int:
        cost = 2 + _count(node.get("minLength"))
        if isinstance(pattern := node.get("pattern"), str):
            cost += self._pattern(pattern)
        if "format" in node:
            cost += 40
        if not node.keys().isdisjoint(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")):
            cost += 20
        values = [*_list(node.get("enum")), *([node["const"]] if "const" in node else [])]
        return cost + max((self._tokens(str(value)) + 2 for value in values), default=0)

    def _pattern(self, pattern: str) -> int:
        """The length of a text that matches, about: each character of the pattern once, and what its counts repeat."""
        counts = [int(number) for number in "".join(c if "0" <= c <= "9" else " " for c in pattern).split() if len(number) < 5]
        return len(pattern) + sum(counts)

    def _combined(self, node: Mapping[str, object]) -> int:
        options = [*_list(node.get("anyOf")), *_list(node.get("oneOf"))]
        target = self._resolve(node["$ref"]) if isinstance(node.get("$ref"), str) else None
        whole = [*_list(node.get("allOf")), *([target] if target is not None else [])]
        return sum(map(self.smallest, whole)) + max(map(self.smallest, options), default=0)

    def _resolve(self, reference: object) -> object:
        """What a reference within this schema names; None for any other."""
        place: object = self._root
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        for step in reference[1:].split("/")[1:]:
            place = _mapping(place).get(step.replace("~1", "/").replace("~0", "~"))
        return place


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _count(value: object) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 1_000_000 else 0
