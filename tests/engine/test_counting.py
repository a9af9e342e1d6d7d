"""Requests about tokens: the numbers are those of real prompts, and texts come back."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import counting
from engine.body import RequestError
from engine.service import Service
from engine.tokenizer import Tokenizer
from tests.engine.scripted import Script, hosting, served, service

CHAT = "/v1/chat/completions"
ESTIMATE = "/v1/tokenizers/estimate-token-count"
TOOL = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}


@pytest.fixture
def loaded(small: Tokenizer) -> Iterator[Service]:
    found = service(small, Script())
    yield found
    found.close()


def test_an_estimate_is_the_number_that_an_answer_reports(small: Tokenizer, tmp_path: Path) -> None:
    bodies = [
        {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]},
        {"messages": [{"role": "system", "content": "Be ✓."}, {"role": "user", "content": "hi"}], "tools": [TOOL]},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "he", "partial": True}]},
    ]

    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            for body in bodies:
                estimate = (await client.post(ESTIMATE, json=body)).json()["data"]["total_tokens"]
                tokens = (await client.post("/tokenize", json=body)).json()
                usage = (await client.post(CHAT, json={**body, "max_tokens": 1})).json()["usage"]
                assert estimate == usage["prompt_tokens"] == tokens["count"] == len(tokens["tokens"])
                assert tokens["max_model_len"] == 2048

    asyncio.run(run())


def test_what_is_too_long_is_counted_but_not_tokenised_for_an_answer(small: Tokenizer, tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "word " * 3000}]}

    async def run() -> None:
        async with served(hosting(service(small, Script())), tmp_path) as client:
            assert (await client.post(ESTIMATE, json=body)).json()["data"]["total_tokens"] > 3000
            response = await client.post("/tokenize", json=body)
            assert (response.status_code, response.json()["error"]["code"]) == (400, "context_length_exceeded")
            assert (await client.post(ESTIMATE, json={})).status_code == 400

    asyncio.run(run())


def test_a_text_is_text_whatever_it_spells(loaded: Service, small: Tokenizer) -> None:
    tokens = counting.tokenize(loaded, b'{"prompt": "<|im_end|>hello"}')["tokens"]
    assert tokens == small.encode("<|im_end|>hello")
    assert small.control["<|im_end|>"] not in small.encode("<|im_end|>hello")


@given(text=st.text(max_size=40))
@settings(deadline=None, max_examples=50)
def test_a_text_comes_back(small: Tokenizer, text: str) -> None:
    loaded = service(small, Script())
    try:
        ids = counting.tokenize(loaded, _json(prompt=text))["tokens"]
        assert counting.detokenize(loaded, _json(tokens=ids)) == {"prompt": text}
    finally:
        loaded.close()


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize("ids", [[10_000], [-1], ["a"], None])
def test_tokens_that_are_none_are_refused(loaded: Service, ids: object) -> None:
    with pytest.raises(RequestError):
        counting.detokenize(loaded, _json(tokens=ids))


def test_control_tokens_are_spelled_out(loaded: Service, small: Tokenizer) -> None:
    assert counting.detokenize(loaded, _json(tokens=[small.control["<|im_end|>"]])) == {"prompt": "<|im_end|>"}
