"""The rows of `catalogue.toml`: which models there are, which endpoints serve them, and what each endpoint accepts.

Pure data. What this module does not do: choose an endpoint (`target`) or know any model or endpoint by name.
"""

import tomllib
from importlib.resources import files
from typing import Literal

import msgspec


class Sampling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Sampling parameters to send; None is not sent."""

    temperature: float | None = None
    top_p: float | None = None


class SamplingByMode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The model's own sampling with and without thinking."""

    thinking: Sampling = Sampling()
    instant: Sampling = Sampling()


class ModelRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is, wherever it is served.

    `context` in tokens. `thinking`: can it be switched. `keep`: may thoughts of earlier turns be sent back. `file` is the path of a
    shipped model file inside the engine package. `profile` says which system prompt and tools suit the model. `images`: it sees pictures.
    """

    context: int
    thinking: Literal["toggle", "always", "never"] = "toggle"
    keep: Literal["no", "optional", "always"] = "no"
    sampling: SamplingByMode = SamplingByMode()
    tool_ids: Literal["kimi", "verbatim"] = "kimi"
    file: str = ""
    profile: str = "default"
    images: bool = False


class Price(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """USD per million tokens: fresh prompt, cached prompt (None: as fresh), completion."""

    input: float
    output: float
    cached: float | None = None


class Serving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One model at one endpoint: the id it has there, and where the endpoint differs from the model's own limits."""

    id: str
    context: int | None = None
    max_output: int | None = None
    price: Price | None = None
    priced: str = ""


class EndpointRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a server is reached and what it accepts.

    - `base_url` may hold `{VARIABLE}` placeholders, filled from the environment.
    - `key_env`: variables that may hold the key, in order; `key_optional`: it works without one.
    - `thinking_form`: `object` is `thinking: {type, keep}`; `template` is `chat_template_kwargs`; `reasoning` is `reasoning: {enabled}`;
      `effort` is `reasoning_effort: "none"` to switch it off; `none` sends nothing.
    - `schema_flavour`: `mfjs` is Moonshot's JSON Schema subset, checked by the server.
    - `images`: it takes pictures, where the model sees any.
    - `prompt_progress`: asked by `return_progress`, it tells while it reads how much of a prompt is read.
    - `idle_seconds`: how long the stream may be silent before it is given up.
    """

    title: str
    base_url: str
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"]
    thinking_form: Literal["object", "template", "reasoning", "effort", "none"]
    key_env: tuple[str, ...] = ()
    key_optional: bool = False
    default_max_tokens: int | None = None
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content"
    schema_flavour: Literal["any", "mfjs"] = "any"
    send_sampling: bool = False
    prompt_cache_key: bool = False
    stream_options: bool = True
    response_format: Literal["json_schema", "json_object", "none"] = "json_schema"
    any_model: bool = False
    images: bool = True
    prompt_progress: bool = False
    idle_seconds: float = 180.0
    models: dict[str, Serving] = {}


class Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows. The order of `endpoints` is the order of preference."""

    default_model: str
    models: dict[str, ModelRow]
    endpoints: dict[str, EndpointRow]


def load_catalogue() -> Catalogue:
    """The catalogue that ships with kimicode. Reads one small file; a mistake in it is a bug and raises `msgspec.ValidationError`."""
    text = files("kimicode.model").joinpath("catalogue.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Catalogue)
