import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from benchmarks.guided import random_schema
from engine.errors import EngineError
from engine.guide import Guide, GuideError, Guides, GuideSpec
from engine.guide_vocabulary import members
from engine.llama import Entry, Llama, Options
from engine.parse import ParsedAnswer, parse
from engine.sampling import Sampler, Sampling
from engine.schema import JsonSchema
from engine.tokenizer import Tokenizer
from tests.engine.tinygguf import write

EDIT: JsonSchema = {
    "type": "object",
    "properties": {"path": {"type": "string"}, "line": {"type": "integer", "minimum": 1, "maximum": 500}},
    "required": ["path"],
    "additionalProperties": False,
}
NOTE: JsonSchema = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 9}}, "required": ["text"]}
TOOLS = (("edit", EDIT), ("note", NOTE))
EXTRA = 40
"""Logits beyond the tokenizer's ids, as a padded model has them."""

Generate = Callable[..., list[int]]


@pytest.fixture(scope="module")
def guides(small: Tokenizer) -> Guides:
    return Guides(small, len(small) + EXTRA)


def answer(guide: Guide, tokenizer: Tokenizer, room: int, seed: int, likes: Sequence[str] = ()) -> list[int]:
    """What a model of pure noise writes under `guide`, if it has a liking for some texts and control tokens."""
    rng = np.random.default_rng(seed)
    liked = [token for like in likes for token in ([tokenizer.control[like]] if like in tokenizer.control else tokenizer.encode(like))]
    tokens: list[int] = []
    while len(tokens) < room and tokens[-1:] != [tokenizer.control_id("<|im_end|>")]:
        logits = rng.normal(0, 1, len(tokenizer) + EXTRA).astype(np.float32)
        logits[liked] += 2
        guide.apply(logits)
        tokens.append(int(logits.argmax()))
        guide.accept(tokens[-1])
    return tokens


def answered(
    guides: Guides, tokenizer: Tokenizer, spec: GuideSpec, *, room: int = 400, seed: int = 0, thinking: bool = False
) -> ParsedAnswer:
    likes = ('"', "}", "]", "</think>")
    guide = guides.guide(spec, thinking=thinking, room=room)
    return parse(tokenizer, answer(guide, tokenizer, room, seed, likes), thinking=thinking)


def feed(guide: Guide, tokenizer: Tokenizer, *parts: str) -> None:
    """Control tokens by name, text as text."""
    for part in parts:
        for token in [tokenizer.control[part]] if part in tokenizer.control else tokenizer.encode(part):
            guide.accept(token)


def call(name: str) -> tuple[str, ...]:
    return "<|tool_calls_section_begin|>", "<|tool_call_begin|>", f"functions.{name}:0", "<|tool_call_argument_begin|>"


def allowed(guide: Guide, tokenizer: Tokenizer) -> set[bytes]:
    mask = guide.allowed()
    assert mask is not None
    return {tokenizer.token_bytes(int(token)) for token in members(mask)}


def follows(guide: Guide, tokenizer: Tokenizer, text: str) -> bool:
    """Whether every token of `text` is allowed in its turn."""
    for token in tokenizer.encode(text):
        if tokenizer.token_bytes(token) not in allowed(guide, tokenizer):
            return False
        guide.accept(token)
    return True


def valid(schema: JsonSchema, text: str) -> bool:
    Draft202012Validator(schema if isinstance(schema, bool) else dict(schema)).validate(json.loads(text))
    return True


# where a guide is off


def test_a_model_is_free_outside_of_arguments(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=True, room=1000)
    logits = np.zeros(len(small) + EXTRA, np.float32)
    for part in ("I think", "</think>", "Let me see", *call("edit")[:3]):
        assert guide.allowed() is None
        guide.apply(logits)
        feed(guide, small, part)
    assert np.isfinite(logits).all()
    feed(guide, small, "<|tool_call_argument_begin|>")
    assert allowed(guide, small) == {b"{"}
    feed(guide, small, '{"path": "a"}', "<|tool_call_end|>")
    assert guide.allowed() is None
    feed(guide, small, "<|tool_calls_section_end|>")
    assert guide.allowed() is None


# arguments


def test_arguments_keep_to_their_tools_schema(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=False, room=1000)
    feed(guide, small, *call("edit"), '{"path": "a", "line": 50')
    assert allowed(guide, small) == {b"0", b"}"}
    feed(guide, small, "}")
    assert allowed(guide, small) == {b"<|tool_call_end|>"}
    feed(
        guide, small, "<|tool_call_end|>", "<|tool_call_begin|>", "functions.note:1", "<|tool_call_argument_begin|>", '{"text": "123456789'
    )
    assert allowed(guide, small) == {b'"'}


