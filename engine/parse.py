"""What the model generated, as it comes: token ids to reasoning, text and tool calls.

Markup is recognised by token id, never by spelling, so text that quotes `<|tool_call_begin|>` calls nothing. The grammar K2.6 was
trained on is

    REASONING </think> TEXT <section_begin> (<call_begin> ID <argument_begin> JSON <call_end>)* <section_end> <|im_end|>

and models wander from it in every way, so every token means something everywhere: calls inside the thinking end the thinking;
missing section, call and end markers are understood; an id may lack `functions.` or its index; control tokens inside arguments are
quotations. One thing is read from text: `<|tool_call_section_begin|>` and its end, a misspelling K2 models are known for, which
is dropped beside a real call.

What this module does not do: check arguments against a schema, rename ids, or decide when to stop generating (ask `done`).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Literal, TypeAlias

from engine.tokenizer import Tokenizer, Utf8Stream

FinishReason: TypeAlias = Literal["stop", "tool_calls", "length"]


@dataclass(frozen=True, slots=True)
class ReasoningText:
    """More of the model's thinking."""

    text: str


@dataclass(frozen=True, slots=True)
class ContentText:
    """More of the model's answer."""

    text: str


@dataclass(frozen=True, slots=True)
class CallBegun:
    """A tool call: its place in this answer, from 0, its id as the model wrote it, and the tool's name taken from the id."""

    index: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class CallArguments:
    """More of the arguments' JSON text of call `index`."""

    text: str
    index: int


@dataclass(frozen=True, slots=True)
class CallEnd:
    """Call `index` is whole. A call without this event was cut off and must not be run."""

    index: int


