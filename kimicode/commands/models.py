"""`kimicode models list`: what the catalogue of endpoints and models says.

What this module does not do: ask an endpoint what it has.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from typing import assert_never

import msgspec

from kimicode.model.catalogue import Catalogue, EndpointRow, Serving, load_catalogue
from kimicode.model.keys import key_from, key_variable
from kimicode.streams import write_payload


def models_list(as_json: bool) -> int:
    """Write the catalogue, for people or as JSON; the exit code."""
    catalogue = load_catalogue()
    text = msgspec.json.encode(catalogue).decode() if as_json else "\n".join(_lines(catalogue, os.environ))
    write_payload(sys.stdout, f"{text}\n")
    return 0


def _lines(catalogue: Catalogue, environ: Mapping[str, str]) -> Iterator[str]:
    for name, model in catalogue.models.items():
        default = " (default)" if name == catalogue.default_model else ""
        yield f"{name}{default}: {model.context:,} tokens of context, thinking {model.thinking}"
        for endpoint, row in catalogue.endpoints.items():
            if name in row.models:
                yield f"  {endpoint:<16} {_price(row.models[name]):<40} {_key(endpoint, row, environ)}"
    anywhere = [endpoint for endpoint, row in catalogue.endpoints.items() if row.any_model]
    yield f"Any model, under the server's own name for it: --endpoint {' | '.join(anywhere)} --model NAME"


def _price(serving: Serving) -> str:
    price = serving.price
    if price is None:
        return "price unknown"
    cached = "" if price.cached is None else f", cached ${price.cached:g}"
    return f"${price.input:g} in{cached}, ${price.output:g} out per M tokens"


def _key(endpoint: str, row: EndpointRow, environ: Mapping[str, str]) -> str:
    if not row.key_env:
        return "no key needed"
    match key_from(endpoint, row, environ):
        case "environment":
            return f"{key_variable(row, environ)} is set"
        case "keyring":
            return "its key is in the keyring"
        case "file":
            return "its key is in a file of yours"
        case "":
            return f"set {row.key_env[0]}" + (" (optional)" if row.key_optional else "")
        case where:
            assert_never(where)
