"""Guided decoding: at each token, which tokens keep an answer within what its request asked for.

Inside a tool call's arguments, and in an answer of a required format, only tokens that keep the JSON valid for its schema are allowed,
and after it only the token that ends it. Where a call is required, everything from the end of the thinking to the arguments is forced.
Everywhere else the model is free, and `allowed` is None. The way K2.6 writes an answer is in `engine.parse`; whatever it does instead is
followed without complaint, as long as the caller lets it.

What this module does not do: sample, change a history, or judge text that was not guided. llguidance is behind `engine.guide_grammar`.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from functools import cached_property
from typing import Final

import numpy as np
from llguidance import LLMatcher
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.guide_grammar import Grammar, Grammars
from engine.guide_json import JsonGuide
from engine.guide_vocabulary import Bitmask, Vocabulary, penalties
from engine.parse import tool_name
from engine.schema import ANY_OBJECT, JsonSchema
from engine.tokenizer import Tokenizer


class _Marker(StrEnum):
    """The control tokens an answer is built of."""

    THINK = "<think>"
    UNTHINK = "</think>"
    SECTION_BEGIN = "<|tool_calls_section_begin|>"
    SECTION_END = "<|tool_calls_section_end|>"
    CALL_BEGIN = "<|tool_call_begin|>"
    ARGUMENT_BEGIN = "<|tool_call_argument_begin|>"
    CALL_END = "<|tool_call_end|>"
    TURN_END = "<|im_end|>"


_ENDS: Final = frozenset((_Marker.TURN_END, "[EOS]", "[EOT]", "<|im_user|>", "<|im_assistant|>", "<|im_system|>"))
_ENDS_ARGUMENTS: Final = frozenset((_Marker.CALL_END, _Marker.CALL_BEGIN, _Marker.SECTION_BEGIN, _Marker.SECTION_END))
_AFTER_CALL: Final = 3  # tokens: call end, section end, turn end
_ROOM_FOR_CALL: Final = 64  # tokens below which no further call is begun that is not needed


class GuideError(EngineError, ValueError):
    """What a request asks for can't be guided; the message says which tool or field and why."""

    exit_code = 2


@dataclass(frozen=True)
class GuideSpec:
    """What a request asks of an answer.

    `tools` are the declared tools' names and parameters; `answer` is the schema of the text after the thinking (`{"type": "object"}` for
    any JSON object). `required`: at least one call; `only`: exactly one call, of this tool; not `parallel`: at most one call.
    `first_index` is the number in a forced call's id (`functions.NAME:IDX`).
    """

    tools: tuple[tuple[str, JsonSchema], ...] = ()
    answer: JsonSchema | None = None
    required: bool = False
    only: str | None = None
    parallel: bool = True
    first_index: int = 0

    @property
    def forced(self) -> bool:
        """Whether a call must be made."""
        return self.required or self.only is not None


class Guides:
    """Guides for one model of `vocabulary` logits, ids the tokenizer doesn't know included. Thread-safe.

    What takes time, K2.6's vocabulary (0.5 s) and each new schema (1 to 100 ms), is made at the first `check` or `guide` that needs it
    and kept: `check` a request where waiting does no harm, and its `guide` is quick.
    """

    def __init__(self, tokenizer: Tokenizer, vocabulary: int) -> None:
        self._tokenizer = tokenizer
        self._size = vocabulary
        self._lock = threading.Lock()
        self._parts: _Parts | None = None

    def check(self, spec: GuideSpec) -> None:
        """Raises `GuideError` where `spec` can't be met: an `answer` beyond grammars, a forced tool that is not declared.

        Tools never fail here: what can't be guided of their schemas is left out (`weakened` tells).
        """
        names = [name for name, _ in spec.tools]
        if spec.only is not None and spec.only not in names:
            raise GuideError(f"tool_choice: there is no tool {spec.only!r} among the declared tools: declare it, or name one of {names}")
        if spec.required and not names:
            raise GuideError("tool_choice: 'required' needs tools: declare at least one")
        parts = self._ready()
        for _, schema in spec.tools:
            parts.tool(schema)
        if spec.answer is not None and (grammar := parts.answer(spec.answer)).lost:
            what = ", ".join(grammar.lost)
            raise GuideError(f"response_format: this schema can't be guided ({what}): {grammar.why}: simplify it, or ask in the prompt")

    def weakened(self, spec: GuideSpec) -> tuple[str, ...]:
        """What of the tools' schemas is not enforced, as `tool 'edit': properties.path: not`; empty where all of it is."""
        parts = self._ready()
        return tuple(f"tool {name!r}: {lost}" for name, schema in spec.tools for lost in parts.tool(schema).lost)

    def guide(self, spec: GuideSpec, *, thinking: bool, room: int) -> "Guide":
        """A guide for one answer of at most `room` tokens; `thinking` says whether the prompt ended in an open `<think>`."""
        return Guide(self._ready(), spec, thinking=thinking, room=room)

    def _ready(self) -> "_Parts":
        with self._lock:
            if self._parts is None:
                self._parts = _Parts(self._tokenizer, self._size)
            return self._parts