@dataclass(frozen=True, slots=True)
class ParsedCall:
    """A whole call; `arguments` is the model's text, JSON or not."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """The whole answer. `finish_reason` is `length` where generation ended without the model ending its turn or its calls."""

    reasoning: str
    content: str
    tool_calls: tuple[ParsedCall, ...]
    finish_reason: FinishReason


ParseEvent: TypeAlias = ReasoningText | ContentText | CallBegun | CallArguments | CallEnd | ParsedAnswer


class _State(Enum):
    THINKING = auto()
    ANSWERING = auto()
    HEADER = auto()  # in the tool section: between calls, or in a call's id
    ARGUMENTS = auto()
    DONE = auto()


class _Marker(Enum):
    THINK = auto()
    UNTHINK = auto()
    SECTION_BEGIN = auto()
    SECTION_END = auto()
    CALL_BEGIN = auto()
    ARGUMENT_BEGIN = auto()
    CALL_END = auto()
    TURN = auto()  # the model plays the next speaker: its own answer is over
    END = auto()
    OTHER = auto()


_MARKERS: Final = {
    "<think>": _Marker.THINK,
    "</think>": _Marker.UNTHINK,
    "<|tool_calls_section_begin|>": _Marker.SECTION_BEGIN,
    "<|tool_call_section_begin|>": _Marker.SECTION_BEGIN,
    "<|tool_calls_section_end|>": _Marker.SECTION_END,
    "<|tool_call_section_end|>": _Marker.SECTION_END,
    "<|tool_call_begin|>": _Marker.CALL_BEGIN,
    "<|tool_call_argument_begin|>": _Marker.ARGUMENT_BEGIN,
    "<|tool_call_end|>": _Marker.CALL_END,
    "<|im_user|>": _Marker.TURN,
    "<|im_assistant|>": _Marker.TURN,
    "<|im_system|>": _Marker.TURN,
    "<|im_end|>": _Marker.END,
    "[EOS]": _Marker.END,
    "[EOT]": _Marker.END,
}
CALL_MARKERS: Final = ("<|tool_calls_section_begin|>", "<|tool_call_section_begin|>", "<|tool_call_begin|>")
"""Control tokens with which a call begins."""

_ENDS_ARGUMENTS: Final = {_Marker.SECTION_BEGIN, _Marker.SECTION_END, _Marker.CALL_BEGIN, _Marker.CALL_END, _Marker.END}
_SPELLED_BEGIN: Final = "<|tool_call_section_begin|>"
_SPELLED_END: Final = "<|tool_call_section_end|>"


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    arguments: list[str] = field(default_factory=list)
    whole: bool = False


class Parser:
    """One answer, id by id. `thinking` says whether the prompt ended in an open `<think>`. No sequence of ids raises."""

    def __init__(self, tokenizer: Tokenizer, thinking: bool) -> None:
        self._tokenizer = tokenizer
        self._markers = {number: _MARKERS.get(name, _Marker.OTHER) for name, number in tokenizer.control.items()}
        self._state = _State.THINKING if thinking else _State.ANSWERING
        self._utf8 = Utf8Stream()
        self._held = ""  # text whose meaning the next tokens decide
        self._in_call = False  # in HEADER: whether a call has begun
        self._ended = False  # by the model itself
        self._events: list[ParseEvent] = []
        self._reasoning: list[str] = []
        self._content: list[str] = []
        self._calls: list[_Call] = []

    @property
    def done(self) -> bool:
        """Whether the model has ended its turn; later ids are ignored."""
        return self._state is _State.DONE

    def feed(self, token_id: int) -> list[ParseEvent]:
        """What the next generated token makes known, often nothing yet. Ids the vocabulary doesn't have are ignored."""
        if self.done or token_id not in self._tokenizer:
            return []
        marker = self._markers.get(token_id)
        if marker is None:
            self._on_text(self._utf8.feed(self._tokenizer.token_bytes(token_id)))
        elif self._state is _State.ARGUMENTS and marker not in _ENDS_ARGUMENTS:
            self._on_text(self._utf8.flush() + self._tokenizer.token_bytes(token_id).decode())
        else:
            self._on_text(self._utf8.flush())
            self._on_marker(marker)
        return self._take()

    def finish(self) -> list[ParseEvent]:
        """The end of generation: what was held back, then the `ParsedAnswer`."""
        self._on_text(self._utf8.flush())
        if not self._cut_off():
            self._leave()
        self._state, self._held = _State.DONE, ""
        return [*self._take(), self._answer()]

    def _take(self) -> list[ParseEvent]:
        events, self._events = self._events, []
        return events

    def _cut_off(self) -> bool:
        """Whether generation stopped inside a call, in its id or before its arguments were whole: then it stays open."""
        if self._state is _State.ARGUMENTS:
            return not _is_object("".join(self._calls[-1].arguments))
        return self._state is _State.HEADER and self._in_call

    def _answer(self) -> ParsedAnswer:
        calls = tuple(ParsedCall(call.id, call.name, "".join(call.arguments)) for call in self._calls if call.whole)
        reason: FinishReason = "stop" if self._ended else "length"
        if calls and len(calls) == len(self._calls):
            reason = "tool_calls"
        return ParsedAnswer("".join(self._reasoning), "".join(self._content), calls, reason)

    def _on_text(self, text: str) -> None:
        match self._state:
            case _ if not text:
                return
            case _State.THINKING | _State.ANSWERING:
                text = self._held + text
                free = _free(text)
                self._say(text[:free])
                self._held = text[free:]
            case _State.HEADER:
                self._held += text
                if not self._in_call and self._held.lstrip().startswith(_SPELLED_END):
                    rest = self._held.lstrip().removeprefix(_SPELLED_END)
                    self._held, self._state = "", _State.ANSWERING
                    self._on_text(rest)
            case _State.ARGUMENTS:
                self._calls[-1].arguments.append(text)
                self._events.append(CallArguments(text, len(self._calls) - 1))
            case _State.DONE:
                return

    def _on_marker(self, marker: _Marker) -> None:
        match marker:
            case _Marker.THINK:
                self._go(_State.THINKING)
            case _Marker.UNTHINK if self._state in (_State.THINKING, _State.HEADER):
                self._go(_State.ANSWERING)
            case _Marker.SECTION_BEGIN:
                self._go(_State.HEADER)
            case _Marker.SECTION_END if self._state in (_State.HEADER, _State.ARGUMENTS):
                self._go(_State.ANSWERING)
            case _Marker.CALL_BEGIN:
                self._drop_spelled_marker()
                self._go(_State.HEADER)
                self._in_call = True
            case _Marker.ARGUMENT_BEGIN if self._state is _State.HEADER:
                self._begin(self._held)
                self._state, self._held = _State.ARGUMENTS, ""
            case _Marker.CALL_END if self._state is _State.ARGUMENTS or self._in_call:
                self._go(_State.HEADER)
            case _Marker.END | _Marker.TURN:
                self._go(_State.DONE)
                self._ended = True
            case _:
                pass  # a stray closing marker, padding, an image token: nothing that anybody could read

    def _go(self, state: _State) -> None:
        self._leave()
        self._state, self._held, self._in_call = state, "", False

    def _leave(self) -> None:
        """Ends what the present state was reading, as if its own closing marker had come."""
        match self._state:
            case _State.THINKING | _State.ANSWERING:
                self._say(self._held)
            case _State.HEADER if self._in_call:
                # No argument marker: the arguments, if any, begin at the first brace.
                header, brace, rest = self._held.partition("{")
                self._begin(header)
                self._state = _State.ARGUMENTS
                self._on_text(brace + rest)
                self._end()
            case _State.HEADER if self._held.strip():
                self._state = _State.ANSWERING
                self._say(self._held)
            case _State.ARGUMENTS:
                self._end()
            case _:
                pass

    def _say(self, text: str) -> None:
        if not text:
            return
        if self._state is _State.THINKING:
            self._reasoning.append(text)
            self._events.append(ReasoningText(text))
        else:
            self._content.append(text)
            self._events.append(ContentText(text))

    def _begin(self, header: str) -> None:
        index = len(self._calls)
        call_id = header.strip() or f"call:{index}"
        call = _Call(call_id, tool_name(header))
        self._calls.append(call)
        self._events.append(CallBegun(index, call.id, call.name))

    def _end(self) -> None:
        self._calls[-1].whole = True
        self._events.append(CallEnd(len(self._calls) - 1))

    def _drop_spelled_marker(self) -> None:
        if self._state in (_State.THINKING, _State.ANSWERING) and self._held.startswith(_SPELLED_BEGIN):
            self._held = ""


