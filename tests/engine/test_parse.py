"""The parser: what the format says, how models really end, and any ids at all."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chat import Piece, encode_pieces, render
from engine.parse import (
    CallArguments,
    CallBegun,
    CallEnd,
    ContentText,
    ParsedAnswer,
    ParsedCall,
    ParseEvent,
    Parser,
    ReasoningText,
    parse,
    tool_name,
)
from engine.tokenizer import Tokenizer

Rows = Callable[[str], list[dict[str, object]]]

S, E = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
B, A, C = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
SPELLED, SPELLED_END = "<|tool_call_section_begin|>", "<|tool_call_section_end|>"
END = "<|im_end|>"
F0 = ParsedCall("functions.f:0", "f", '{"a": 1}')
F1 = ParsedCall("functions.f:1", "f", "{}")


def _ids(tokenizer: Tokenizer, *parts: str) -> list[int]:
    """Each part that is a control token's name as that token, everything else as text."""
    return encode_pieces(tokenizer, [Piece(part, control=part in tokenizer.control) for part in parts])


def _events(tokenizer: Tokenizer, ids: list[int], thinking: bool = True) -> list[ParseEvent]:
    parser = Parser(tokenizer, thinking)
    return [event for number in ids for event in parser.feed(number)] + parser.finish()


def _joined(events: list[ParseEvent]) -> ParsedAnswer:
    """The answer that a client puts together from the deltas alone, finish reason aside."""
    reasoning = "".join(event.text for event in events if isinstance(event, ReasoningText))
    content = "".join(event.text for event in events if isinstance(event, ContentText))
    begun = {event.index: event for event in events if isinstance(event, CallBegun)}
    whole = [event.index for event in events if isinstance(event, CallEnd)]
    texts = {n: "".join(event.text for event in events if isinstance(event, CallArguments) and event.index == n) for n in begun}
    calls = tuple(ParsedCall(begun[n].id, begun[n].name, texts[n]) for n in whole)
    return ParsedAnswer(reasoning, content, calls, "stop")


def test_every_published_answer_comes_back_as_the_message_it_was(rows: Rows, k26: Tokenizer) -> None:
    count = 0
    for case in rows("chat"):
        messages = case["messages"]
        assert isinstance(messages, list)
        for message in messages:
            if message["role"] != "assistant":
                continue
            rendered = render([message], declaration=None, preserve_thinking=True, generation_prompt=False)
            ids = encode_pieces(k26, rendered[4:])  # after <|im_assistant|>assistant<|im_middle|><think>
            answer = parse(k26, ids, thinking=True)
            calls = tuple(ParsedCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in message.get("tool_calls", ()))
            assert answer == ParsedAnswer(message["reasoning_content"], message["content"], calls, "tool_calls" if calls else "stop")
            count += 1
    assert count == 568


def test_the_events_of_a_plain_answer(small: Tokenizer) -> None:
    ids = _ids(small, "hello", "</think>", "def", S, B, "functions.f:0", A, "{}", C, E, END)
    assert [event for event in _events(small, ids) if not isinstance(event, CallArguments)] == [
        ReasoningText("hello"),
        ContentText("def"),
        CallBegun(0, "functions.f:0", "f"),
        CallEnd(0),
        ParsedAnswer("hello", "def", (ParsedCall("functions.f:0", "f", "{}"),), "tool_calls"),
    ]


def test_without_thinking_the_answer_begins_at_once(small: Tokenizer) -> None:
    assert parse(small, _ids(small, "hello", END), thinking=False) == ParsedAnswer("", "hello", (), "stop")
    assert parse(small, _ids(small, "</think>", "hello", END), thinking=False) == ParsedAnswer("", "hello", (), "stop")


def test_a_spelled_out_think_token_opens_the_thinking(small: Tokenizer) -> None:
    assert parse(small, _ids(small, "<think>", "R", "</think>", "A", END), thinking=False) == ParsedAnswer("R", "A", (), "stop")
    assert parse(small, _ids(small, "<think>", "R", "</think>", "A", END), thinking=True) == ParsedAnswer("R", "A", (), "stop")


