"""Who may ask: host names, the token, the form of bodies, and bodies that never come to an end."""

import asyncio
from collections.abc import Callable, Coroutine

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from engine.access import read_body
from engine.errors import OverloadedError
from engine.problems import ApiError
from engine.request import ChatRequest
from engine.server import create_app
from engine.service import Job, Service
from engine.tokenizer import Tokenizer
from tests.engine.scripted import Script, hosting
from tests.engine.scripted import service as scripted

Asking = Callable[[httpx.AsyncClient], Coroutine[object, object, None]]

CHAT = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 1}


def _ask(
    tokenizer: Tokenizer, asking: Asking, *, kind: type[Service] = Service, local_only: bool = False, token: str | None = None
) -> None:
    """Ask a server in this process."""

    async def run() -> None:
        plain = scripted(tokenizer, Script())
        plain.close()
        found = kind(plain.model)
        app = create_app(hosting(found), local_only=local_only, token=token)
        try:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
                await asking(client)
        finally:
            found.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("[::1]", 200),
        ("evil.example", 400),
        ("localhost.evil.example", 400),
        ("evil.example:127", 400),
        ("", 400),
    ],
)
def test_a_local_port_answers_to_local_names_only(small: Tokenizer, host: str, status: int) -> None:
    # A web page could otherwise point a name of its own at 127.0.0.1 and read answers.
    async def asking(client: httpx.AsyncClient) -> None:
        response = await client.get("/v1/models", headers={"Host": host})
        assert response.status_code == status
        assert status == 200 or "localhost" in response.json()["error"]["message"]

    _ask(small, asking, local_only=True)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": "Bearer secretly"}, 401),
        ({"Authorization": "Basic secret"}, 401),
        ({"Authorization": b"Bearer secr\xe9t"}, 401),
        ({"Authorization": "Bearer secret"}, 200),
        ({"Authorization": "bearer  secret"}, 200),
    ],
)
def test_a_port_with_a_token_wants_it(small: Tokenizer, header: dict[str, str], status: int) -> None:
    async def asking(client: httpx.AsyncClient) -> None:
        for response in (await client.post(CHAT, json=BODY, headers=header), await client.get("/metrics", headers=header)):
            assert response.status_code == status
            if status == 401:
                assert response.json()["error"]["type"] == "invalid_authentication_error"
                assert response.headers["www-authenticate"] == "Bearer"
        assert (await client.get("/health")).status_code == 200

    _ask(small, asking, token="secret")


def test_a_port_serves_its_own_model_only_and_a_private_socket_does_not_ask(small: Tokenizer) -> None:
    async def asking(client: httpx.AsyncClient) -> None:
        for model, status in (("scripted", 200), ("", 200), (None, 200), ("gpt", 404)):
            response = await client.post(CHAT, json={**BODY, "model": model})
            assert response.status_code == status
        message = "Not found the model gpt: this engine serves scripted"
        assert response.json()["error"] == {"message": message, "type": "resource_not_found_error", "param": "model"}

    async def asking_privately(client: httpx.AsyncClient) -> None:
        assert (await client.post(CHAT, json={**BODY, "model": "some/path.gguf"})).status_code == 200

    _ask(small, asking, local_only=True)
    _ask(small, asking_privately)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Content-Type": "application/vnd.api+json"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "identity"}, 200),
    ],
)
def test_a_body_is_plain_json(small: Tokenizer, headers: dict[str, str], status: int) -> None:
    # text/plain is what a web page may send to another site without asking.
    async def asking(client: httpx.AsyncClient) -> None:
        assert (await client.post(CHAT, json=BODY, headers=headers)).status_code == status

    _ask(small, asking)


def _request(*messages: Message) -> Request:
    """A request whose body comes in `messages`, and then nothing more for ever."""
    waiting = iter(messages)

    async def receive() -> Message:
        for message in waiting:
            return message
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]

    return Request({"type": "http", "method": "POST", "headers": []}, receive)


@pytest.mark.parametrize(
    ("messages", "status", "words"),
    [
        ([{"type": "http.request", "body": b"{", "more_body": True}], 408, "within 0.01 seconds"),
        ([{"type": "http.request", "body": b"12345678", "more_body": True}], 413, "longer than 4 bytes"),
        ([{"type": "http.disconnect"}], 499, "went away"),
    ],
)
def test_a_body_that_does_not_end_well(messages: list[Message], status: int, words: str) -> None:
    with pytest.raises(ApiError, match=words) as caught:
        asyncio.run(read_body(_request(*messages), pause=0.01, limit=4))
    assert caught.value.status == status


def test_a_body_in_pieces_is_whole() -> None:
    pieces = [{"type": "http.request", "body": b"ab", "more_body": True}, {"type": "http.request", "body": b"c", "more_body": False}]
    assert asyncio.run(read_body(_request(*pieces))) == b"abc"


class Full(Service):
    """A service whose queue is full."""

    def prepare(self, request: ChatRequest) -> Job:
        raise OverloadedError("too many requests wait")


def test_a_full_queue_is_told_as_the_vendor_does(small: Tokenizer) -> None:
    async def asking(client: httpx.AsyncClient) -> None:
        response = await client.post(CHAT, json=BODY)
        assert (response.status_code, response.headers["retry-after"]) == (429, "2")
        assert response.json()["error"] == {"message": "too many requests wait", "type": "engine_overloaded_error"}
        assert 'requests_total{outcome="overloaded"} 1' in (await client.get("/metrics")).text

    _ask(small, asking, kind=Full)