def end_ids(tokenizer: Tokenizer) -> frozenset[int]:
    """The tokens after which an answer is over, whatever came before."""
    ends = (number for name, number in tokenizer.control.items() if _MARKERS.get(name) in (_Marker.END, _Marker.TURN))
    return frozenset(ends)


def parse(tokenizer: Tokenizer, token_ids: Iterable[int], *, thinking: bool) -> ParsedAnswer:
    """A whole answer at once."""
    parser = Parser(tokenizer, thinking)
    for token_id in token_ids:
        parser.feed(token_id)
    answer = parser.finish()[-1]
    assert isinstance(answer, ParsedAnswer)
    return answer


def tool_name(call_id: str) -> str:
    """The tool that a call id such as `functions.read:0` names; `functions.` and the index may be missing."""
    name, colon, index = call_id.strip().rpartition(":")
    whole = name if colon and index.strip().isdigit() else call_id.strip()
    return whole.removeprefix("functions.").strip()


def _free(text: str) -> int:
    """How much of `text` can't be, or become, a misspelled section marker directly before a call."""
    start = text.rfind(_SPELLED_BEGIN)
    if start >= 0 and not text[start + len(_SPELLED_BEGIN) :].strip():
        return start
    start = text.rfind("<", -len(_SPELLED_BEGIN))
    return start if start >= 0 and _SPELLED_BEGIN.startswith(text[start:]) else len(text)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