class _Parts:
    """What all guides of a model share. Nothing here changes but the grammars' memory, which has a lock."""

    def __init__(self, tokenizer: Tokenizer, size: int) -> None:
        self.vocabulary = Vocabulary(tokenizer, size, _Marker.TURN_END)
        self.grammars = Grammars(self.vocabulary)
        self.penalties = penalties()
        self.names = {token: name for name, token in tokenizer.control.items()}
        self._control = tokenizer.control_id

    def tool(self, schema: JsonSchema) -> Grammar:
        """The grammar of a call's arguments, which are an object whatever else the schema says."""
        if schema is True or (isinstance(schema, Mapping) and "type" not in schema):
            schema = {**({} if schema is True else schema), "type": "object"}
        return self.grammars.grammar(schema)

    def answer(self, schema: JsonSchema) -> Grammar:
        """The grammar of an answer; any JSON in the end."""
        return self.grammars.grammar(schema, whole={})

    def json(self, grammar: Grammar, end: str, tail: int) -> JsonGuide:
        """A guide for a JSON text that `end` ends."""
        return JsonGuide(self.grammars, self.vocabulary, grammar, self._control(end), tail)

    def only(self, *names: str) -> Bitmask:
        """These control tokens and no other token."""
        return self.vocabulary.mask(map(self._control, names))

    @cached_property
    def thoughts(self) -> Bitmask:
        """What may be thought where something must follow the thinking: text, and its end."""
        return self.vocabulary.text | self.only(_Marker.UNTHINK)


class _State(Enum):
    THINKING = auto()
    TEXT = auto()  # before any call
    SECTION = auto()  # in the tool section, between calls
    HEADER = auto()  # in a call's id
    ARGUMENTS = auto()
    CALLED = auto()  # after the tool section
    OVER = auto()


