"""Requests about tokens: how many a conversation has, which ones a text has, and the text of tokens. JSON in, JSON out.

`estimate` is Kimi's `/v1/tokenizers/estimate-token-count`; `tokenize` and `detokenize` are those of self-hosted servers (vLLM's fields).
What this module does not do: HTTP, or turning control tokens' names in a text into control tokens: a text is only text.
"""

import msgspec

from engine.answer import JsonObject
from engine.body import RequestError, decode_as
from engine.errors import ContextOverflowError
from engine.request import read_request
from engine.service import Service


class _Ids(msgspec.Struct):
    tokens: list[int]


class _Either(msgspec.Struct):
    prompt: str | None = None


def estimate(service: Service, data: bytes) -> JsonObject:
    """The number of tokens of a chat request's prompt, also where it is longer than the context. Raises what `Service.prepare` does."""
    return {"code": 0, "data": {"total_tokens": _count(service, data)}, "status": True}


def tokenize(service: Service, data: bytes) -> JsonObject:
    """The tokens of `prompt`, or of a chat request's prompt. Raises `RequestError`, and what `Service.prepare` raises."""
    if (text := decode_as(data, _Either).prompt) is not None:
        ids = service.model.tokenizer.encode(text)
    else:
        ids = service.prepare(read_request(data, service.model.file.defaults)).prompt.ids
    return {"count": len(ids), "max_model_len": service.model.context, "tokens": [*ids]}


def detokenize(service: Service, data: bytes) -> JsonObject:
    """The text of `tokens`; control tokens are spelled out, and what is not UTF-8 is replaced. Raises `RequestError`."""
    ids = decode_as(data, _Ids).tokens
    tokenizer = service.model.tokenizer
    for place, number in enumerate(ids):
        if number not in tokenizer:
            raise RequestError(f"tokens[{place}]: this model has no token {number}", "tokens")
    return {"prompt": tokenizer.decode_bytes(ids).decode("utf-8", "replace")}


def _count(service: Service, data: bytes) -> int:
    try:
        return len(service.prepare(read_request(data, service.model.file.defaults)).prompt.ids)
    except ContextOverflowError as problem:
        return problem.needed
