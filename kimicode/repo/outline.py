"""A file as lines of a map: its definitions one below the other, each with what it weighs before anybody's use of it counts.

An outline depends on the content alone (and the languages of its name). What this module does not do: choose what is shown.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec

from kimicode.repo.digest import family_of, is_inner, is_seen, name_of
from kimicode.repo.symbols import Definition, DefinitionKind, FileSymbols
from kimicode.tokens import count, count_lines

_WEIGHTS: Final[dict[DefinitionKind, int]] = {
    **dict.fromkeys(("class", "interface", "trait", "protocol", "struct", "object", "function"), 16),
    **dict.fromkeys(("enum", "type", "union", "extension"), 12),
    **dict.fromkeys(("method", "macro"), 8),
    **dict.fromkeys(("constructor", "property", "constant"), 4),
    **dict.fromkeys(("field", "variable"), 2),
    "namespace": 1,
}  # fmt: skip
_MOST: Final = 150
_MOST_OWN: Final = 7
_WIDTH: Final = 100
_RUN: Final = re.compile(r"(?<!')[A-Za-z]+|[0-9]{1,3}")
INDENT: Final = "  "


class Unit(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One line: the definition of the name `name`, below the line `parent` of its outline (-1: below the file).

    `text` ends its line and has `tokens` tokens, or, where that is negative, so many at least. `inner`: it belongs to a class. `weight` is
    that of its kind, `own` how often the file itself uses the name.
    """

    name: int
    inner: bool
    parent: int
    text: str
    tokens: int
    weight: int
    own: int

    def count(self) -> int:
        """The tokens of the line, counted where they are not known."""
        return self.tokens if self.tokens >= 0 else count(self.text)


def outline(symbols: FileSymbols, known: Mapping[str, int] | None = None) -> tuple[Unit, ...]:
    """The definitions that somebody outside could ask for, at most 150, in the order of the text.

    `known`: the tokens of lines, as far as they are known; others are not counted then. Without it all are.
    """
    uses = Counter(each.name for each in symbols.references)
    rows = symbols.definitions
    own = [min(_MOST_OWN, uses.get(each.name, 0)) for each in rows]
    first: dict[tuple[int, str, str], int] = {}
    for at, each in enumerate(rows):
        first.setdefault((each.parent, each.name, each.kind), at)
    # Of overloads, setters and the like, which are called the same, one line is enough.
    seen = [at for at in first.values() if is_seen(rows, at)]
    by_weight = sorted(seen, key=lambda at: (-_weight(rows[at]) * (1 + own[at]), at))
    kept = set(by_weight[:_MOST])
    places: dict[int, int] = {-1: -1}
    for at in sorted(kept):
        if _above(rows, at) in places:
            places[at] = len(places) - 1
    lines = list(places)[1:]
    texts = [INDENT * (_depth(rows, at) + 2) + one_line(rows[at].signature) + "\n" for at in lines]
    family = family_of(symbols)
    return tuple(
        Unit(name_of(family, rows[at].name), is_inner(rows, at), places[_above(rows, at)], text, tokens, _weight(rows[at]), own[at])
        for at, text, tokens in zip(lines, texts, _tokens(texts, known), strict=True)
    )


def _tokens(texts: list[str], known: Mapping[str, int] | None) -> list[int]:
    return count_lines(texts) if known is None else [known[text] if text in known else -least_tokens(text) for text in texts]


def least_tokens(text: str) -> int:
    """So many tokens a text has at least: in ASCII no token spans two runs of letters, or letters and digits, but for `'s` and its like."""
    return max(1, len(_RUN.findall(text))) if text.isascii() else 1


def one_line(text: str) -> str:
    """`text` as it may stand in a line: cut where it is long, and without what would break the line or can't be seen."""
    safe = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[: _WIDTH + 1]).strip()
    return safe if len(safe) <= _WIDTH else safe[: _WIDTH - 1].rstrip() + "…"


def _above(rows: tuple[Definition, ...], at: int) -> int:
    parent = rows[at].parent
    return -1 if parent >= 0 and rows[parent].kind == "module" else parent


def _depth(rows: tuple[Definition, ...], at: int) -> int:
    depth = -1
    while at >= 0 and rows[at].kind != "module":
        depth, at = depth + 1, rows[at].parent
    return depth


def _weight(definition: Definition) -> int:
    weight = _WEIGHTS.get(definition.kind, 2)
    if definition.name.startswith("__") and definition.name.endswith("__"):
        return max(1, weight // 4)
    return max(1, weight // 8) if definition.name.startswith("_") else weight