@pytest.mark.parametrize("name", ["unknown", "", "functions.", "edit edit"])
def test_an_undeclared_tool_gets_any_object(guides: Guides, small: Tokenizer, name: str) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=False, room=1000)
    feed(guide, small, *call(name))
    assert follows(guide, small, '{"any": [1, {"thing": null}]}')
    assert allowed(guide, small) == {b"<|tool_call_end|>"}


@pytest.mark.parametrize("header", ["functions.edit:0", "edit:3", "edit", " functions.edit:12 "])
def test_ids_are_read_as_the_parser_reads_them(guides: Guides, small: Tokenizer, header: str) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=True, room=1000)
    feed(guide, small, "hm", "<|tool_call_begin|>", header, "<|tool_call_argument_begin|>")
    assert follows(guide, small, '{"path":')


@pytest.mark.parametrize("schema", [{}, {"type": "object", "properties": {}}, True])
def test_a_tool_without_parameters_takes_an_empty_object(guides: Guides, small: Tokenizer, schema: JsonSchema) -> None:
    guide = guides.guide(GuideSpec(tools=(("now", schema),)), thinking=False, room=1000)
    feed(guide, small, *call("now"))
    assert allowed(guide, small) == {b"{"}
    assert follows(guide, small, "{}")


def test_the_spacing_the_model_was_trained_on_and_compact_json(guides: Guides, small: Tokenizer) -> None:
    for text in ('{"a": 1, "b": [1, 2]}', '{"a":1,"b":[1,2]}'):
        assert follows(guides.guide(GuideSpec(answer={"type": "object"}), thinking=False, room=1000), small, text)
    for text in ('{"a":  1}', "{ ", "\n{", '{"a": 1}\n', '{"a" '):
        assert not follows(guides.guide(GuideSpec(answer={"type": "object"}), thinking=False, room=1000), small, text)


def test_text_never_stands_for_a_control_token(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=False, room=1000)
    feed(guide, small, *call("edit"))
    assert follows(guide, small, '{"path": "<|tool_call_end|><|im_end|>')
    mask = guide.allowed()
    assert mask is not None
    assert not any(small.is_control(int(token)) or int(token) not in small for token in members(mask))


# answers


def test_an_answer_is_json_and_then_over(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(answer=NOTE), thinking=True, room=1000)
    assert b"<|im_end|>" not in allowed(guide, small)
    feed(guide, small, "thoughts", "</think>")
    assert follows(guide, small, '{"text": "hi"}') or allowed(guide, small) == {b"{"}
    guide = guides.guide(GuideSpec(answer=NOTE), thinking=False, room=1000)
    feed(guide, small, '{"text": "hi"}')
    assert b"<|im_end|>" in allowed(guide, small)


def test_an_answer_may_be_calls_instead(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS, answer=NOTE), thinking=False, room=1000)
    assert allowed(guide, small) == {b"{", b"<|tool_calls_section_begin|>"}
    feed(guide, small, *call("edit"), '{"path":""}', "<|tool_call_end|>", "<|tool_calls_section_end|>")
    assert allowed(guide, small) == {b"<|im_end|>"}
    assert guide.off is None


def test_a_number_may_end_or_go_on(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(answer={"type": "integer"}), thinking=False, room=1000)
    feed(guide, small, "12")
    assert {b"<|im_end|>", b"3"} <= allowed(guide, small)


# forced calls


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_a_required_call_is_made(guides: Guides, small: Tokenizer, seed: int, thinking: bool) -> None:
    result = answered(guides, small, GuideSpec(tools=TOOLS, required=True, first_index=7), seed=seed, thinking=thinking)
    assert result.finish_reason == "tool_calls"
    assert result.content == ""
    for number, made in enumerate(result.tool_calls):
        assert made.id == f"functions.{made.name}:{7 + number}"
        assert valid(dict(TOOLS)[made.name], made.arguments)


@pytest.mark.parametrize("seed", range(4))
def test_exactly_the_named_tool_is_called(guides: Guides, small: Tokenizer, seed: int) -> None:
    result = answered(guides, small, GuideSpec(tools=TOOLS, only="note"), seed=seed, thinking=True)
    assert [made.id for made in result.tool_calls] == ["functions.note:0"]
    assert valid(NOTE, result.tool_calls[0].arguments)


