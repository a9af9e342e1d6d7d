"""From `--endpoint`, `--model` and the environment to one target: which model, at which endpoint, reached how.

`resolve` reads environment variables it is handed, which endpoints have a stored key (`keys`), and for a model file the file's head; it
opens no connection and holds no key: a `Target` says where the key is, so it can be printed and logged. What this module does not do:
talk to the endpoint.
"""

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from kimicode.errors import UnavailableError, UsageError
from kimicode.model.catalogue import Catalogue, EndpointRow, ModelRow, Price, SamplingByMode, Serving, load_catalogue
from kimicode.model.client import ModelInfo
from kimicode.model.gguf_header import read_head
from kimicode.model.keys import KeyFrom, advice, key_from, key_variable

URL_ROW = "url"
EMBEDDED_ROW = "embedded"


class Target(msgspec.Struct, frozen=True):
    """One model at one endpoint.

    `endpoint` is the row's name, or the URL that was given. `model_id` is what the endpoint calls the model. `key_env` is the
    variable that holds the key, "" where none is set, and `key_from` what has the key, "" where none is used. `socket` and `model_file` are
    set for servers on a Unix socket and for the embedded engine.
    """

    endpoint: str
    model: str
    model_id: str
    base_url: str
    accepts: EndpointRow
    traits: ModelRow
    context: int
    max_output: int | None = None
    price: Price | None = None
    key_env: str = ""
    key_from: KeyFrom = ""
    socket: str = ""
    model_file: str = ""

    @property
    def images(self) -> bool:
        """Whether the model can be shown pictures there."""
        return self.traits.images and self.accepts.images

    @property
    def info(self) -> ModelInfo:
        """What the agent must know about it."""
        price = self.price
        return ModelInfo(
            model=self.model,
            endpoint=self.endpoint,
            context=self.context,
            price_in=price.input if price else None,
            price_cached=price.cached if price else None,
            price_out=price.output if price else None,
            profile=self.traits.profile,
            images=self.images,
        )


def resolve(endpoint: str | None, model: str | None, environ: Mapping[str, str]) -> Target:
    """The target for what the user asked for; None means «not said».

    Raises `UsageError` for a name, URL or file that can't be right, `UnavailableError` where a key or a variable is missing.
    """
    catalogue = load_catalogue()
    name = model or catalogue.default_model
    if endpoint is None:
        if _is_file(catalogue, name):
            return _embedded(catalogue, name)
        endpoint = _choose(catalogue, name, environ)
    if endpoint == EMBEDDED_ROW:
        return _embedded(catalogue, name)
    if endpoint.startswith("unix:"):
        return _socket(catalogue, endpoint, name)
    if endpoint.startswith(("http://", "https://")):
        return _url(catalogue, endpoint, name, environ)
    row = catalogue.endpoints.get(endpoint)
    if row is None or endpoint == URL_ROW:
        names = ", ".join(key for key in catalogue.endpoints if key != URL_ROW)
        raise UsageError(f"unknown endpoint: {endpoint}", hint=f"Known: {names}; or a URL (http://…), or unix:/path of a socket.")
    return _target(catalogue, endpoint, row, name, environ)


def boxed_model() -> str:
    """The name of the model that ships with kimicode."""
    return _boxed(load_catalogue())


def _boxed(catalogue: Catalogue) -> str:
    return next(key for key, row in catalogue.models.items() if row.file)


def _is_file(catalogue: Catalogue, name: str) -> bool:
    row = catalogue.models.get(name)
    return name.endswith(".gguf") or (row is not None and row.file != "")


def _choose(catalogue: Catalogue, name: str, environ: Mapping[str, str]) -> str:
    """The first endpoint that serves the model and has its key: a variable that is set says more than a key that is stored."""
    serving = [key for key, row in catalogue.endpoints.items() if _served_as(row, name)]
    if not serving:
        raise UsageError(
            f"unknown model: {name}",
            hint=f"Known: {', '.join(catalogue.models)}; or the path of a .gguf file; with --endpoint, any id that endpoint serves.",
        )
    found = next((key for key in serving if key_variable(catalogue.endpoints[key], environ)), None)
    found = found or next((key for key in serving if key_from(key, catalogue.endpoints[key], environ)), None)
    if found is not None:
        return found
    variables = dict.fromkeys(row.key_env[0] for key in serving if (row := catalogue.endpoints[key]).key_env and not row.key_optional)
    raise UnavailableError(
        f"no endpoint for {name}: no key is set",
        hint=f"Set one of {', '.join(variables)}, or store a key: /setup in `kimicode`; or name a server of yours with --endpoint; "
        f"or use the model in the box: --model {_boxed(catalogue)}.",
    )


