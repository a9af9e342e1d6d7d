"""A call's JSON text to checked arguments: strict about what it takes, and telling the model all that is wrong at once.

Knows the part of JSON Schema that tools use (flat objects, arrays of flat objects, enum, minimum, maximum). Two kindnesses, because models
need them: null for an optional argument means it is absent, and 5.0 is an integer. What this module does not do: repair JSON, or
validate answers against a user's schema.
"""

from collections.abc import Mapping
from typing import cast

import msgspec

from kimicode.errors import ToolError
from kimicode.messages import JsonObject, JsonValue, ToolSpec

_Schema = Mapping[str, JsonValue]


class ArgumentsError(ToolError):
    """The arguments are not JSON, or not what the tool takes."""


def parse_arguments(spec: ToolSpec, text: str) -> JsonObject:
    """The arguments in `text` for the tool of `spec`. Raises `ArgumentsError`, which ends with the shape to send."""
    problems: list[str] = []
    try:
        value = cast(JsonValue, msgspec.json.decode(text or "{}"))
    except RecursionError:
        problems.append("the arguments are nested too deeply")
    except UnicodeEncodeError:
        problems.append("the arguments hold a lone surrogate, which is no character")
    except msgspec.DecodeError as error:
        problems.append(f"the arguments are not valid JSON ({error})")
    else:
        value = _check(spec.parameters, value, "the arguments", problems)
    if not problems:
        return cast(JsonObject, value)
    raise ArgumentsError(f"{spec.name}: {'; '.join(problems)}. Send {shape(spec.parameters)}.")


def shape(schema: _Schema) -> str:
    """A schema in one line for a reader: `{"path": string, "limit"?: integer}`."""
    match schema.get("type"):
        case "object":
            required = _required(schema)
            fields = (f'"{key}"{"" if key in required else "?"}: {shape(part)}' for key, part in _properties(schema).items())
            return f"{{{', '.join(fields)}}}"
        case "array":
            return f"[{shape(_items(schema))}, …]"
        case kind if "enum" in schema:
            return " | ".join(f'"{choice}"' for choice in cast(list[str], schema["enum"])) or str(kind)
        case kind:
            return str(kind)


def _check(schema: _Schema, value: JsonValue, where: str, problems: list[str]) -> JsonValue:
    """`value` as the schema wants it; what is wrong with it is added to `problems`."""
    match schema.get("type"), value:
        case "object", dict():
            return _check_object(schema, value, where, problems)
        case "array", list():
            return [_check(_items(schema), item, f"{where}[{number}]", problems) for number, item in enumerate(value)]
        case "string", str():
            choices = cast(list[str], schema.get("enum", [value]))
            if value not in choices:
                problems.append(f"{where} is {value[:40]!r}, not one of {', '.join(choices)}")
        case "boolean", bool():
            pass
        case (("integer" | "number"), int() | float()) if not isinstance(value, bool) and _fits(schema, value):
            _check_range(schema, value, where, problems)
            return int(value) if schema["type"] == "integer" else value
        case kind, _:
            problems.append(f"{where} must be {_article(str(kind))}, not {_kind(value)}")
    return value


def _check_object(schema: _Schema, value: JsonObject, where: str, problems: list[str]) -> JsonObject:
    properties, required = _properties(schema), _required(schema)
    value = {key: part for key, part in value.items() if part is not None or key in required}
    inside = "" if where == "the arguments" else f"{where}."
    problems.extend(f"{inside}{key} is missing" for key in required if key not in value)
    if unknown := [key[:40] for key in value if key not in properties]:
        problems.append(f"{where} can't have {', '.join(map(repr, unknown[:5]))}")
    return {key: _check(properties[key], part, f"{inside}{key}", problems) for key, part in value.items() if key in properties}


def _check_range(schema: _Schema, value: float, where: str, problems: list[str]) -> None:
    low, high = cast("float | None", schema.get("minimum")), cast("float | None", schema.get("maximum"))
    if low is not None and value < low:
        problems.append(f"{where} must be at least {low}")
    if high is not None and value > high:
        problems.append(f"{where} must be at most {high}")


def _fits(schema: _Schema, value: float) -> bool:
    return schema["type"] == "number" or isinstance(value, int) or value.is_integer()


def _properties(schema: _Schema) -> Mapping[str, _Schema]:
    return cast(Mapping[str, _Schema], schema.get("properties", {}))


def _required(schema: _Schema) -> list[str]:
    return cast(list[str], schema.get("required", []))


def _items(schema: _Schema) -> _Schema:
    return cast(_Schema, schema["items"])


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aio" else f"a {kind}"


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int() | float():
            return f"the number {value}"[:60]
        case list():
            return "an array"
        case dict():
            return "an object"
