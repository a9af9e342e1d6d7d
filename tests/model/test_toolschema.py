import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kimicode.messages import JsonObject, JsonValue, ToolSpec
from kimicode.model.toolschema import SchemaError, mfjs_parameters


def spelled(schema: JsonObject, name: str = "tool") -> JsonObject:
    return mfjs_parameters(ToolSpec(name, "", schema))


def one(schema: JsonObject) -> JsonValue:
    """What becomes of one property."""
    properties = spelled({"type": "object", "properties": {"p": schema}})["properties"]
    assert isinstance(properties, dict)
    return properties["p"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"description": "d"}, {"description": "d", "type": "string"}),
        ({"enum": ["a", "b"]}, {"enum": ["a", "b"], "type": "string"}),
        ({"enum": [1, "a"]}, {"enum": [1, "a"], "type": ["integer", "string"]}),
        ({"const": True}, {"const": True, "type": "boolean"}),
        ({"items": {}}, {"items": {}, "type": "array"}),
        ({"items": {"enum": [1]}}, {"items": {"enum": [1], "type": "integer"}, "type": "array"}),
        ({"properties": {"q": {}}, "required": ["q", "r"]}, {"properties": {"q": {"type": "string"}}, "required": ["q"], "type": "object"}),
        (
            {"type": "string", "anyOf": [{"minLength": 1}, {"type": "null"}]},
            {"anyOf": [{"type": "string", "minLength": 1}, {"type": "null"}]},
        ),
        ({"oneOf": [{"type": "string"}]}, {"anyOf": [{"type": "string"}]}),
        (
            {"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}]},
            {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"], "type": "object"},
        ),
    ],
)
def test_one_property(before: JsonObject, after: JsonObject) -> None:
    assert one(before) == after


def test_references_are_resolved_with_what_stands_beside_them() -> None:
    schema: JsonObject = {
        "$schema": "x",
        "properties": {"p": {"$ref": "#/$defs/P", "description": "mine"}},
        "$defs": {"P": {"type": "object", "description": "theirs", "properties": {"q": {"$ref": "#/$defs/Q"}}}, "Q": {"type": "integer"}},
    }
    assert spelled(schema) == {
        "properties": {"p": {"type": "object", "description": "mine", "properties": {"q": {"type": "integer"}}}},
        "type": "object",
    }


@pytest.mark.parametrize(
    ("schema", "name", "why"),
    [
        ({"properties": {"p": {"$ref": "#/$defs/P"}}, "$defs": {"P": {"properties": {"p": {"$ref": "#/$defs/P"}}}}}, "tool", "recursive"),
        ({"properties": {"p": {"$ref": "#/$defs/Gone"}}}, "tool", "Gone"),
        ({}, "1st", "1st"),
        ({}, "x", "not a tool name"),
        ({}, "a b", "not a tool name"),
    ],
)
def test_what_cannot_be_said(schema: JsonObject, name: str, why: str) -> None:
    with pytest.raises(SchemaError, match=why):
        spelled(schema, name)


SCALARS = st.sampled_from(["string", "integer", "boolean", "null"]).map(lambda kind: {"type": kind})
SCHEMAS = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from("ab"), inner).map(
            lambda fields: {"type": "object", "properties": fields, "required": sorted(fields)}
        ),
        inner.map(lambda item: {"type": "array", "items": item}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": branches}),
    ),
    max_leaves=6,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=2),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


@given(SCHEMAS, VALUES)
def test_the_same_values_are_valid(schema: JsonObject, value: JsonValue) -> None:
    before = jsonschema.Draft202012Validator(schema).is_valid(value)
    assert jsonschema.Draft202012Validator(one(schema)).is_valid(value) == before  # type: ignore[arg-type]