ARGS = '{"a": 1}'


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param((S, B, "functions.f:0", A, ARGS, C, E, END), ("R", "", (F0,)), id="as trained"),
        pytest.param((B, "functions.f:0", A, ARGS, C, END), ("R", "", (F0,)), id="no section"),
        pytest.param((S, B, "functions.f:0", A, ARGS, C, B, "functions.f:1", A, "{}", C, E, END), ("R", "", (F0, F1)), id="two calls"),
        pytest.param((S, B, "functions.f:0", A, ARGS, B, "functions.f:1", A, "{}", END), ("R", "", (F0, F1)), id="no call ends"),
        pytest.param((S, B, "functions.f:0", A, ARGS, E, "T", END), ("R", "T", (F0,)), id="section ends the call"),
        pytest.param((S, B, "functions.f:0", A, ARGS), ("R", "", (F0,)), id="cut off after whole arguments"),
        pytest.param((S, B, "functions.f:0", A, ARGS, C, "T", END), ("R", "T", (F0,)), id="text without a section end"),
        pytest.param((S, "functions.f:0", A, ARGS, C, E, END), ("R", "", (F0,)), id="no call begin"),
        pytest.param((S, B, "functions.f:0", ARGS, C, E, END), ("R", "", (F0,)), id="no argument begin"),
        pytest.param((S, B, "functions.f:0", ARGS, END), ("R", "", (F0,)), id="no argument begin, no end"),
        pytest.param((S, "\n", B, " functions.f:0\n", A, ARGS, C, "\n", E, END), ("R", "", (F0,)), id="white space"),
        pytest.param((S, B, "functions.f:0", A, ARGS, C, S, B, "functions.f:1", A, "{}", END), ("R", "", (F0, F1)), id="two sections"),
        pytest.param((S, E, "T", END), ("R", "T", ()), id="empty section"),
        pytest.param((E, C, A, "[PAD]", "T", END), ("RT", "", ()), id="stray markers"),
        pytest.param((SPELLED, B, "functions.f:0", A, ARGS, C, SPELLED_END, "T", END), ("R", "T", (F0,)), id="spelled"),
        pytest.param((f"{SPELLED}\n", B, "functions.f:0", A, ARGS, C, END), ("R", "", (F0,)), id="spelled and a line end"),
        pytest.param(("T", "<|im_user|>", "user"), ("RT", "", ()), id="the model plays the user"),
    ],
)  # fmt: skip
def test_the_ways_models_wander(parts: tuple[str, ...], expected: tuple[str, str, tuple[ParsedCall, ...]], small: Tokenizer) -> None:
    assert parse(small, _ids(small, "R", *parts), thinking=True) == ParsedAnswer(*expected, "tool_calls" if expected[2] else "stop")


def test_singular_section_markers_that_are_tokens_are_section_markers() -> None:
    names = [S, E, B, A, C, END, SPELLED, SPELLED_END]
    tokenizer = Tokenizer({bytes([byte]): byte for byte in range(256)}, {name: 256 + n for n, name in enumerate(names)})
    ids = _ids(tokenizer, "T", names[6], B, "functions.f:0", A, ARGS, C, names[7], "U", END)
    assert parse(tokenizer, ids, thinking=False) == ParsedAnswer("", "TU", (F0,), "tool_calls")


@pytest.mark.parametrize("marker", [S, B, A, SPELLED, SPELLED_END, "</think>", END])
def test_markers_spelled_in_text_are_text(marker: str, small: Tokenizer) -> None:
    # Otherwise a quoted file could make the model call tools.
    text = f"see {marker}functions.f:0 {marker}"
    assert parse(small, [*small.encode(text), small.control_id(END)], thinking=False) == ParsedAnswer("", text, (), "stop")


def test_control_tokens_inside_arguments_are_quotations(small: Tokenizer) -> None:
    ids = _ids(small, S, B, "functions.write:0", A, '{"text": "', "<think>", "</think>", "<|im_user|>", '"}', C, E, END)
    [call] = parse(small, ids, thinking=False).tool_calls
    assert json.loads(call.arguments) == {"text": "<think></think><|im_user|>"}


@pytest.mark.parametrize(
    ("call_id", "name"),
    [
        ("functions.read:0", "read"),
        ("read:12", "read"),
        ("functions.web-fetch:3", "web-fetch"),
        ("functions.mcp__db__query", "mcp__db__query"),
        ("functions.a.b:0", "a.b"),
        ("functions.a:b:0", "a:b"),
        (" functions.read:0\n", "read"),
        ("", ""),
    ],
)
def test_a_call_s_id_names_its_tool(call_id: str, name: str) -> None:
    assert tool_name(call_id) == name


def test_a_call_without_an_id_still_has_one(small: Tokenizer) -> None:
    assert parse(small, _ids(small, S, B, A, "{}", C, E, END), thinking=False).tool_calls == (ParsedCall("call:0", "", "{}"),)


