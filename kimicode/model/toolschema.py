"""Tool schemas in the JSON Schema subset that Moonshot's API checks (MFJS); meaning is kept, only the spelling changes.

The subset: every property has a type; what stands beside `anyOf` has none, its branches do; nothing stands beside `$ref`, so
references are resolved; `required` names only properties there are; a tool's name is a plain identifier of 3 to 64 characters.
One bad schema makes the server refuse the whole request, so a tool that can't be respelled is left out, alone.
What this module does not do: validate arguments.
"""

import re
from collections.abc import Mapping

from kimicode.messages import JsonObject, JsonValue, ToolSpec

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{2,63}")
_DEEPEST = 32
_TYPES: dict[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


class SchemaError(ValueError):
    """The schema can't be said in the subset; the text says why."""


def mfjs_parameters(tool: ToolSpec) -> JsonObject:
    """The tool's parameters in the subset. Raises `SchemaError`."""
    if not _NAME.fullmatch(tool.name):
        raise SchemaError(f"{tool.name!r} is not a tool name this endpoint takes (a letter first, 3 to 64 of a-z A-Z 0-9 _ -)")
    root: JsonObject = {**tool.parameters, "type": "object"}
    definitions = {**_object(root.get("definitions")), **_object(root.get("$defs"))}
    spelled = _spell(root, definitions, 0)
    spelled.setdefault("properties", {})
    return spelled


def _spell(schema: Mapping[str, JsonValue], definitions: Mapping[str, JsonValue], depth: int) -> JsonObject:
    if depth > _DEEPEST:
        raise SchemaError("the schema is recursive or too deep")
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _spell({**_target(schema["$ref"], definitions), **beside}, definitions, depth + 1)
    out: JsonObject = {}
    for key, value in schema.items():
        match key:
            case "$defs" | "definitions" | "$schema" | "$id":
                continue
            case "properties":
                out[key] = {name: _spell(_object(inner), definitions, depth + 1) for name, inner in _object(value).items()}
            case "items" | "additionalProperties" if isinstance(value, dict):
                out[key] = _spell(value, definitions, depth + 1) if value else value
            case "anyOf" | "oneOf":
                out["anyOf"] = [_spell(_with_type(branch, schema), definitions, depth + 1) for branch in _list(value)]
            case "allOf":
                out |= _merged(_list(value), definitions, depth)
            case _:
                out[key] = value
    if "anyOf" in out:
        out.pop("type", None)
    elif "type" not in out:
        out["type"] = _guess(out)
    _limit_required(out)
    return out


def _with_type(branch: JsonValue, parent: Mapping[str, JsonValue]) -> JsonObject:
    """A branch takes over the type its parent must give up."""
    inner = _object(branch)
    if "type" in parent and not {"type", "$ref", "anyOf", "oneOf"} & inner.keys():
        return {"type": parent["type"], **inner}
    return inner


def _merged(parts: list[JsonValue], definitions: Mapping[str, JsonValue], depth: int) -> JsonObject:
    """`allOf` of objects as one object."""
    out: JsonObject = {}
    for part in parts:
        spelled = _spell(_object(part), definitions, depth + 1)
        properties = {**_object(out.get("properties")), **_object(spelled.get("properties"))}
        required = [*_list(out.get("required")), *_list(spelled.get("required"))]
        out |= spelled
        out |= {"properties": properties} if properties else {}
        out |= {"required": required} if required else {}
    return out


def _limit_required(out: JsonObject) -> None:
    if "required" in out:
        properties = _object(out.get("properties"))
        out["required"] = [name for name in _list(out["required"]) if name in properties]


def _guess(schema: Mapping[str, JsonValue]) -> JsonValue:
    if "properties" in schema or "additionalProperties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    values = _list(schema.get("enum")) or ([schema["const"]] if "const" in schema else [])
    kinds = list(dict.fromkeys(_TYPES[type(value)] for value in values))
    if len(kinds) == 1:
        return kinds[0]
    return [*kinds] if kinds else "string"


def _target(reference: JsonValue, definitions: Mapping[str, JsonValue]) -> JsonObject:
    name = str(reference).rpartition("/")[2]
    found = definitions.get(name)
    if not isinstance(found, dict):
        raise SchemaError(f"the schema refers to {reference}, which it does not define")
    return found


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
