"""Uniform re-indentation: by which one rule a model's indentation becomes the file's.

A rule is a conversion (none, blanks to tabs, tabs to blanks) and one constant shift, and it must explain every line that was matched.
Several rules may; then they must agree on the new lines too, or there is no answer. What this module does not do: treat lines one by one.
"""

from collections.abc import Sequence
from math import gcd
from typing import Final, Literal

import msgspec

from kimicode.edit.lines import UNITS

Conversion = Literal["none", "tabs", "blanks"]

Pairs = Sequence[tuple[str, str]]
"""The file's indentation and the model's, for each line that is not blank."""


class Rule(msgspec.Struct, frozen=True):
    """Convert to tabs or blanks with `width` blanks a tab, then put `added` before it or take `removed` away."""

    convert: Conversion
    width: int
    added: str
    removed: str

    def apply(self, indent: str) -> str | None:
        """The file's indentation for the model's `indent`; None where there is less than has to be taken away."""
        converted = _converted(indent, self.convert, self.width)
        return self.added + converted[len(self.removed) :] if converted.startswith(self.removed) else None


def explains(pairs: Pairs) -> bool:
    """True when some rule makes every first of a pair out of its second."""
    return _rule(pairs, "none", 0) is not None or bool(_converting(pairs))


def reindented(pairs: Pairs, new: Sequence[str], unit: int) -> dict[str, str] | None:
    """What each indentation in `new` becomes in the file, whose own `unit` is so many blanks (0: not known). None: not certain."""
    plain = _rule(pairs, "none", 0)
    if plain is not None and (result := _results(plain, new)) is not None and not _mixes(result, pairs):
        return result
    found = _converting(pairs)
    steady = [rule for rule in found if not rule.added and not rule.removed]
    trusted = [rule for rule in found if rule in steady or rule.width == (_step(pairs, new) if rule.convert == "tabs" else unit)]
    answers = [_results(rule, new) for rule in trusted or found]
    return answers[0] if answers and all(answer == answers[0] for answer in answers) else None


def _converting(pairs: Pairs) -> list[Rule]:
    found = [_rule(pairs, convert, width) for convert in _CONVERSIONS for width in UNITS]
    return [rule for rule in found if rule is not None]


_CONVERSIONS: Final[tuple[Conversion, ...]] = ("tabs", "blanks")


def _rule(pairs: Pairs, convert: Conversion, width: int) -> Rule | None:
    converted = [(have, _converted(sent, convert, width)) for have, sent in pairs]
    have, sent = converted[0]
    added = have.removesuffix(sent) if have.endswith(sent) else ""
    removed = sent.removesuffix(have) if sent.endswith(have) else ""
    rule = Rule(convert, width, added, removed)
    return rule if all(rule.apply(theirs) == ours for ours, theirs in pairs) else None


def _converted(indent: str, convert: Conversion, width: int) -> str:
    match convert:
        case "none":
            return indent
        case "blanks":
            return indent.replace("\t", " " * width)
        case "tabs":
            columns = len(indent.replace("\t", " " * width))
            return "\t" * (columns // width) + " " * (columns % width)


def _results(rule: Rule, new: Sequence[str]) -> dict[str, str] | None:
    results = {indent: rule.apply(indent) for indent in new}
    known = {indent: result for indent, result in results.items() if result is not None}
    return known if len(known) == len(results) else None


def _mixes(results: dict[str, str], pairs: Pairs) -> bool:
    """True when lines would get tabs beside blanks, and no line that is there has both: the model's unit is then not the file's."""
    mixed = any("\t" in indent and " " in indent for indent in results.values())
    return mixed and not any("\t" in have and " " in have for have, _ in pairs)


def _step(pairs: Pairs, new: Sequence[str]) -> int:
    return gcd(*(len(indent) for indent in [*(sent for _, sent in pairs), *new] if indent))