def _served_as(row: EndpointRow, name: str) -> str | None:
    """Our name of the model that the user calls `name` at this endpoint (our name, or the endpoint's id), or None."""
    if name in row.models:
        return name
    return next((key for key, serving in row.models.items() if serving.id == name), None)


def _target(catalogue: Catalogue, endpoint: str, row: EndpointRow, name: str, environ: Mapping[str, str], url: str = "") -> Target:
    ours = _served_as(row, name)
    if ours is None and not row.any_model:
        raise UsageError(f"{endpoint} does not serve {name}", hint=f"It serves: {', '.join(row.models)}.")
    serving = row.models[ours] if ours else Serving(id=name)
    traits = catalogue.models.get(ours or name, catalogue.models[catalogue.default_model])
    where = key_from(url or endpoint, row, environ)
    if row.key_env and not where and not row.key_optional:
        raise UnavailableError(f"{endpoint}: no key is set", hint=advice(row))
    return Target(
        endpoint=url or endpoint,
        model=ours or name,
        model_id=serving.id,
        base_url=url or _fill(row.base_url, endpoint, environ),
        accepts=row,
        traits=traits,
        context=serving.context or traits.context,
        max_output=serving.max_output,
        price=serving.price,
        key_env=key_variable(row, environ),
        key_from=where,
    )


def _url(catalogue: Catalogue, url: str, name: str, environ: Mapping[str, str]) -> Target:
    """A URL that belongs to a row follows that row's rules; any other is a self-hosted server."""
    base = _checked(url).rstrip("/").removesuffix("/chat/completions")
    for endpoint, row in catalogue.endpoints.items():
        if row.base_url == base:
            return _target(catalogue, endpoint, row, name, environ)
    return _target(catalogue, URL_ROW, catalogue.endpoints[URL_ROW], name, environ, url=base)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{url} is no usable address", hint="Write --endpoint http://HOST:PORT/v1")
    return url


def _socket(catalogue: Catalogue, endpoint: str, name: str) -> Target:
    path = endpoint.removeprefix("unix:")
    if not path.startswith("/"):
        raise UsageError(f"{endpoint}: a socket needs an absolute path", hint="Write unix:/path/of/the.sock")
    row = catalogue.endpoints[EMBEDDED_ROW]
    traits = catalogue.models.get(name, catalogue.models[catalogue.default_model])
    return Target(endpoint, name, name, row.base_url, row, traits, traits.context, socket=path)


def _embedded(catalogue: Catalogue, name: str) -> Target:
    if not _is_file(catalogue, name):
        raise UsageError(f"the embedded engine needs a model file, not {name}", hint="Give --model path/to/file.gguf.")
    shipped = catalogue.models.get(name)
    path = _shipped(shipped.file) if shipped else Path(name).expanduser().absolute()
    head = read_head(path)
    traits = shipped or _by_profile(catalogue, head.profile)
    if head.own_sampling:
        traits = msgspec.structs.replace(traits, sampling=SamplingByMode())
    row = catalogue.endpoints[EMBEDDED_ROW]
    return Target(EMBEDDED_ROW, name, name, row.base_url, row, traits, head.context, model_file=str(path))


def _by_profile(catalogue: Catalogue, profile: str) -> ModelRow:
    default = catalogue.models[catalogue.default_model]
    return next((row for row in catalogue.models.values() if row.profile == profile), default)


def _shipped(inner: str) -> Path:
    """A file of the engine package, found without importing the engine."""
    spec = find_spec("engine")
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        path = Path(place) / inner
        if path.is_file():
            return path
    raise UnavailableError(
        "the model in the box is missing from this installation",
        hint=f"Expected engine/{inner}. Install kimicode again, or give --model path/to/file.gguf.",
    )


def _fill(base_url: str, endpoint: str, environ: Mapping[str, str]) -> str:
    for variable in re.findall(r"\{(\w+)\}", base_url):
        value = environ.get(variable, "").strip()
        if not value:
            raise UnavailableError(f"{endpoint}: {variable} is not set", hint=f"Set {variable}; the address of this endpoint contains it.")
        base_url = base_url.replace("{" + variable + "}", value)
    return base_url
