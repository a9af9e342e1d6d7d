"""Tool declarations as K2.6 was trained to read them: an OpenAI tool list as a TypeScript-style namespace.

    # Tools

    ## functions
    namespace functions {
    // what it is for
    type NAME = (_: {
      // a required parameter
      path: string,
      // minimum: 1
      // Default: 10
      limit?: number
    }) => any;
    }

Required parameters come first, each group by name; limits and defaults become comments. The bytes are those of the encoder
published with the model, odd corners included (strings in an `enum` are not escaped, `true` as a default reads `True`): the model
has seen these and no others. Where the list says something this form can't (`oneOf`, a parameter without a type, …), the model's
template falls back to the list itself as compact JSON, and so does `declare`.

What this module does not do: judge whether a tool list is a valid one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

_INDENT: Final = "  "
_LIMITS: Final = {
    "string": ("maxLength", "minLength", "pattern"),
    "number": ("maximum", "minimum"),
    "integer": ("maximum", "minimum"),
    "array": ("maxItems", "minItems"),
}
_UNION_MEMBERS: Final = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "{}",
    "array": "Array<any>",
}
_ENUM_VALUES: Final = {"string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,)}


def declare(tools: Sequence[object]) -> str:
    """The declaration of an OpenAI tool list; empty for an empty list. Tools of other types than `function` are left out."""
    if not tools:
        return ""
    ordered = [_sorted(tool) for tool in tools]
    try:
        functions = [_function(function) for tool in ordered if (function := _function_of(tool))]
    except _InexpressibleError:
        functions = []
    if not functions:
        return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return "# Tools\n\n## functions\nnamespace functions {\n" + "\n".join(functions) + "\n}\n"


class _InexpressibleError(ValueError):
    """A tool list that has no TypeScript form; never leaves this module."""


class _Scope:
    """What the `$ref`s of one function may name: definitions met so far, and whether the parameters name themselves."""

    def __init__(self) -> None:
        self.definitions: dict[str, object] = {}
        self.recursive = False

    def resolve(self, reference: str) -> str:
        if reference == "#":
            self.recursive = True
            return "parameters"
        name = reference.removeprefix("#/$defs/").split("/")[-1]
        if not reference.startswith("#/$defs/") or name not in self.definitions:
            raise _InexpressibleError(reference)
        return name


def _sorted(value: object) -> object:
    """`value` with the keys of all objects in it in order: two clients that send the same tools share a prompt prefix."""
    match value:
        case dict():
            return {key: _sorted(value[key]) for key in sorted(value)}
        case list():
            return [_sorted(item) for item in value]
        case _:
            return value


def _function_of(tool: object) -> Mapping[str, object] | None:
    match tool:
        case {"type": "function", "function": dict(function)}:
            return function
        case dict():
            return None
        case _:
            raise _InexpressibleError("a tool that is no object")


def _function(function: Mapping[str, object]) -> str:
    scope = _Scope()
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise _InexpressibleError("parameters that are no object")
    rest, fields = _fields(parameters, _INDENT, scope)
    lines: list[str] = []
    if recursive := scope.recursive:
        # The interface lists the fields in plain order and drops additionalProperties, as the published encoder does.
        lines.append(f"interface parameters {_braces(list(fields.values()), '')}")
    for name, definition in list(scope.definitions.items()):
        lines += [*_description(definition, ""), f"interface {name} {_type(definition, '', scope)}"]
    lines += _description(function, "")
    inline = "parameters" if recursive else _braces([*_required_first(parameters, fields), *rest], "")
    return "\n".join([*lines, f"type {function.get('name', 'function')} = (_: {inline}) => any;"])


def _type(schema: object, indent: str, scope: _Scope) -> str:
    """The type of `schema`, on several lines where it is an object; `indent` is that of the line it begins on."""
    if isinstance(schema, bool):
        return "any" if schema else "null"
    if not isinstance(schema, dict):
        raise _InexpressibleError("a schema that is no object")
    match schema:
        case {"$ref": str(reference)}:
            return scope.resolve(reference)
        case {"anyOf": list(options)}:
            return " | ".join(_type(option, indent, scope) for option in options)
        case {"enum": list(values)}:
            return _enum(values, schema.get("type"))
        case {"type": list(kinds)} if all(isinstance(kind, str) and kind in _UNION_MEMBERS for kind in kinds):
            return " | ".join(_UNION_MEMBERS[kind] for kind in kinds)
        case {"type": "object"}:
            rest, fields = _fields(schema, indent + _INDENT, scope)
            return _braces([*_required_first(schema, fields), *rest], indent)
        case {"type": "array"}:
            return _array(schema, indent, scope)
        case {"type": str(kind)}:
            return "number" if kind == "integer" else kind
        case _ if not schema:
            return "any"
        case _:
            raise _InexpressibleError("a schema without a type")


def _fields(schema: Mapping[str, object], indent: str, scope: _Scope) -> tuple[list[str], dict[str, str]]:
    """An object's `[k: string]` line, if any, and each property's lines by name, both ready to stand at `indent`."""
    match schema.get("$defs"):
        case dict(definitions):
            scope.definitions.update(definitions)
        case None:
            pass
        case _:
            raise _InexpressibleError("$defs")
    match schema.get("additionalProperties"):
        case None:
            rest = []
        case False:
            rest = [f"{indent}[k: string]: never"]
        case other:
            rest = [f"{indent}[k: string]: {_type(other, indent, scope)}"]
    properties = schema.get("properties", {})
    if not isinstance(properties, dict):
        raise _InexpressibleError("properties")
    required = _required(schema)
    return rest, {name: _property(name, value, name not in required, indent, scope) for name, value in properties.items()}


def _property(name: str, schema: object, optional: bool, indent: str, scope: _Scope) -> str:
    value = schema.get("default") if isinstance(schema, dict) else None
    default = [] if value is None else [f"{indent}// Default: {_default(value)}"]
    line = f"{indent}{name}{'?' if optional else ''}: {_type(schema, indent, scope)}"
    return "\n".join([*_comments(schema, indent), *default, line])


def _required(schema: Mapping[str, object]) -> Sequence[object]:
    match schema.get("required", []):
        case list(names):
            return names
        case _:
            raise _InexpressibleError("required")


def _required_first(schema: Mapping[str, object], fields: Mapping[str, str]) -> Iterator[str]:
    required = _required(schema)
    return (fields[name] for name in sorted(fields, key=lambda name: (name not in required, name)))


def _braces(fields: Sequence[str], indent: str) -> str:
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}" if fields else "{}"


def _array(schema: Mapping[str, object], indent: str, scope: _Scope) -> str:
    items = schema.get("items") or True
    inner = indent + _INDENT
    if comments := _comments(items, inner):
        return "\n".join(["Array<", *comments, f"{inner}{_type(items, inner, scope)}", f"{indent}>"])
    return f"Array<{_type(items, indent, scope)}>"


def _enum(values: Sequence[object], kind: object) -> str:
    match kind:
        case [str(only)]:
            kind = only
        case ["null", str(other)] | [str(other), "null"]:
            kind = other
        case list():
            raise _InexpressibleError("an enum of several types")
    allowed = _ENUM_VALUES.get(kind) if isinstance(kind, str) else None
    if allowed and not all(value is None or isinstance(value, allowed) for value in values):
        raise _InexpressibleError("an enum value of another type")
    return " | ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)


def _comments(schema: object, indent: str) -> list[str]:
    """The description's lines, then one line of the limits that the schema's type has."""
    lines = _description(schema, indent)
    if not isinstance(schema, dict) or schema.keys() & {"$ref", "anyOf", "enum"} or not isinstance(schema.get("type"), str):
        return lines
    limits = [f"{key}: {schema[key]}" for key in _LIMITS.get(schema["type"], ()) if key in schema]
    return [*lines, f"{indent}// {', '.join(limits)}"] if limits else lines


def _description(schema: object, indent: str) -> list[str]:
    match schema:
        case {"description": str(text)} if text:
            return [f"{indent}// {line}" if line else "" for line in text.split("\n")]
        case {"description": text} if text:
            raise _InexpressibleError("a description that is no text")
        case _:
            return []


def _default(value: object) -> str:
    return repr(value) if isinstance(value, int | float) else json.dumps(value, ensure_ascii=False)
