"""The JSON-lines form of the text layer: the published vectors through it, and what it says about bad lines."""

import json
from collections.abc import Callable
from functools import partial

import pytest

from engine import jsonlines
from engine.tokenizer import Tokenizer

Rows = Callable[[str], list[dict[str, object]]]


def test_published_vectors_pass_through_as_lines(rows: Rows, k26: Tokenizer) -> None:
    for case in rows("tokenizer")[:20]:
        assert json.loads(jsonlines.tokenize(json.dumps(case), k26)) == {"ids": case["ids"]}
        assert json.loads(jsonlines.detokenize(json.dumps(case), k26)) == {"text": case["text"]}
    for case in rows("tools_ts")[:20]:
        assert json.loads(jsonlines.declare(json.dumps(case))) == {"declaration": case["declaration"]}
    for case in rows("chat"):
        answer = json.loads(jsonlines.render(json.dumps(case), k26))
        assert answer["prompt"] == case["prompt"]
        assert k26.decode_bytes(answer["ids"]).decode() == case["prompt"]


def test_parse_answers_in_openai_s_form(small: Tokenizer) -> None:
    names = ["</think>", "<|tool_calls_section_begin|>", "<|tool_call_begin|>"]
    ids = [*map(small.control_id, names), *small.encode("functions.f:0")]
    ids += [small.control_id("<|tool_call_argument_begin|>"), *small.encode("{}"), small.control_id("<|tool_call_end|>")]
    line = json.dumps({"ids": [*small.encode("hello"), *ids, small.control_id("<|im_end|>")]})
    assert json.loads(jsonlines.parse(line, small)) == {
        "reasoning": "hello",
        "content": "",
        "tool_calls": [{"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        "finish_reason": "tool_calls",
    }


def test_parse_takes_whether_the_model_was_thinking(small: Tokenizer) -> None:
    line = json.dumps({"ids": small.encode("hello"), "thinking": False})
    assert json.loads(jsonlines.parse(line, small))["content"] == "hello"


def test_lines_are_answered_in_order_and_empty_ones_left_out(small: Tokenizer) -> None:
    lines = ['{"text": "hello"}\n', "\n", '{"text": "def"}\n']
    assert list(jsonlines.answers(lines, partial(jsonlines.tokenize, tokenizer=small))) == ['{"ids": [259]}', '{"ids": [261]}']


def test_answers_fit_any_terminal(small: Tokenizer) -> None:
    answer = jsonlines.render('{"messages": [{"role": "user", "content": "\\ud800é"}]}', small)
    assert answer.isascii()
    assert "\n" not in answer


@pytest.mark.parametrize(
    ("function", "line", "problem"),
    [
        (jsonlines.tokenize, "{", "not JSON"),
        (jsonlines.tokenize, "[]", "a JSON list; each line"),
        (jsonlines.tokenize, '{"text": 3}', "'text' must be a string"),
        (jsonlines.detokenize, '{"ids": ["a"]}', "'ids' must be a list of token ids"),
        (jsonlines.detokenize, '{"ids": [true]}', "'ids' must be a list of token ids"),
        (jsonlines.detokenize, '{"ids": [99999]}', "no token 99999"),
        (jsonlines.render, '{"messages": [3]}', r"messages\[0\]: int, not an object"),
        (jsonlines.render, '{"messages": [{"role": "x"}]}', r"messages\[0\]: role 'x'"),
        (jsonlines.render, '{"messages": [], "tools": {}}', "'tools' must be a list"),
        (jsonlines.render, '{"messages": [], "thinking": null}', "'thinking' must be true or false"),
        (jsonlines.parse, "{}", "'ids' must be a list"),
        pytest.param(jsonlines.parse, "[" * 100_000, "nested too deeply", id="nested"),
    ],
)
def test_a_bad_line_is_named(function: Callable[[str, Tokenizer], str], line: str, problem: str, small: Tokenizer) -> None:
    with pytest.raises(jsonlines.LineError, match=f"^line 2: .*{problem}"):
        list(jsonlines.answers(["", line], lambda text: function(text, small)))
