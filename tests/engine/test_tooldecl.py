"""Tool declarations against the published encoder's, and the corners its vectors leave out."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.tooldecl import declare

Rows = Callable[[str], list[dict[str, object]]]
Schema = dict[str, object]


def _tool(parameters: object, **more: object) -> Schema:
    return {"type": "function", "function": {"name": "f", "parameters": parameters, **more}}


def _body(parameters: object, **more: object) -> str:
    """What stands between the namespace's braces."""
    text = declare([_tool(parameters, **more)])
    head, tail = "# Tools\n\n## functions\nnamespace functions {\n", "\n}\n"
    assert text.startswith(head)
    assert text.endswith(tail)
    return text.removeprefix(head).removesuffix(tail)


def _one(schema: object) -> str:
    """The lines of one required property x."""
    return (
        _body({"type": "object", "properties": {"x": schema}, "required": ["x"]})
        .removeprefix("type f = (_: {\n")
        .removesuffix("\n}) => any;")
    )


def test_every_published_declaration_is_met_byte_for_byte(rows: Rows) -> None:
    cases = rows("tools_ts")
    assert len(cases) == 80
    for case in cases:
        tools = case["tools"]
        assert isinstance(tools, list)
        assert declare(tools) == case["declaration"]


def test_no_tools_are_no_declaration() -> None:
    assert declare([]) == ""


@pytest.mark.parametrize("parameters", [None, {}, {"type": "object"}, {"type": "object", "properties": {}}])
def test_a_function_without_parameters(parameters: object) -> None:
    assert _body(parameters, description="What.\n\nFor.") == "// What.\n\n// For.\ntype f = (_: {}) => any;"


@pytest.mark.parametrize(
    ("schema", "lines"),
    [
        ({"type": "string", "minLength": 1, "pattern": "^a"}, "  // minLength: 1, pattern: ^a\n  x: string"),
        ({"type": "integer", "minimum": 1, "maximum": 9, "maxLength": 3}, "  // maximum: 9, minimum: 1\n  x: number"),
        ({"type": "array", "minItems": 1}, "  // minItems: 1\n  x: Array<any>"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "  x: Array<string | null>"),
        ({"type": ["integer", "object", "array"]}, "  x: number | {} | Array<any>"),
        ({"type": ["string", "null"], "enum": ["a", None]}, '  x: "a" | None'),
        ({"enum": [1, True, "b"]}, '  x: 1 | True | "b"'),
        ({"type": "boolean", "default": False}, "  // Default: False\n  x: boolean"),
        ({"type": "object", "default": {"b": 1, "a": "é"}}, '  // Default: {"a": "é", "b": 1}\n  x: {}'),
        ({"type": "string", "default": None}, "  x: string"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "  x: {\n    [k: string]: number\n  }"),
        ({"type": "object", "additionalProperties": True}, "  x: {\n    [k: string]: any\n  }"),
        ({"type": "null"}, "  x: null"),
        ({}, "  x: any"),
        (True, "  x: any"),
        (False, "  x: null"),
    ],
)
def test_one_property(schema: object, lines: str) -> None:
    assert _one(schema) == lines


def test_definitions_become_interfaces() -> None:
    node = {"type": "object", "description": "A node.", "properties": {"next": {"$ref": "#/$defs/Node"}}}
    parameters = {"type": "object", "properties": {"x": {"$ref": "#/$defs/Node", "description": "Start."}}, "$defs": {"Node": node}}
    assert _body(parameters, description="D.") == (
        "// A node.\ninterface Node {\n  next?: Node\n}\n// D.\ntype f = (_: {\n  // Start.\n  x?: Node\n}) => any;"
    )


def test_parameters_that_name_themselves_become_an_interface_in_plain_order() -> None:
    parameters = {
        "type": "object",
        "properties": {"b": {"type": "string"}, "a": {"$ref": "#"}},
        "required": ["b"],
        "additionalProperties": False,
    }
    assert _body(parameters) == "interface parameters {\n  a?: parameters,\n  b: string\n}\ntype f = (_: parameters) => any;"


def test_other_kinds_of_tools_are_left_out() -> None:
    assert "plugin" not in declare([{"type": "_plugin", "function": {"name": "plugin"}}, _tool({})])


@pytest.mark.parametrize(
    "schema",
    [
        {"description": "no type"},
        {"oneOf": [{"type": "string"}]},
        {"const": 1},
        {"type": ["string", "file"]},
        {"$ref": "#/$defs/Missing"},
        {"$ref": "https://example.org/schema"},
        {"type": "integer", "enum": ["one"]},
        {"type": ["string", "number", "null"], "enum": ["one"]},
        {"type": "object", "properties": []},
        {"type": "object", "required": True},
        {"type": "object", "additionalProperties": "yes"},
        {"type": "string", "description": 3},
        7,
    ],
)
def test_what_has_no_typescript_form_falls_back_to_the_list_as_json(schema: object) -> None:
    # The published tokenizer hands the template no declaration then, and the template writes the (sorted) list itself.
    tool = _tool({"type": "object", "properties": {"x": schema}}, description="é")
    text = declare([tool])
    assert json.loads(text) == [tool]
    assert text.startswith('[{"function":{"description":"é","name":"f"')


def test_only_tools_of_other_kinds_fall_back_too() -> None:
    assert declare([{"type": "_plugin", "id": 1}]) == '[{"id":1,"type":"_plugin"}]'


_KEYS = st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "$defs", "required", "x"])
_SCHEMAS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.just({"type": "string"}),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "$defs", "required", "x"]), inner, max_size=4
        )
        | st.fixed_dictionaries({"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=3), inner, max_size=3)})
    ),
    max_leaves=12,
)


@given(st.lists(_SCHEMAS.map(_tool) | _SCHEMAS, max_size=3))
def test_any_list_gets_a_declaration_that_does_not_depend_on_key_order(tools: list[object]) -> None:
    text = declare(tools)
    assert bool(text) == bool(tools)
    assert declare(json.loads(json.dumps(tools), object_pairs_hook=lambda pairs: dict(reversed(pairs)))) == text
