"""JSON Schema validation, in a module of its own because importing `jsonschema` costs more than a start-up may.

References to other documents are never fetched. What this module does not do: parse text.
"""

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import validator_for
from referencing import Registry
from referencing.exceptions import Unresolvable

from kimicode.messages import JsonObject, JsonValue


def schema_problem(schema: JsonObject) -> str:
    """What is wrong with `schema` as a JSON Schema; empty where nothing is."""
    if not isinstance(schema.get("$schema", ""), str):
        return "$['$schema'] is not a string"
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    return ""


def value_problem(value: JsonValue, schema: JsonObject) -> str:
    """Where and why `value` does not follow `schema`; empty where it does."""
    validator = validator_for(schema, default=Draft202012Validator)(schema, registry=Registry())
    try:
        error = best_match(validator.iter_errors(value))
    except Unresolvable as missing:
        return f"the schema refers to something that is not in it: {missing.ref}"
    except RecursionError:
        return "the value or the schema is nested too deeply"
    return "" if error is None else f"{error.json_path}: {error.message}"
