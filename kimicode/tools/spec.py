"""From a tool's schema and the words in `prompts/tools` to the specification a model sees, in full or lean.

The prompt `tools/NAME` has the description as its text and one line of front matter for each argument that needs words. A lean
specification, for small local models, has the words of `lean/NAME`, the required arguments and nothing else.
What this module does not do: know any tool.
"""

from collections.abc import Mapping, Sequence

from kimicode.messages import JsonObject, ToolSpec
from prompts import load


def full_spec(name: str, properties: Mapping[str, JsonObject], required: Sequence[str]) -> ToolSpec:
    """The specification for capable models: every argument, described where its name does not say it all."""
    words = load(f"tools/{name}")
    described: JsonObject = {
        key: {**schema, "description": words.meta[key]} if key in words.meta else {**schema} for key, schema in properties.items()
    }
    return ToolSpec(name, words.text, {"type": "object", "properties": described, "required": [*required]})


def lean_spec(name: str, properties: Mapping[str, JsonObject], required: Sequence[str]) -> ToolSpec:
    """The specification for small models: required arguments only, without descriptions."""
    parts: JsonObject = {key: {"type": properties[key]["type"]} for key in required}
    return ToolSpec(name, load(f"lean/{name}").text, {"type": "object", "properties": parts, "required": [*required]})
