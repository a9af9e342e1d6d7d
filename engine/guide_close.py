"""How a JSON text that has begun can end soonest: the plan that a guide follows when room runs out.

A matcher knows what may come next but not what lies behind it, so the way is searched: whatever is forced, then closing marks where
they may stand, then the simplest value, and inside a string whose pattern is not satisfied yet the byte that was tried longest ago.
What this module does not do: find the shortest way of all, or decide when it is needed.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from llguidance import LLMatcher

from engine.guide_vocabulary import Vocabulary, contains

LONGEST: Final = 4096
"""Steps after which a search gives up."""

_OUTSIDE: Final = b'}],:0"123456789tfn[{-.eE+ '  # the order in which bytes are tried outside strings
_SEEDS: Final = (None, 1, 2)  # without a seed, then at random, for patterns in which the first order of bytes goes round in circles


@dataclass(slots=True)
class JsonText:
    """Where a text of valid JSON stands: in a string or not, how many brackets are open, how many bytes a number has had so far."""

    in_string: bool = False
    depth: int = 0
    number: int = 0
    escaped: bool = False

    def feed(self, text: bytes) -> None:
        """More of the text."""
        for byte in text:
            if self.in_string:
                self._in_string(byte)
            else:
                self._outside(byte)

    def _in_string(self, byte: int) -> None:
        if self.escaped:
            self.escaped = False
        elif byte == ord("\\"):
            self.escaped = True
        elif byte == ord('"'):
            self.in_string = False

    def _outside(self, byte: int) -> None:
        self.number = self.number + 1 if byte in b"0123456789+-.eE" else 0
        if byte == ord('"'):
            self.in_string = True
        elif byte in b"{[":
            self.depth += 1
        elif byte in b"}]":
            self.depth -= 1


def shortest(matcher: LLMatcher, text: JsonText, vocabulary: Vocabulary) -> list[int] | None:
    """Tokens that complete the text `matcher` is in, few of them; None where none were found. `matcher` and `text` stay as they are."""
    tries = (_Search(matcher.deep_copy(), replace(text), vocabulary, seed).run() for seed in _SEEDS)
    return next((plan for plan in tries if plan is not None), None)


class _Search:
    """One try. `seed` shuffles what is tried inside strings."""

    def __init__(self, matcher: LLMatcher, text: JsonText, vocabulary: Vocabulary, seed: int | None) -> None:
        self._matcher = matcher
        self._text = text
        self._vocabulary = vocabulary
        self._random = random.Random(seed) if seed is not None else None
        self._tried: dict[int, int] = {}

    def run(self) -> list[int] | None:
        """The tokens, or None where the search got stuck or too long."""
        plan: list[int] = []
        while not self._matcher.is_accepting():
            tokens = self._forced() or self._choice()
            if not tokens or len(plan) > LONGEST or not self._matcher.consume_tokens(tokens):
                return None
            for token in tokens:
                self._text.feed(self._vocabulary.text_of(token))
            plan += tokens
        return plan

    def _forced(self) -> list[int]:
        """The tokens of the only text that may follow, if there is only one."""
        forced = self._matcher.compute_ff_bytes()
        try:
            tokens = self._vocabulary.encode(forced.decode())
        except UnicodeDecodeError:
            return []
        return tokens if self._matcher.validate_tokens(tokens) == len(tokens) else []

    def _choice(self) -> list[int]:
        order: Iterable[int] = b'"' if self._text.in_string else _OUTSIDE
        for byte in order:
            token = self._vocabulary.byte[byte]
            if self._matcher.validate_tokens([token]):
                return [token]
        mask = self._vocabulary.allowed(self._matcher)
        possible = [byte for byte, token in self._vocabulary.byte.items() if contains(mask, token)]
        if not possible:
            return []
        byte = self._random.choice(possible) if self._random else min(possible, key=lambda byte: self._tried.get(byte, -1))
        self._tried[byte] = len(self._tried) if byte not in self._tried else max(self._tried.values()) + 1
        return [self._vocabulary.byte[byte]]