def test_at_most_one_call_without_parallel_calls(guides: Guides, small: Tokenizer) -> None:
    for spec in (GuideSpec(tools=TOOLS, parallel=False), GuideSpec(tools=TOOLS, required=True, parallel=False)):
        guide = guides.guide(spec, thinking=False, room=1000)
        feed(guide, small, *call("edit"), '{"path": ""}', "<|tool_call_end|>")
        assert allowed(guide, small) == {b"<|tool_calls_section_end|>"}
        feed(guide, small, "<|tool_calls_section_end|>")
        assert allowed(guide, small) == {b"<|im_end|>"}


def test_several_required_calls_go_on_until_room_is_short(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS, required=True), thinking=False, room=150)
    feed(guide, small, *call("edit"), '{"path": ""}', "<|tool_call_end|>")
    assert allowed(guide, small) == {b"<|tool_calls_section_end|>", b"<|tool_call_begin|>"}
    for _ in range(2):
        feed(guide, small, "<|tool_call_begin|>", "functions.note:1", "<|tool_call_argument_begin|>", '{"text": ""}', "<|tool_call_end|>")
    assert allowed(guide, small) == {b"<|tool_calls_section_end|>"}


def test_names_that_begin_alike_and_odd_names(guides: Guides, small: Tokenizer) -> None:
    tools = (("a", EDIT), ("ab", EDIT), ('q"\\é', EDIT))
    guide = guides.guide(GuideSpec(tools=tools, required=True), thinking=False, room=1000)
    feed(guide, small, "<|tool_calls_section_begin|>", "<|tool_call_begin|>", "functions.")
    assert allowed(guide, small) == {b"a", b"q"}
    assert follows(guide, small, 'q"\\é:0')
    assert allowed(guide, small) == {b"<|tool_call_argument_begin|>"}


# room


@pytest.mark.parametrize("room", [30, 60, 200])
@pytest.mark.parametrize("seed", range(5))
def test_json_ends_before_the_room_does(guides: Guides, small: Tokenizer, room: int, seed: int) -> None:
    guide = guides.guide(GuideSpec(answer=EDIT), thinking=False, room=room)
    tokens = answer(guide, small, room, seed)  # noise alone closes a string once in 280 tokens
    result = parse(small, tokens, thinking=False)
    assert result.finish_reason == "stop"
    assert valid(EDIT, result.content)
    assert guide.steered


def test_an_answer_that_ends_by_itself_is_not_steered(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(answer=EDIT), thinking=False, room=1000)
    assert follows(guide, small, '{"path": "a"}')
    assert not guide.steered


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^([a-z]+/)*README$"},
        {"type": "string", "pattern": "^[a-z]*z9$"},
        {"type": "string", "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}$"},
        {"type": "string", "format": "email"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "minLength": 40},
        {"type": "array", "minItems": 12, "items": {"type": "integer", "minimum": 1000}},
        {"type": "object", "required": ["a", "b", "c"]},
        {"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}, "v": EDIT}, "required": ["v"]}}},
        {"anyOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "null"}]},
        {},
    ],
    ids=lambda schema: json.dumps(schema)[:40],
)
def test_a_way_out_of_anything(guides: Guides, small: Tokenizer, schema: JsonSchema) -> None:
    for seed in range(3):
        guide = guides.guide(GuideSpec(answer=schema), thinking=False, room=160)
        result = parse(small, answer(guide, small, 160, seed), thinking=False)
        assert result.finish_reason == "stop"
        assert valid(schema, result.content)


def test_numbers_are_finite(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(answer={"type": "array", "items": {"type": "number"}}), thinking=False, room=10_000)
    feed(guide, small, "[" + "1" * 23)
    assert b"1" in allowed(guide, small)
    feed(guide, small, "1")
    assert allowed(guide, small) == {b",", b"]"}
    feed(guide, small, ", 0." + "1" * 22)
    assert allowed(guide, small) == {b",", b"]"}


def test_nesting_is_finite(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(answer={}), thinking=False, room=10_000)
    feed(guide, small, "[" * 63)
    assert {b"[", b"{"} <= allowed(guide, small)
    feed(guide, small, "[")
    assert allowed(guide, small) == {b"]"}


# schemas that no grammar expresses


