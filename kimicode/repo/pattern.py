"""Which names a regular expression looks for, so that a search can answer about them.

What this module does not do: match.
"""

import re
from typing import Final

_MAX_NAMES: Final = 4
_BOUNDARY: Final = re.compile(r"\\[bB<>]|\\s[*+?]?|[\^$]|\\[()\[\]{}.:,=\"'/ -]")
_LOOSE: Final = re.compile(r"\\[wWdDSpP]|\.[*+?]|\[[^\]]*\]|[*+?]|\{\d+(?:,\d*)?\}|\.")
_CHAIN: Final = re.compile(r"\\\.|::|->|(?<=\w)\.(?=[^\W\d])")
_KEYWORDS: Final = frozenset(
    "def class async function func fn fun struct enum interface trait impl type typedef union import from include use using "
    "require package const let var val static final public private protected abstract export default new return extends "
    "implements override open data object module namespace macro define self this void int raise throw await yield if in is "
    "not and or".split()
)


def names_in(pattern: str) -> tuple[str, ...]:
    r"""The identifiers that `pattern` looks for whole or as the beginning of a longer one; empty where it looks for text.

    `class\s+Foo\b` looks for `Foo`, `foo|bar` for both, `a\.run\(` for `run`, `get_\w+` and `no such file` for none.
    """
    if "(?" in pattern.replace("(?:", ""):
        return ()
    names: list[str] = []
    for part in pattern.replace("(?:", "(").split("|"):
        words = _words(part)
        if words is None:
            return ()
        names += words
    unique = tuple(dict.fromkeys(names))
    return unique if len(unique) <= _MAX_NAMES else ()


def _words(part: str) -> list[str] | None:
    """The name that one alternative looks for; None where it is text."""
    dotted = _CHAIN.sub("\x01", part)
    flat = _LOOSE.sub("\0", _BOUNDARY.sub(" ", dotted))
    chains = [chain for chain in re.split(r"[^\w\x00\x01]+", flat) if chain]
    names = [chain.split("\x01")[-1] for chain in chains]
    kept = [name for name in names if name and name not in _KEYWORDS]
    if len(kept) != 1 or len(kept[0]) < 2 or not kept[0].isidentifier():
        return None
    return kept
