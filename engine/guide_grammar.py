"""Schemas to grammars: what llguidance compiles, what has to be weakened first, and a bounded memory of both.

JSON is written without any whitespace but one optional space after a comma and a colon: K2.6 was trained on `{"a": 1, "b": 2}`,
compact JSON is as good, and more whitespace would let a lost model write nothing else. What this module does not do: follow a text.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from llguidance import LLMatcher

from engine.guide_vocabulary import Vocabulary
from engine.schema import ANY_OBJECT, MAX_DEPTH, JsonSchema, depth, growth, weakened, without_settings

KEPT: Final = 64
"""Compiled schemas that are remembered: several clients' tool lists."""

COPIES: Final = 32
"""Texts guided by copies of one compiled matcher. Copies share a lexer cache that makes them faster, but that only grows."""

_OPTIONS: Final = {
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "coerce_one_of": False,
    "lenient": False,
}


@dataclass(frozen=True)
class Grammar:
    """A schema ready to guide. `source` is llguidance's; `growth` is that of `engine.schema`; `lost` names what was weakened, and `why`.

    `lost` is empty where every guided text validates.
    """

    source: str
    growth: int
    lost: tuple[str, ...] = ()
    why: str = ""


class Grammars:
    """Compiles and remembers. Thread-safe."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._grammars: OrderedDict[str, Grammar] = OrderedDict()
        self._matchers: OrderedDict[str, tuple[LLMatcher, int]] = OrderedDict()

    def grammar(self, schema: JsonSchema, *, whole: Mapping[str, object] = ANY_OBJECT) -> Grammar:
        """The grammar of `schema`, weakened where need be, to `whole` in the end. Never raises."""
        try:
            key = json.dumps([schema, whole])
        except (ValueError, TypeError, RecursionError) as problem:
            return self._last_resort(whole, f"it is not JSON ({problem})")
        with self._lock:
            if key in self._grammars:
                self._grammars.move_to_end(key)
                return self._grammars[key]
        grammar = self._compiled(schema, whole)  # outside the lock: this can take a second for the largest schemas
        with self._lock:
            self._grammars[key] = grammar
            while len(self._grammars) > KEPT:
                self._grammars.popitem(last=False)
        return grammar

    def matcher(self, grammar: Grammar) -> LLMatcher:
        """A matcher at the beginning of a text."""
        with self._lock:
            known, left = self._matchers.pop(grammar.source, (None, 0))
        if known is None or not left:
            known, left = self._match(grammar.source), COPIES
        with self._lock:
            self._matchers[grammar.source] = (known, left - 1)
            while len(self._matchers) > KEPT:
                self._matchers.popitem(last=False)
        return known.deep_copy()

    def names(self, texts: Sequence[str]) -> LLMatcher:
        """A matcher of exactly one of `texts`."""
        return self._match(LLMatcher.grammar_from_lark("start: " + " | ".join(json.dumps(text, ensure_ascii=False) for text in texts)))

    def _match(self, source: str) -> LLMatcher:
        return LLMatcher(self._vocabulary.tokens, source, log_level=0)

    def _compiled(self, schema: JsonSchema, whole: Mapping[str, object]) -> Grammar:
        if depth(schema) > MAX_DEPTH:
            return self._last_resort(whole, f"it is nested more than {MAX_DEPTH} levels deep")
        if not (schema is True or isinstance(schema, Mapping)):
            return self._last_resort(whole, "it allows nothing: a schema is an object, or true")
        exact = without_settings({} if schema is True else schema)
        if not (why := self._problem(exact)):
            return self._grammar(exact)
        # A name of its own changes nothing unless somebody uses it, and then it does not compile without it; many are no usable names.
        nameless = {key: value for key, value in exact.items() if key != "$id"}
        if not self._problem(nameless):
            return self._grammar(nameless)
        weaker, lost = weakened(nameless, lambda part: bool(self._problem(part)))
        for options in ({}, {"coerce_one_of": True}):
            if not self._problem(weaker, options):
                return self._grammar(weaker, options, (*lost, *self._overlapping(weaker, options)), why)
        return self._by_property(weaker, lost, why) or self._last_resort(whole, why)

    def _by_property(self, schema: Mapping[str, object], lost: tuple[str, ...], why: str) -> Grammar | None:
        """The grammar that allows anything in the properties which do not compile by themselves."""
        if not isinstance(properties := schema.get("properties"), Mapping):
            return None
        options = {"coerce_one_of": True}
        shared = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
        bad = [name for name, part in properties.items() if self._problem({**shared, "properties": {name: part}}, options)]
        weaker = {**schema, "properties": {name: {} if name in bad else part for name, part in properties.items()}}
        if not bad or self._problem(weaker, options):
            return None
        lost = (*lost, *(f"properties.{name}: everything" for name in bad))
        return self._grammar(weaker, options, (*lost, *self._overlapping(weaker, options)), why)

    def _last_resort(self, whole: Mapping[str, object], why: str) -> Grammar:
        return self._grammar(whole, {}, ("schema: everything",), why)

    def _grammar(
        self, schema: Mapping[str, object], options: Mapping[str, bool] | None = None, lost: tuple[str, ...] = (), why: str = ""
    ) -> Grammar:
        count = growth(schema, lambda text: len(self._vocabulary.encode(text)))
        return Grammar(_source(schema, options or {}), count, lost, why)

    def _overlapping(self, schema: Mapping[str, object], options: Mapping[str, bool]) -> tuple[str, ...]:
        """A `oneOf` whose options may both hold became an `anyOf`; llguidance says so, but not where."""
        warnings = self._match(_source(schema, options)).get_grammar_warnings()
        return ("schema: oneOf",) if any("oneOf" in warning for warning in warnings) else ()

    def _problem(self, schema: Mapping[str, object], options: Mapping[str, bool] | None = None) -> str:
        """Why `schema` does not compile, in one line; empty if it does."""
        try:
            matcher = self._match(_source(schema, options or {}))
        except ValueError as problem:
            return _line(str(problem))
        return _line(matcher.get_error()) if matcher.is_error() else ""


def _source(schema: Mapping[str, object], options: Mapping[str, bool]) -> str:
    return LLMatcher.grammar_from_json_schema(json.dumps({**schema, "x-guidance": {**_OPTIONS, **options}}))


def _line(error: str) -> str:
    """The telling line of an error: regular expressions are drawn over several, with the reason last."""
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    reasons = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return reasons[0] if reasons else lines[0] if lines else "no reason given"