def test_arguments_that_are_no_json_are_kept_as_they_are(small: Tokenizer) -> None:
    answer = parse(small, _ids(small, S, B, "functions.f:0", A, '{"a": ', C, E, END), thinking=False)
    assert answer == ParsedAnswer("", "", (ParsedCall("functions.f:0", "f", '{"a": '),), "tool_calls")


@pytest.mark.parametrize(
    "parts",
    [
        (S, B, "functions.f"),
        (S, B, "functions.f:0", A),
        (S, B, "functions.f:0", A, '{"a": '),
        (B, "functions.f:0", A, ARGS, C, B, "functions.f:1", A, "{"),
    ],
)
def test_a_call_that_was_cut_off_is_no_call(parts: tuple[str, ...], small: Tokenizer) -> None:
    events = _events(small, _ids(small, *parts))
    answer = events[-1]
    assert isinstance(answer, ParsedAnswer)
    assert answer.finish_reason == "length"
    assert all(call == F0 for call in answer.tool_calls)
    assert len(answer.tool_calls) == sum(isinstance(event, CallEnd) for event in events)


def test_an_answer_that_was_cut_off_says_so(small: Tokenizer) -> None:
    assert parse(small, _ids(small, "R"), thinking=True) == ParsedAnswer("R", "", (), "length")
    assert parse(small, _ids(small, "R", "</think>", "T"), thinking=True) == ParsedAnswer("R", "T", (), "length")
    assert parse(small, [], thinking=True) == ParsedAnswer("", "", (), "length")


def test_nothing_counts_after_the_end(small: Tokenizer) -> None:
    parser = Parser(small, thinking=False)
    parser.feed(small.control_id(END))
    assert parser.done
    assert parser.feed(65) == []
    assert parser.finish() == parser.finish() == [ParsedAnswer("", "", (), "stop")]


def test_characters_come_whole_and_a_cut_one_is_replaced(small: Tokenizer) -> None:
    parser = Parser(small, thinking=False)
    first, second = "é".encode()
    assert parser.feed(first) == []
    assert parser.feed(second) == [ContentText("é")]
    assert parser.feed(first) == []
    assert parser.finish()[0] == ContentText("\ufffd")


def test_text_is_held_back_only_while_it_may_be_a_marker(small: Tokenizer) -> None:
    parser = Parser(small, thinking=False)
    events = [event for number in small.encode("<|tool_call_sect") for event in parser.feed(number)]
    assert events == []
    assert parser.feed(ord("!")) == [ContentText("<|tool_call_sect!")]


_NUMBERS = st.integers(-3, 300)


@given(st.lists(_NUMBERS), st.booleans())
def test_no_ids_raise_and_the_deltas_add_up_to_the_answer(small: Tokenizer, ids: list[int], thinking: bool) -> None:
    events = _events(small, ids, thinking)
    answer = events[-1]
    assert isinstance(answer, ParsedAnswer)
    assert not any(isinstance(event, ParsedAnswer) for event in events[:-1])
    joined = _joined(events[:-1])
    assert (joined.reasoning, joined.content, joined.tool_calls) == (answer.reasoning, answer.content, answer.tool_calls)


_PARTS = st.sampled_from([S, E, B, A, C, END, "<think>", "</think>", "<|im_user|>", "[PAD]", SPELLED, "functions.f:0", "{}", " "])


@given(st.lists(_PARTS | st.text(max_size=3), max_size=12), st.booleans())
def test_no_order_of_markers_raises_and_indexes_count_up(small: Tokenizer, parts: list[str], thinking: bool) -> None:
    events = _events(small, _ids(small, *parts), thinking)
    begun = [event.index for event in events if isinstance(event, CallBegun)]
    assert begun == list(range(len(begun)))
    ended = [event.index for event in events if isinstance(event, CallEnd)]
    assert ended == sorted(set(ended) & set(begun))
    answer = events[-1]
    assert isinstance(answer, ParsedAnswer)
    assert (answer.finish_reason == "tool_calls") == bool(begun and begun == ended)
    assert _joined(events[:-1]).tool_calls == answer.tool_calls


@given(st.text(), st.text(), st.booleans())
def test_any_text_comes_back_byte_for_byte(small: Tokenizer, reasoning: str, content: str, ended: bool) -> None:
    ids = _ids(small, reasoning, "</think>", content, *([END] if ended else []))
    expected = ParsedAnswer(reasoning, content, (), "stop" if ended else "length")
    if reasoning not in small.control and content not in small.control:
        assert parse(small, ids, thinking=True) == expected