class Guide:
    """Where one answer stands. Ask `allowed` (or `apply`), then `accept` the token that was chosen; not thread-safe.

    `off` says why an answer or a call is no longer guided: a token came that was not allowed, or llguidance met a limit. `steered` says
    that room ran out and the guide itself, not the model, chose how a JSON text ends: such an answer is cut off, though valid.
    """

    def __init__(self, parts: _Parts, spec: GuideSpec, *, thinking: bool, room: int) -> None:
        self.off: str | None = None
        self.steered = False
        self._parts = parts
        self._spec = spec
        self._tools = dict(spec.tools)
        self._room = room
        self._calls = 0
        self._header = b""
        self._json: JsonGuide | None = None  # of the answer in TEXT, of the arguments in ARGUMENTS
        self._id: LLMatcher | None = None  # of a forced call's id
        self._untouched = True  # in TEXT: no token yet
        self._scratch: NDArray[np.float32] | None = None
        self._state = _State.THINKING
        if not thinking:
            self._begin_text()

    def allowed(self) -> Bitmask | None:
        """The tokens that may come next, never none of them; None: all. An array of the caller's own."""
        match self._state:
            case _State.THINKING:
                return self._parts.thoughts.copy() if self._spec.forced or self._spec.answer is not None else None
            case _State.TEXT:
                return self._in_text()
            case _State.SECTION:
                return self._between_calls()
            case _State.HEADER:
                return self._in_id()
            case _State.ARGUMENTS:
                return self._in_json()
            case _State.CALLED if self._spec.forced or not self._spec.parallel or self._spec.answer is not None:
                return self._parts.only(_Marker.TURN_END)
            case _:
                return None

    def apply(self, logits: NDArray[np.float32]) -> None:
        """Set the logits of all other tokens to -inf, in place; shape (vocabulary,)."""
        mask = self.allowed()
        if mask is None:
            return
        if self._scratch is None:
            self._scratch = np.empty((len(mask), 8), np.float32)
        # Looked up byte by byte and added: ten times as fast as indexing with booleans.
        np.take(self._parts.penalties, mask, axis=0, out=self._scratch, mode="clip")
        np.add(logits, self._scratch.reshape(-1)[: len(logits)], out=logits)

    def accept(self, token: int) -> None:
        """The next token of the answer. Any is followed; one that is not allowed ends the guiding of this answer or call."""
        self._room -= 1
        name = self._parts.names.get(token)
        called_instead = self._untouched and name == _Marker.SECTION_BEGIN
        self._untouched = False
        if self._json is not None and not called_instead and not self._json.accept(token):
            self._give_up(self._json.problem or f"token {token} is not allowed there")
        match self._state:
            case _State.OVER:
                return
            case _ if name in _ENDS:
                self._go(_State.OVER)
            case _State.ARGUMENTS if name not in _ENDS_ARGUMENTS:
                return
            case _ if name is not None:
                self._on_marker(name)
            case _State.SECTION | _State.HEADER:
                self._on_id(token)
            case _:
                return

    def _on_marker(self, name: str) -> None:
        match name:
            case _Marker.UNTHINK if self._state is _State.THINKING:
                self._begin_text()
            case _Marker.THINK:
                self._go(_State.THINKING)
            case _Marker.SECTION_BEGIN:
                self._go(_State.SECTION)
            case _Marker.SECTION_END if self._state is not _State.THINKING:
                self._go(_State.CALLED if self._calls else _State.TEXT)
            case _Marker.CALL_BEGIN:
                self._go(_State.HEADER)
                if self._spec.forced:
                    self._id = self._parts.grammars.names(self._ids())
            case _Marker.ARGUMENT_BEGIN if self._state in (_State.SECTION, _State.HEADER):
                self._begin_arguments()
            case _Marker.CALL_END if self._state in (_State.HEADER, _State.ARGUMENTS):
                self._go(_State.SECTION)
            case _:
                pass

    def _go(self, state: _State) -> None:
        self._state, self._header, self._json, self._id = state, b"", None, None

    def _begin_text(self) -> None:
        self._go(_State.TEXT)
        self._untouched = True
        if self._spec.answer is not None and not self._spec.forced:
            self._json = self._parts.json(self._parts.answer(self._spec.answer), _Marker.TURN_END, 1)

    def _begin_arguments(self) -> None:
        name = tool_name(self._header.decode("utf-8", "replace"))
        grammar = self._parts.tool(self._tools.get(name, ANY_OBJECT))
        self._go(_State.ARGUMENTS)
        self._calls += 1
        self._json = self._parts.json(grammar, _Marker.CALL_END, _AFTER_CALL)

    def _ids(self) -> list[str]:
        """The ids that a forced call may have."""
        names = [self._spec.only] if self._spec.only is not None else list(self._tools)
        return [f"functions.{name}:{self._spec.first_index + self._calls}" for name in names]

    def _on_id(self, token: int) -> None:
        self._header += self._parts.vocabulary.text_of(token)
        if self._id is not None and not self._id.consume_token(token):
            self._id, self.off = None, f"token {token} does not belong in a call's id"

    def _give_up(self, why: str) -> None:
        self.off, self._json = why, None

    def _in_text(self) -> Bitmask | None:
        if self._spec.forced and not self._calls:
            return self._parts.only(_Marker.SECTION_BEGIN)
        mask = self._in_json()
        if mask is not None and self._untouched and self._tools:
            mask |= self._parts.only(_Marker.SECTION_BEGIN)
        return mask

    def _between_calls(self) -> Bitmask | None:
        if self._spec.forced and not self._calls:
            return self._parts.only(_Marker.CALL_BEGIN)
        if self._calls and (self._spec.only is not None or not self._spec.parallel):
            return self._parts.only(_Marker.SECTION_END)
        if self._spec.forced:
            return self._parts.only(_Marker.SECTION_END, *([_Marker.CALL_BEGIN] if self._room > _ROOM_FOR_CALL else []))
        return None

    def _in_id(self) -> Bitmask | None:
        if self._id is None:
            return None
        mask = self._parts.vocabulary.allowed(self._id)
        return mask | self._parts.only(_Marker.ARGUMENT_BEGIN) if self._id.is_accepting() else mask

    def _in_json(self) -> Bitmask | None:
        if self._json is None:
            return None
        mask = self._json.allowed(self._room)
        self.steered = self.steered or self._json.steered
        if mask.any():
            return mask
        self._give_up(self._json.problem or "nothing may follow")
        return None