@pytest.mark.parametrize(
    ("schema", "lost"),
    [
        ({"properties": {"a": {"not": {"type": "null"}}}}, "tool 't': properties.a: not"),
        ({"properties": {"a": {"type": "array", "uniqueItems": True}}}, "tool 't': properties.a: uniqueItems"),
        ({"properties": {"a": {"type": "string", "pattern": "^(?=x)"}}}, "tool 't': properties.a: pattern"),
        ({"properties": {"a": {"oneOf": [{"type": "number"}, {"type": "integer"}]}}}, "tool 't': schema: oneOf"),
        ({"properties": {"a": {"$ref": "https://example.org/x"}}}, "tool 't': properties.a: everything"),
        ({"properties": {"a": {"type": "strnig"}}}, "tool 't': properties.a: everything"),
        ({"properties": []}, "tool 't': schema: everything"),
        (False, "tool 't': schema: everything"),
        ({"type": "object", "properties": {"a": {"const": float("nan")}}}, "tool 't': properties.a: everything"),
    ],
)
def test_a_tool_is_weakened_and_says_where(guides: Guides, small: Tokenizer, schema: JsonSchema, lost: str) -> None:
    spec = GuideSpec(tools=(("t", schema),), only="t")
    guides.check(spec)
    assert guides.weakened(spec) == (lost,)
    assert isinstance(json.loads(answered(guides, small, spec).tool_calls[0].arguments), dict)


def test_what_is_kept_of_a_weakened_tool_is_enforced(guides: Guides, small: Tokenizer) -> None:
    schema = {
        "properties": {"a": {"not": {}, "type": "boolean"}, "b": {"type": "strnig"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    guide = guides.guide(GuideSpec(tools=(("t", schema),)), thinking=False, room=1000)
    feed(guide, small, *call("t"), '{"a": ')
    assert allowed(guide, small) == {b"t", b"f"}


def test_unknown_formats_and_annotations_are_no_loss(guides: Guides) -> None:
    schema = {"type": "string", "format": "path", "title": "A", "default": 1, "examples": [2], "x-mine": 3, "x-guidance": {"lenient": True}}
    guides.check(GuideSpec(answer={"type": "object", "properties": {"a": schema, "x-guidance": {"type": "null"}}}))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (GuideSpec(answer={"properties": {"a": {"not": {}}}}), r"response_format: .*properties\.a: not"),
        (GuideSpec(answer={"oneOf": [{"type": "number"}, {"type": "integer"}]}), "response_format: .*oneOf"),
        (GuideSpec(answer={"type": "string", "pattern": "(a)\\1"}), "backreferences are not supported"),
        (GuideSpec(answer={"type": "object", "properties": {"a": False}, "required": ["a"]}), "'a' is unsatisfiable"),
        (GuideSpec(answer=False), "it allows nothing"),
        (GuideSpec(tools=TOOLS, only="remove"), "no tool 'remove' among"),
        (GuideSpec(required=True), "'required' needs tools"),
    ],
)
def test_what_cannot_be_met_is_refused_with_its_reason(guides: Guides, spec: GuideSpec, message: str) -> None:
    with pytest.raises(GuideError, match=message) as caught:
        guides.check(spec)
    assert isinstance(caught.value, EngineError)
    assert isinstance(caught.value, ValueError)
    assert "\n" not in str(caught.value)


def test_endless_schemas_are_not_looked_into(guides: Guides) -> None:
    deep: dict[str, object] = {}
    for _ in range(5000):
        deep = {"type": "array", "items": deep}
    assert guides.weakened(GuideSpec(tools=(("t", {"properties": {"a": deep}}),))) == ("tool 't': schema: everything",)


def test_many_schemas_do_not_pile_up(small: Tokenizer) -> None:
    own = Guides(small, len(small))
    for number in range(200):
        schema = {
            "type": "object",
            "properties": {f"p{number}": {"type": "null"}},
            "required": [f"p{number}"],
            "additionalProperties": False,
        }
        guide = own.guide(GuideSpec(answer=schema), thinking=False, room=100)
        assert follows(guide, small, f'{{"p{number}":null}}')


# robustness


def test_a_token_that_is_not_allowed_ends_the_guiding_of_that_call(guides: Guides, small: Tokenizer) -> None:
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=False, room=1000)
    feed(guide, small, *call("edit"), '{"path')
    assert guide.off is None
    feed(guide, small, "<|media_pad|>")
    assert guide.off is not None
    assert guide.allowed() is None
    feed(guide, small, "whatever", "<|tool_call_end|>", *call("note")[1:])
    assert allowed(guide, small) == {b"{"}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    parts=st.lists(
        st.one_of(
            st.integers(-3, 400),
            st.sampled_from(["{", '{"path": "', '"', "}", "functions.edit:0", '{"text": "x"}', "é"]),
            st.sampled_from(["<think>", "</think>", "<|im_end|>", *call("x")[:2], "<|tool_call_argument_begin|>", "<|tool_call_end|>"]),
            st.sampled_from(["<|tool_calls_section_end|>", "[EOS]", "[PAD]"]),
            st.none(),  # ask what is allowed, and take the lowest such token
        ),
        max_size=40,
    ),
    spec=st.sampled_from(
        [
            GuideSpec(),
            GuideSpec(tools=TOOLS, parallel=False),
            GuideSpec(tools=TOOLS, required=True),
            GuideSpec(tools=TOOLS, only="note"),
            GuideSpec(tools=TOOLS, answer=NOTE),
            GuideSpec(answer={}),
        ]
    ),
    thinking=st.booleans(),
    room=st.integers(-2, 60),
)
def test_no_sequence_of_tokens_raises(
    guides: Guides, small: Tokenizer, parts: list[int | str | None], spec: GuideSpec, thinking: bool, room: int
) -> None:
    guide = guides.guide(spec, thinking=thinking, room=room)
    for part in parts:
        match part:
            case int():
                guide.accept(part)
            case str():
                feed(guide, small, part)
            case None if (mask := guide.allowed()) is not None:
                assert mask.any()
                off = guide.off
                guide.accept(int(members(mask)[0]))
                assert guide.off == off
            case None:
                guide.accept(0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), room=st.integers(500, 700))
