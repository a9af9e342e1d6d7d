"""How a JSON text that has begun can end soonest: the plan that a guide follows when room runs out.

A matcher knows what may come next but not what lies behind it, so the way is searched: whatever is forced, then closing marks where
they may stand, then the simplest value, and inside a string whose pattern is not satisfied yet the byte that was tried longest ago.
What this module does not do: find the shortest way of all, or decide when it is needed.
"""

import random
from dataclasses import dataclass, replace
from typing import Final

from llguidance import LLMatcher

from engine.guide_vocabulary import Vocabulary

LONGEST: Final = 4096
"""Steps after which a search gives up."""

_OUTSIDE: Final = b'}],:0"123456789tfn[{-.eE+ '  # the order in which bytes are tried outside strings
_PROBES: Final = b'"@.-:/+_#%&,;=?! ~()[]{}<>|$^*aezAEZ0159tT\xc3'  # bytes that tell places in a pattern apart
_SAMPLES: Final = (
    *("2000-01-01", "00:00:00Z", "2000-01-01T00:00:00Z", "P1D", "a@a.aa", "a.aa", "1.1.1.1", "::1", "a:a", "/"),
    "00000000-0000-0000-0000-000000000000",
)
_SEEDS: Final = (None, 1, 2)  # without a seed, then at random, for patterns in which the first order of bytes goes round in circles


@dataclass(slots=True)
class JsonText:
    """Where a text of valid JSON stands: in a string or not, how many brackets are open, how many bytes a number has had so far.

    `outside` counts all bytes outside strings.
    """

    in_string: bool = False
    depth: int = 0
    number: int = 0
    outside: int = 0
    escaped: bool = False

    def feed(self, text: bytes) -> None:
        """More of the text."""
        for byte in text:
            if self.in_string:
                self._in_string(byte)
            else:
                self._out_of_string(byte)

    def _in_string(self, byte: int) -> None:
        if self.escaped:
            self.escaped = False
        elif byte == ord("\\"):
            self.escaped = True
        elif byte == ord('"'):
            self.in_string = False

    def _out_of_string(self, byte: int) -> None:
        self.outside += 1
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
        self._seen: set[bytes] = set()

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
        for byte in b'"' if self._text.in_string else _OUTSIDE:
            token = self._vocabulary.byte[byte]
            if self._matcher.validate_tokens([token]):
                return [token]
        return self._sample() or self._byte()

    def _sample(self) -> list[int]:
        """The rest of a string of a well-known format, where one fits."""
        for sample in _SAMPLES if self._text.in_string else ():
            tokens = self._vocabulary.encode(sample + '"')
            if self._matcher.validate_tokens(tokens) == len(tokens):
                return tokens
        return []

    def _byte(self) -> list[int]:
        """A byte that leads on: to the end of the string, else to a place that looks new, else the one tried longest ago."""
        possible = [byte for byte, token in self._vocabulary.byte.items() if self._matcher.validate_tokens([token])]
        if not possible:
            return []
        if self._random:
            return [self._vocabulary.byte[self._random.choice(possible)]]
        looks = {byte: self._look(byte) for byte in possible if byte in _PROBES or len(possible) < len(_PROBES)}
        new = [byte for byte, look in looks.items() if look not in self._seen]
        byte = min(new or possible, key=lambda byte: (not looks.get(byte, b"").startswith(b'"'), self._tried.get(byte, -1)))
        self._tried[byte] = max(self._tried.values(), default=0) + 1
        self._seen.add(looks.get(byte, b""))
        return [self._vocabulary.byte[byte]]

    def _look(self, byte: int) -> bytes:
        """What a place looks like: which of the probes may follow it. The closing quote is the first."""
        after = self._matcher.deep_copy()
        after.consume_token(self._vocabulary.byte[byte])
        return bytes(probe for probe in _PROBES if after.validate_tokens([self._vocabulary.byte[probe]]))