def test_every_schema_is_kept_to(guides: Guides, small: Tokenizer, seed: int, room: int) -> None:
    schema = random_schema(random.Random(seed), depth=2)
    assert guides.weakened(GuideSpec(tools=(("t", schema),))) == ()
    guide = guides.guide(GuideSpec(answer=schema), thinking=False, room=room)
    tokens = answer(guide, small, room, seed, ('"', "}", "]", "}", '"'))
    assert guide.off is None
    assert valid(schema, parse(small, tokens, thinking=False).content)


# real models and vocabularies


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Llama, Tokenizer]]:
    path: Path = write(tmp_path_factory.mktemp("guide") / "tiny.gguf", bias={'"': 0.1, "}": 0.1, "]": 0.1})
    with Llama(path, Options(cells=1024, batch=16)) as model:
        yield model, Tokenizer.from_gguf(path)


def test_a_random_model_answers_every_schema(llama: tuple[Llama, Tokenizer]) -> None:
    model, tokenizer = llama
    guides = Guides(tokenizer, model.vocabulary)
    end = tokenizer.control_id("<|im_end|>")
    for seed in range(60):
        schema = random_schema(random.Random(seed), depth=2)
        guide = guides.guide(GuideSpec(answer=schema), thinking=False, room=500)
        sampler = Sampler(Sampling(temperature=1.0, seed=seed))
        tokens = [end]
        model.forget(0)
        while len(tokens) == 1 or tokens[-1] != end:
            model.decode([Entry(tokens[-1], len(tokens) - 1, 0, wanted=True)])
            logits = model.logits(0)
            guide.apply(logits)
            tokens.append(sampler.choose(logits))
            guide.accept(tokens[-1])
        assert len(tokens) <= 501
        assert guide.off is None
        assert valid(schema, tokenizer.decode_bytes(tokens[1:-1]).decode())


def test_k26s_vocabulary(k26: Tokenizer) -> None:
    guides = Guides(k26, 163_840 + EXTRA)
    begun = time.process_time()
    guides.check(GuideSpec(tools=TOOLS))
    assert time.process_time() - begun < 3
    guide = guides.guide(GuideSpec(tools=TOOLS), thinking=False, room=1000)
    feed(guide, k26, *call("edit"))
    assert b'{"' in allowed(guide, k26)
    feed(guide, k26, '{"path": "engine')
    mask = guide.allowed()
    assert mask is not None
    ids = members(mask)
    assert 150_000 < len(ids) < 163_584
    assert not any(k26.is_control(int(token)) for token in ids[-1000:])
    assert b"\xff" not in allowed(guide, k26)
    logits = np.zeros(163_840 + EXTRA, np.float32)
    guide.apply(logits)
    assert np.array_equal(np.flatnonzero(np.isfinite(logits)), ids)
